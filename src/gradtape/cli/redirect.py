"""Giving a program gradtape where it imports tensorflow, and nobody else.

Only source that the user wrote is redirected: the program itself, and modules that lie in its folder. The
import statements are changed in the syntax tree, which is then compiled under the original file name, so
tracebacks, ``inspect.getsource``, debuggers and coverage show the user's text. Libraries that import
tensorflow for themselves find the real one, or none.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

REPLACED = "tensorflow"
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # where gradtape itself lies


def parse(source: str | bytes, filename: str, module: str, flags: int = 0) -> ast.Module:
    """The syntax tree of ``source``, its imports of tensorflow made imports of ``module``.

    Raises SyntaxError as ``compile`` does.
    """
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            node.names = [new for alias in node.names for new in _redirected(alias, module)]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            node.module = _renamed(node.module, module) or node.module
    return tree


def _renamed(name: str, module: str) -> str | None:
    """``tensorflow.keras`` -> ``gradtape.keras``; None for a name that is not tensorflow's."""
    top, dot, rest = name.partition(".")
    return module + dot + rest if top == REPLACED else None


def _redirected(alias: ast.alias, module: str) -> list[ast.alias]:
    new = _renamed(alias.name, module)
    if new is None:
        return [alias]
    if alias.asname:
        return [ast.copy_location(ast.alias(new, alias.asname), alias)]
    # `import tensorflow.keras` imports the submodule, but binds the name of the package.
    names = [module] if new == module else [new, module]
    return [ast.copy_location(ast.alias(name, REPLACED), alias) for name in names]


@functools.cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {os.path.realpath(paths[key]) + os.sep for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    return (*folders, os.path.realpath(PACKAGE) + os.sep)


@functools.lru_cache(maxsize=1024)
def is_library(filename: str) -> bool:
    """Whether a source file is Python's, an installed package's or gradtape's, and not the user's."""
    if filename.startswith("<"):  # made by exec: a notebook's cell, or a module frozen into Python
        return filename.startswith("<frozen ")
    real = os.path.realpath(filename)
    installed = not {"site-packages", "dist-packages"}.isdisjoint(real.split(os.sep))
    return installed or real.startswith(_library_folders())


class RedirectingLoader(SourceFileLoader):
    """Loads a module of the user's with its imports redirected; does not touch ``__pycache__``."""

    def __init__(self, name: str, path: str, module: str) -> None:
        super().__init__(name, path)
        self.module = module

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(parse(self.get_data(path), path, self.module), path, "exec", dont_inherit=True)


class LocalFinder:
    """Finds, for ``sys.meta_path``, the modules and packages that lie in the program's own folder."""

    def __init__(self, folder: str, module: str) -> None:
        self.folder = os.path.realpath(folder) + os.sep
        self.module = module

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._lies_here(name.partition(".")[0]):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or spec.origin is None:
            return None
        if not os.path.realpath(spec.origin).startswith(self.folder) or is_library(spec.origin):
            return None
        loader: Any = RedirectingLoader(name, spec.origin, self.module)
        return importlib.util.spec_from_file_location(
            name, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
        )

    def _lies_here(self, top: str) -> bool:
        return os.path.isfile(self.folder + top + ".py") or os.path.isdir(self.folder + top)


def take_over(program: str, argv: Sequence[str], module: str, main: ModuleType) -> None:
    """Make this process the program's.

    Sets ``__main__``, ``sys.argv`` and ``sys.path[0]`` as Python would, and redirects imports from now on.
    """
    folder = os.path.dirname(os.path.realpath(program))
    # What starting *this* command put first: the current directory, or that of the installed command.
    ours = {"", os.getcwd(), os.path.dirname(os.path.realpath(sys.argv[0]))}
    if not sys.flags.safe_path and sys.path and sys.path[0] in ours:
        del sys.path[0]
    sys.path.insert(0, folder)
    sys.argv[:] = [program, *argv]
    sys.modules["__main__"] = main
    if module != REPLACED:
        # Before the path is searched, but after built-in and frozen modules, which a file of the same name
        # does not hide.
        at = next((i for i, finder in enumerate(sys.meta_path) if finder is PathFinder), len(sys.meta_path))
        sys.meta_path.insert(at, LocalFinder(folder, module))
