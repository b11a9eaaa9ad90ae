"""What holds for the project as a whole: its floors, its dependencies, what an import costs."""

import ast
import json
import pathlib
import subprocess
import sys
import tomllib

import pytest

import gradtape
from gradtape._version import __version__

PACKAGE = pathlib.Path(gradtape.__file__).parent
ROOT = PACKAGE.parents[1]

# From the ground up. A file imports from its own floor and from those below; what is not listed is a face, on
# top.
FLOORS = ["ground", "primitives", "core", "gradient", "engines", "tracing", "faces"]
BELOW_THE_FACES = {
    "numpy",
    "scipy",
    "ml_dtypes",
    "llvmlite",  # engines only
}  # the third-party packages that the floors below the faces may use


def floor(module: str) -> int:
    """The floor of ``gradtape.x.y``."""
    part = module.split(".")[1] if "." in module else "faces"
    if part == "_version":  # a number that stands on nothing
        return 0
    return FLOORS.index(part) if part in FLOORS else FLOORS.index("faces")


def is_module(name: str, package: pathlib.Path) -> bool:
    path = package.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(tree: ast.AST, module: str, package: pathlib.Path):
    """(line, absolute name of the module) of each import in a file, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")[: -node.level]
                base = ".".join(parts + ([node.module] if node.module else []))
            if base.split(".")[0] != "gradtape":
                yield node.lineno, base
                continue
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if is_module(inner, package) else base


def violations(package: pathlib.Path):
    """Each import that breaks the floors, as ``file:line: what``."""
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package.parent)
        own = ".".join(relative.with_suffix("").parts)  # a package's own name ends in .__init__, so dots count alike
        for line, name in imports(ast.parse(path.read_bytes()), own, package):
            top = name.split(".")[0]
            if top == "gradtape":
                if floor(name) > floor(own):
                    on, to = FLOORS[floor(own)], FLOORS[floor(name)]
                    yield f"{relative}:{line}: {on} imports {name}, which stands on {to}"
            elif floor(own) < FLOORS.index("faces") and top not in sys.stdlib_module_names | BELOW_THE_FACES:
                yield f"{relative}:{line}: {FLOORS[floor(own)]} imports {top}"


def test_every_file_imports_only_from_its_own_floor_and_below():
    assert list(violations(PACKAGE)) == []


def test_the_floors_test_finds_violations(tmp_path):
    files = {
        "__init__.py": "from .core import tensor\nimport gradtape.primitives\nimport click",
        "ground/__init__.py": "",
        "ground/shapes.py": "import numpy as np\nfrom .. import core",
        "primitives/a.py": "from ..ground import shapes\nfrom ..gradient.tape import Tape",
        "core/__init__.py": "def f():\n    import gradtape as tf",
        "core/tensor.py": "from ..primitives import x\nfrom . import state\nimport os.path\nimport pandas.a",
        "gradient/tape.py": "from ..math import sin\nfrom ..core import tensor",
        "math.py": "from .gradient import tape",
    }
    for name, text in files.items():
        path = tmp_path / "gradtape" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(violations(tmp_path / "gradtape")) == [
        "gradtape/core/__init__.py:2: core imports gradtape, which stands on faces",
        "gradtape/core/tensor.py:4: core imports pandas",
        "gradtape/gradient/tape.py:1: gradient imports gradtape.math, which stands on faces",
        "gradtape/ground/shapes.py:2: ground imports gradtape.core, which stands on core",
        "gradtape/primitives/a.py:2: primitives imports gradtape.gradient.tape, which stands on gradient",
    ]


def test_every_folder_of_the_package_has_its_floor():
    folders = {
        path.name
        for path in PACKAGE.iterdir()
        if path.is_dir() and path.name.isidentifier() and path.name != "__pycache__"
    }
    assert folders - set(FLOORS) <= {
        "cli", "explain", "images", "keras", "linalg", "neural", "numeric", "random", "saving", "spectral", "symbolic",
    }, "say on which floor a new folder stands"  # fmt: skip


def test_import_loads_nothing_heavy():
    code = (
        "import sys, json, numpy; before = {*sys.modules}; import gradtape; "
        "print(json.dumps([*{*sys.modules} - before]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.split(".")[0] for module in json.loads(run.stdout)}
    assert {"gradtape", "ml_dtypes"} <= loaded  # the test itself works
    heavy = {
        "scipy",
        "click",
        "typer",
        "sklearn",
        "matplotlib",
        "tqdm",
        "pandas",
        "llvmlite",
        "inspect",
        "dataclasses",
    }
    assert loaded & heavy == set()


@pytest.fixture(scope="module")
def pyproject():
    path = ROOT / "pyproject.toml"
    if not path.is_file():
        pytest.skip("not run from a checkout")
    return tomllib.loads(path.read_text())


def test_versions_agree(pyproject):
    assert "version" in pyproject["project"]["dynamic"]
    assert gradtape.__version__ == __version__
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()


def test_what_the_command_imports_is_a_dependency(pyproject):
    """After a plain ``pip install gradtape`` the command works: what it imports is a dependency."""
    names = {d.partition(">=")[0].replace("-", "_").lower() for d in pyproject["project"]["dependencies"]}
    optional = {"matplotlib"}  # figures.py, which matplotlib itself loads
    for path in (PACKAGE / "cli").glob("*.py"):
        for line, name in imports(ast.parse(path.read_bytes()), f"gradtape.cli.{path.stem}", PACKAGE):
            top = name.split(".")[0]
            allowed = sys.stdlib_module_names | names | {"gradtape"} | (optional if path.stem == "figures" else set())
            assert top in allowed, f"{path}:{line}"


def test_every_dependency_is_pinned(pyproject):
    lines = (ROOT / "constraints.txt").read_text().split()
    pinned = {line.partition("==")[0].replace("-", "_").lower() for line in lines}
    assert all(line.count("==") == 1 and "/" not in line for line in lines)
    wanted = [
        *pyproject["project"]["dependencies"],
        *(w for extra in pyproject["project"]["optional-dependencies"].values() for w in extra),
    ]
    assert {w.partition(">=")[0].replace("-", "_").lower() for w in wanted} <= pinned


def test_the_list_of_operations_is_up_to_date():
    script = ROOT / "tools" / "operations.py"
    if not script.is_file():
        pytest.skip("not run from a checkout")
    run = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert run.returncode == 0, f"python tools/operations.py writes it anew\n{run.stderr}"
