"""The transformer needs the standard library alone: where gradtape's dependencies are missing, it is tested by itself."""

import importlib
import pathlib
import sys
import types

import pytest

SOURCES = pathlib.Path(__file__).parents[3] / "src"

try:
    importlib.import_module("gradtape.tracing.autograph")
except ImportError:
    for name in [m for m in sys.modules if m.split(".")[0] == "gradtape"]:
        del sys.modules[name]
    for name in ("gradtape", "gradtape.tracing"):
        package = types.ModuleType(name)
        package.__path__ = [str(SOURCES.joinpath(*name.split(".")))]
        sys.modules[name] = package

    @pytest.fixture(autouse=True)
    def _quiet():
        """In the place of the fixture for all tests, which needs NumPy."""
