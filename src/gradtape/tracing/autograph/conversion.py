"""From a Python function to its converted form, and the caches of both steps.

The transformed definition is compiled under the original file name with its original positions, as an inner function
of one whose parameters are the original's free variables. Only its code object is kept: the converted function is
made of it, the original's globals and defaults, and the original's own closure cells.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import re
import weakref
from types import CellType, CodeType, FunctionType
from typing import Any

from ...ground.errors import UnimplementedError
from . import calls, source
from .build import OPS, At, copied
from .expressions import Expressions
from .ir import PREFIX
from .messages import warn
from .names import is_generator
from .statements import Statements

_FACTORY = PREFIX + "factory"
_NOT_CONVERTED = 0x20 | 0x80 | 0x100 | 0x200  # code flags of generators and coroutines
_FUTURE = 0
for _name in __future__.all_feature_names:
    _FUTURE |= getattr(__future__, _name).compiler_flag

ops_cell = CellType()  # holds the operators, for all converted functions


class _Definitions:
    """Converts one function definition and those inside it."""

    def __init__(self, f: FunctionType, root: Any, readable: bool) -> None:
        self._file, self._globals = f.__code__.co_filename, f.__globals__
        self._locals = set(f.__code__.co_freevars) | _bound_anywhere(root)
        self._expr = Expressions(self._resolve, self.function, readable)

    def _resolve(self, name: str) -> Any:
        if name in self._locals:
            raise LookupError
        return self._globals[name] if name in self._globals else getattr(builtins, name, None)

    def function(self, node: Any) -> Any:
        """The converted form of a definition; those of generators, coroutines and classes stay as they are."""
        if isinstance(node, ast.Lambda):
            return self._expr(node)
        if not isinstance(node, ast.FunctionDef) or is_generator(node):
            return node
        before = self._expr.super_args
        first = [*node.args.posonlyargs, *node.args.args]
        self._expr.super_args = ("__class__", first[0].arg) if first else None
        described = (
            isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
            and isinstance(node.body[0].value.value, str)
        )
        body: list[Any] = node.body[1:] if described else node.body
        if body:
            body = Statements(node.args, body, self._expr, self._file, node.name).statements
        self._expr.super_args = before
        return copied(node, args=self._expr.defaults(node.args), body=[*node.body[:described], *body] or node.body)


def _bound_anywhere(root: ast.AST) -> set[str]:
    names = set()
    for n in ast.walk(root):
        if isinstance(n, ast.Name):
            if not isinstance(n.ctx, ast.Load):
                names.add(n.id)
        elif isinstance(n, ast.alias):
            names.add((n.asname or n.name).split(".")[0])
        else:
            for field in ("arg", "name", "rest"):
                value = getattr(n, field, None)
                if type(value) is str:
                    names.add(value)
    return names


def transformed(f: FunctionType, readable: bool = False) -> Any:
    """The transformed definition of ``f`` without decorators. Raises NoSource, UnimplementedError.

    ``readable`` leaves out what is there for speed only.
    """
    root = source.mangle(source.definition(f), source.class_of(f.__code__))
    node = _Definitions(f, root, readable).function(root)
    return node if isinstance(node, ast.Lambda) else copied(node, decorator_list=[])


# -- code ------------------------------------------------------------------------------------------------------------

# by the id of a code object: (a reference to it, what to run in its place)
_templates: dict[int, tuple[Any, CodeType | None]] = {}


def converted_code(f: FunctionType) -> CodeType | None:
    """The code that replaces that of ``f``; None if there is nothing to convert.

    Raises NoSource, UnimplementedError.
    """
    code = f.__code__
    known = _templates.get(id(code))
    if known is None:
        try:
            new = None if code.co_flags & _NOT_CONVERTED or OPS in code.co_freevars else _compile(f)
        except RecursionError:
            raise source.NoSource("it is nested too deeply") from None
        except SyntaxError as e:
            raise source.NoSource(f"gradtape failed on it (please report this: {e.msg}, line {e.lineno})") from None
        known = _remember(code, new)
    return known[1]


def _remember(code: CodeType, new: CodeType | None) -> tuple[Any, CodeType | None]:
    key = id(code)
    forget = _templates.pop  # the module may be gone when it is called
    entry = _templates[key] = (weakref.ref(code, lambda _: forget(key, None)), new)
    return entry


def _compile(f: FunctionType) -> CodeType | None:
    code, node = f.__code__, transformed(f)
    args = _bare(node.args)
    if isinstance(node, ast.Lambda):
        inner: ast.stmt = At(node).do(copied(node, args=args))
    else:
        # not under its own name, which would be taken for a variable of the factory
        inner = copied(
            node,
            name=PREFIX + "function",
            args=args,
            returns=None,
            **({"type_params": []} if hasattr(node, "type_params") else {}),
        )
    factory = At(node).function(_FACTORY, [OPS, *code.co_freevars], [inner])
    module = compile(
        ast.Module(body=[factory], type_ignores=[]),
        code.co_filename,
        "exec",
        flags=code.co_flags & _FUTURE,
        dont_inherit=True,
    )
    new = _inner(_inner(module))
    return _named(new, code.co_name, code.co_qualname) if OPS in new.co_freevars else None


def _bare(args: ast.arguments) -> ast.arguments:
    """Parameters without annotations and default values; the defaults are the original function's."""
    plain = lambda a: a and copied(a, annotation=None)
    none = ast.Constant(value=None, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
    return ast.arguments(
        posonlyargs=[plain(a) for a in args.posonlyargs],
        args=[plain(a) for a in args.args],
        vararg=plain(args.vararg),
        kwonlyargs=[plain(a) for a in args.kwonlyargs],
        kw_defaults=[d and none for d in args.kw_defaults],
        kwarg=plain(args.kwarg),
        defaults=[none for _ in args.defaults],
    )


def _inner(code: CodeType) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType))


