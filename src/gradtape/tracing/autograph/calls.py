"""What is called from converted code: user functions in their converted form, everything else as it is.

As they are go built-in functions and classes (a few are overloaded for staged values), and whatever comes from the
standard library, from gradtape, or from packages whose code never branches on our tensors. Other installed packages are
user code.
"""

from __future__ import annotations

import os
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from . import overloads

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# installed packages that run as they are: they know nothing of staged tensors, or ask for themselves (keras)
_AS_IS_PACKAGES = frozenset(
    [
        "_pytest",
        "absl",
        "cloudpickle",
        "dill",
        "gradtape",
        "h5py",
        "hypothesis",
        "IPython",
        "jax",
        "jaxlib",
        "joblib",
        "keras",
        "llvmlite",
        "matplotlib",
        "ml_dtypes",
        "mpl_toolkits",
        "networkx",
        "numba",
        "numpy",
        "optree",
        "pandas",
        "PIL",
        "pluggy",
        "psutil",
        "pytest",
        "scipy",
        "seaborn",
        "six",
        "skimage",
        "sklearn",
        "sympy",
        "tensorflow",
        "tensorboard",
        "torch",
        "tqdm",
        "typing_extensions",
        "wrapt",
        "xarray",
    ]
)
AS_IS = "__gradtape_as_is__"  # the attribute of functions that do_not_convert has marked
CONVERTED = "__gradtape_converted__"  # that of functions that were converted, for the result
CALLS_BACK = "__gradtape_calls_back__"  # that of library functions some of whose arguments are converted: their names


class Converted:
    """What a function was converted to, and what it was then.

    Kept by the function itself: an entry elsewhere would keep closures alive that hold the function.
    """

    __slots__ = ("closure", "code", "defaults", "function", "plain")

    def __init__(self, f: FunctionType, function: FunctionType | None) -> None:
        self.code, self.closure, self.defaults = f.__code__, f.__closure__, f.__defaults__
        self.function = function  # None if f runs as it is
        self.plain = self.closure is None and self.defaults is None  # so that only the code could have changed

    def __reduce__(self) -> Any:
        return _nothing, ()  # a copy of the function elsewhere is converted there

    def holds_for(self, f: FunctionType) -> bool:
        """Whether it is that of ``f`` as it is now: functools.wraps copies attributes, and functions can be changed."""
        return self.code is f.__code__ and self.closure is f.__closure__ and self.defaults is f.__defaults__


def _nothing() -> None:
    return None


_library: dict[str, bool] = {}


def is_library(file: str) -> bool:
    """Whether a source file belongs to gradtape, the standard library or an installed package that runs as it is."""
    known = _library.get(file)
    if known is None:
        # the folder of installed packages may lie in that of the standard library
        installed = max([file.rfind(part) + len(part) for part in _INSTALLED if part in file], default=0)
        package = file[installed:].split(os.sep)[0].removesuffix(".py")
        inside = package in _AS_IS_PACKAGES if installed else file.startswith((_STANDARD, "<frozen "))
        known = inside or file.startswith(_HOME)
        if len(_library) < 10_000:
            _library[file] = known
    return known


def as_is(f: Any) -> bool:
    """Whether ``f`` is called as it is."""
    t = type(f)
    if t is FunctionType:
        marks = f.__dict__
        return AS_IS in marks or (CALLS_BACK not in marks and is_library(f.__code__.co_filename))
    if t is MethodType:
        return as_is(f.__func__)
    if t is BuiltinFunctionType or isinstance(f, type):
        return not overloads.is_overloaded(f)
    if _is_partial(f):
        return as_is(f.func)
    method = getattr(t, "__call__", None)  # noqa: B004
    return not (type(method) is FunctionType and not as_is(method))


def _is_partial(f: Any) -> bool:
    t = type(f)
    return t.__name__ == "partial" and t.__module__ == "functools"


def call(f: Any) -> Any:
    """What to call in place of ``f``."""
    t = f.__class__
    if t is FunctionType:
        known = f.__dict__.get(CONVERTED)
        if known is not None and known.code is f.__code__ and (known.plain or known.holds_for(f)):
            return known.function or f
        return _function(f)
    if t is MethodType:
        function = f.__func__
        if type(function) is not FunctionType:
            return f
        new = call(function)
        return f if new is function else MethodType(new, f.__self__)
    if t is BuiltinFunctionType or t is type:
        return overloads.TABLE.get(f, f)
    return _object(f)


def _function(f: FunctionType) -> FunctionType:
    if "ag__" in f.__code__.co_freevars or as_is(f):
        return f
    if CALLS_BACK in f.__dict__:
        return _calling_back(f)
    from .conversion import or_as_it_is

    return or_as_it_is(f)


def _calling_back(f: FunctionType) -> Any:
    """What converted code calls in place of a library function that calls back: the arguments that are functions, or nests of them, are converted."""
    names = f.__dict__[CALLS_BACK]
    positions = {f.__code__.co_varnames.index(n) for n in names}

    def run(*args: Any, **kwargs: Any) -> Any:
        args = tuple([_functions(a) if i in positions else a for i, a in enumerate(args)])
        return f(*args, **{k: _functions(v) if k in names else v for k, v in kwargs.items()})

    f.__dict__[CONVERTED] = Converted(f, run)  # type: ignore[arg-type]
    return run


def _functions(x: Any) -> Any:
    """``x`` with the functions in it converted."""
    if type(x) in (list, tuple):
        return type(x)([_functions(y) for y in x])
    if type(x) is dict:
        return {k: _functions(y) for k, y in x.items()}
    return call(x) if callable(x) else x


def _object(f: Any) -> Any:
    """A partial, or an object with ``__call__``; for what cannot be called, f itself, so that Python says so."""
    if isinstance(f, type) or as_is(f):
        return f
    if _is_partial(f):
        return type(f)(call(f.func), *f.args, **f.keywords)
    method = type(f).__call__
    new = call(method)
    return f if new is method else MethodType(new, f)
