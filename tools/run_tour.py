"""Runs the notebooks of the tour, or those named, and writes their outputs into them: ``python tools/run_tour.py [NOTEBOOK ...]``.

It is ``gradtape run --save``, and then everything taken out that says on which machine that was.
"""

import json
import pathlib
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def run(path: pathlib.Path) -> None:
    subprocess.run([sys.executable, "-m", "gradtape", "run", str(path), "--save", str(path)], check=True)
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    for notebook in [pathlib.Path(a) for a in sys.argv[1:]] or sorted(EXAMPLES.glob("*.ipynb")):
        run(notebook)
