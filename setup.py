"""What pyproject.toml cannot say: a line that Python runs at its start, so that KERAS_BACKEND=gradtape and a plain ``import keras`` suffice."""

from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

PTH = "keras_gradtape.pth"
LINE = "import os; os.environ.get('KERAS_BACKEND') == 'gradtape' and __import__('keras_gradtape.hook').hook.install()\n"


class BuildWithPth(build_py):
    """Puts the line beside the packages, where ``site`` reads it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            Path(self.build_lib, PTH).write_text(LINE)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib, PTH))]


class EditableWithPth(editable_wheel):
    """Puts the line into an editable installation too."""

    def _run_build_commands(self, dist_name: str, unpacked_wheel: str, *rest: Any) -> Any:
        Path(unpacked_wheel, PTH).write_text(LINE)
        return super()._run_build_commands(dist_name, unpacked_wheel, *rest)


setup(cmdclass={"build_py": BuildWithPth, "editable_wheel": EditableWithPth})