_BODIES = re.compile(rf"\.{PREFIX}(then|else|rest|body)\.<locals>|\.<locals>\.{PREFIX}(then|else|rest|body)$")


def _named(code: CodeType, name: str, qualname: str) -> CodeType:
    """Code with the names that tracebacks and reprs would show for the original."""
    prefix = code.co_qualname
    rename = lambda text: qualname + _BODIES.sub("", text[len(prefix) :]) if text.startswith(prefix) else text

    def fix(c: CodeType, around: str) -> CodeType:
        own = around if c.co_name.startswith(PREFIX) else c.co_name
        consts = tuple(
            [
                fix(k, own) if isinstance(k, CodeType) else rename(k) if type(k) is str and k.startswith(prefix) else k
                for k in c.co_consts
            ]
        )
        return c.replace(co_consts=consts, co_name=own, co_qualname=rename(c.co_qualname))

    return fix(code, name)


# -- functions -------------------------------------------------------------------------------------------------------


def converted_function(f: FunctionType) -> FunctionType:
    """The function that runs in place of ``f``, with its globals, defaults and closure cells.

    Raises NoSource, UnimplementedError.
    """
    known = f.__dict__.get(calls.CONVERTED)
    if known is not None and known.holds_for(f):
        return known.function or f
    code = converted_code(f)
    new = None if code is None else _function(code, f)
    f.__dict__[calls.CONVERTED] = calls.Converted(f, new)
    return new or f


def _function(code: CodeType, f: FunctionType) -> FunctionType:
    cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
    cells[OPS] = ops_cell
    new = FunctionType(code, f.__globals__, f.__name__, f.__defaults__, tuple([cells[n] for n in code.co_freevars]))
    new.__dict__.update({k: v for k, v in f.__dict__.items() if k != calls.CONVERTED})
    new.__kwdefaults__, new.__doc__ = f.__kwdefaults__, f.__doc__
    new.__qualname__, new.__module__ = f.__qualname__, f.__module__
    return new


def or_as_it_is(f: FunctionType) -> FunctionType:
    """``converted_function``, or ``f`` with a warning, given once for each function, where that is not possible."""
    try:
        return converted_function(f)
    except source.NoSource as e:
        why, silent = str(e), not _has_jumps(f.__code__)
    except UnimplementedError as e:
        why, silent = str(e), False
    _remember(f.__code__, None)
    if not silent:
        warn(
            f"{f.__qualname__} is not converted; it runs as plain Python, where control flow that depends on a staged "
            f"tensor is an error (@tf.autograph.experimental.do_not_convert says that this is meant). The reason: {why}"
        )
    return f


def _has_jumps(code: CodeType) -> bool:
    """Whether there is any control flow that conversion would have changed."""
    import dis

    jumps = {*dis.hasjrel, *dis.hasjabs}
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return any([op in jumps for op in code.co_code[::2]]) or any([_has_jumps(c) for c in inner])
