"""The command line: help, version, info, and how the demo is called."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from gradtape._version import __version__
from gradtape.cli.app import app
from gradtape.primitives import complete


@pytest.fixture
def invoke():
    return lambda *args: CliRunner().invoke(app, args, prog_name="gradtape")


def test_version(invoke):
    result = invoke("--version")
    assert (result.exit_code, result.output) == (0, f"gradtape {__version__}\n")


@pytest.mark.parametrize("command", [(), ("run",), ("demo",), ("info",)])
def test_help_says_what_each_command_does(invoke, command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0 and result.output.startswith(f"Usage: {' '.join(['gradtape', *command])} [OPTIONS]")
    if not command:
        assert all(f"\n  {name} " in result.output for name in ("run", "demo", "info"))
    assert invoke(*command, "-h").output == result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run"], "Missing argument 'FILE'"),
        (["run", "--frobnicate", "x.py"], "--frobnicate"),
        (["run", "x.ipynb", "--save"], "--save"),
        (["demo", "--epochs", "0"], "0 is not in the range x>=1"),
        (["demo", "--epochs", "many"], "'many' is not a valid integer"),
        (["demo", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["demo", "--learning-rate", "0"], "0.0 is not in the range x>0"),
    ],
)
def test_wrong_command_lines(invoke, arguments, words):
    result = invoke(*arguments)
    assert result.exit_code == 2 and words in result.output


def test_info(invoke):
    result = invoke("info")
    assert result.exit_code == 0
    lines = dict(line.split(": ", 1) for line in result.output.splitlines())
    assert lines["gradtape"].startswith(__version__ + " (")
    assert int(lines["primitives"]) == len(complete()) > 0
    assert lines["numpy"] == np.__version__
    assert lines["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert "BLAS of numpy" in lines and "vector instructions that numpy uses" in lines and "matplotlib" in lines


def test_info_says_what_is_not_installed(invoke, monkeypatch):
    from gradtape.cli import info

    monkeypatch.setitem(info.OPTIONAL, "gradtape-no-such-package", "nothing")
    assert "gradtape-no-such-package: not installed (optional, for nothing)" in invoke("info").output


def test_demo_passes_on_what_was_given(invoke, monkeypatch):
    import gradtape.demo

    seen = []
    monkeypatch.setattr(gradtape.demo, "main", lambda **options: seen.append(options))
    assert invoke("demo").exit_code == 0
    invoke(
        "demo",
        "--epochs",
        "3",
        "--batch-size",
        "8",
        "--learning-rate",
        ".1",
        "--out",
        "d",
        "--seed",
        "0",
        "--quiet",
    )
    assert seen == [
        {},
        {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, "out": "d", "seed": 0, "quiet": True},
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModuleNotFoundError("the demo needs x"), 2),
        (PermissionError(13, "denied"), 2),
        (FloatingPointError("nan"), 1),
    ],
)
def test_what_stops_the_demo_is_said_in_one_line(invoke, monkeypatch, error, status):
    import gradtape.demo

    def fails():
        raise error

    monkeypatch.setattr(gradtape.demo, "main", fails)
    result = invoke("demo")
    assert result.exit_code == status and result.output.count("\n") == 1 and str(error) in result.output


def test_demo_offers_what_the_demo_takes():
    import inspect

    import gradtape.demo

    parameters = inspect.signature(gradtape.demo.main).parameters
    assert {p.name for p in app.commands["demo"].params} <= set(parameters)


def test_the_installed_command_is_this_one():
    from importlib.metadata import PackageNotFoundError, entry_points, version

    try:
        version("gradtape")
    except PackageNotFoundError:
        pytest.skip("gradtape is not installed here, only on the path")
    (entry,) = entry_points(group="console_scripts", name="gradtape")
    assert entry.value == "gradtape.cli:main"


def test_module_and_bare_command_show_help(gradtape_command):
    process = gradtape_command()
    assert process.returncode == 2 and process.stderr.startswith("Usage: python -m gradtape [OPTIONS] COMMAND")
    assert gradtape_command("--version").stdout == f"gradtape {__version__}\n"


def test_the_command_starts_without_the_heavy_packages():
    code = (
        "import sys, gradtape.cli.app; "
        "print([m for m in ('scipy', 'matplotlib', 'sklearn', 'pandas', 'typer') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
