"""What pyproject.toml cannot say: a line that Python runs at its start, so that KERAS_BACKEND=gradtape and a plain ``import keras`` suffice."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PTH = "keras_gradtape.pth"
LINE = "import os; os.environ.get('KERAS_BACKEND') == 'gradtape' and __import__('keras_gradtape.hook').hook.install()\n"


class BuildWithPth(build_py):
    """Puts the line beside the packages, where ``site`` reads it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            Path(self.build_lib).mkdir(parents=True, exist_ok=True)
            Path(self.build_lib, PTH).write_text(LINE)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib, PTH))]


setup(cmdclass={"build_py": BuildWithPth})
