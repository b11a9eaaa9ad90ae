"""``gradtape compare``: finding the function and its point, and showing the comparison."""

from __future__ import annotations

import ast
import importlib
import inspect
import linecache
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .problems import Refusal, read_program, reason
from .redirect import LocalFinder, parse, take_over


def run_compare(
    what: str, at: str, *, name: str | None = None, order: int = 1, dtype: str | None = None, plot: str | None = None
) -> str:
    """The table as text; with ``plot`` the picture is written. Refusal where the function cannot be found, read or run."""
    point = parse_point(at)
    f = find_function(what, name)
    from gradtape.numeric import compare

    arguments = fitted(f, point)
    try:
        found = compare(f, *arguments, order=order, dtype=dtype)
    except (TypeError, ValueError, ArithmeticError) as problem:
        text = str(problem).partition("\n  at ")[0].strip()  # the line would be one of this program's own
        raise Refusal(f"{what}: {text}") from None
    if plot is not None:
        try:
            found.plot(plot)
        except ModuleNotFoundError as problem:
            raise Refusal(str(problem)) from None
        except OSError as problem:
            raise Refusal(f"cannot write {plot}: {reason(problem)}") from None
        except ValueError as problem:  # a format that matplotlib does not know
            raise Refusal(f"cannot write {plot}: {problem}") from None
    return str(found)


def parse_point(at: str) -> list[Any]:
    """The numbers and lists of numbers of ``"1.0, [2, 3]"``."""
    try:
        values = ast.literal_eval(f"[{at}]")
    except (SyntaxError, ValueError):
        values = None

    def good(v: Any) -> bool:
        if isinstance(v, list | tuple):
            return bool(v) and all([good(x) for x in v])
        return isinstance(v, int | float) and not isinstance(v, bool)

    if not values or not good(values):
        raise Refusal(
            f'the point {at!r} is no list of numbers: give one for each argument, as in --at "1.0,2.0", and "[1,2],[3,4]" for vectors'
        )
    return list(values)


def fitted(f: Callable, point: list[Any]) -> list[Any]:
    """The point as the function's arguments: for a function of one argument, several numbers are a vector."""
    try:
        ps = [
            p
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
        ]
    except (TypeError, ValueError):
        return point
    if any([p.kind is p.VAR_POSITIONAL for p in ps]):
        return point
    required = [p for p in ps if p.default is p.empty and p.name != "name"]
    if len(required) <= len(point) <= len(ps) and not (len(required) == 1 < len(point)):
        return point
    if len(required) <= 1 <= len(ps) and not any([isinstance(v, list | tuple) for v in point]):
        return [point]
    raise Refusal(
        f"the function takes {len(required)} argument{'s' if len(required) != 1 else ''} ({', '.join([p.name for p in ps])}), but the point has {len(point)}"
    )


def find_function(what: str, name: str | None) -> Callable:
    """The function in a file, by the name of a module and its own, or written out as a lambda."""
    if what.lstrip().startswith("lambda"):
        return _written(what.strip())
    if what.endswith(".py") or os.path.sep in what or os.path.isfile(what):
        return _chosen(_loaded(what), name, what)
    module, colon, rest = what.partition(":")
    if not colon:
        module, _, rest = what.rpartition(".")
    if not module or not rest:
        raise Refusal(
            f"{what} is neither a file nor a function: name a .py file, module:function, or write a function out, as in 'lambda x: tf.sin(x)'"
        )
    here = os.getcwd()
    sys.path.insert(0, here)
    finder = LocalFinder(here, "gradtape")  # a module that lies here may be written for tensorflow
    sys.meta_path.insert(0, finder)
    try:
        found: Any = importlib.import_module("gradtape" if module == "tf" else module)
        for part in rest.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as problem:
        raise Refusal(f"there is no {what}: {problem}") from None
    if not callable(found):
        raise Refusal(f"{what} is no function but a {type(found).__name__}")
    return found


def _written(text: str) -> Callable:
    import math

    import numpy

    import gradtape

    filename = "<the command line>"
    linecache.cache[filename] = (len(text), None, [text + "\n"], filename)
    names = {"tf": gradtape, "np": numpy, "numpy": numpy, "math": math, "gradtape": gradtape}
    try:
        return eval(compile(text, filename, "eval"), names)  # the user's own program, as python -c runs it
    except SyntaxError as problem:
        raise Refusal(f"{text!r} is no function: {problem.msg}") from None


def _loaded(path: str) -> ModuleType:
    """The file, run as a module with gradtape in tensorflow's place."""
    source = read_program(path)
    file = os.path.abspath(path)
    module = ModuleType(os.path.splitext(os.path.basename(path))[0])
    module.__file__ = file
    main = sys.modules["__main__"]
    take_over(file, [], "gradtape", main)  # its folder comes first where it imports; it is not the main program
    sys.modules[module.__name__] = module
    try:
        exec(compile(parse(source, file, "gradtape"), file, "exec", dont_inherit=True), vars(module))
    except Exception as problem:
        from .tracebacks import formatted

        sys.stderr.write("".join(formatted(problem, False)))
        raise Refusal(f"{path} ended with the error above before its function could be compared") from None
    return module


def _chosen(module: ModuleType, name: str | None, path: str) -> Callable:
    functions = {
        n: v
        for n, v in vars(module).items()
        if callable(v)
        and not n.startswith("_")
        and not isinstance(v, type)
        and getattr(v, "__module__", None) == module.__name__
    }
    if name is None and "f" not in functions and len(functions) == 1:
        return next(iter(functions.values()))
    found = getattr(module, name or "f", None)
    if not callable(found):
        there = f"it has {', '.join(functions)}" if functions else "it defines none"
        raise Refusal(f"{path} has no function {name or 'f'}: {there}" + ("; choose with --name" if functions else ""))
    return found
