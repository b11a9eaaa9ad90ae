"""Graphs written as JSON: rows by name, attributes with their types, constants beside them as tensors.

What JSON has no word for is an object of one entry, whose key says what it is: ``{"f": "0x1.8p+1"}`` is a float (exact), ``{"t": [...]}`` a
tuple, ``{"dt": "float32"}`` a dtype, ``{"g": {...}}`` a graph ... Reading makes data of it and nothing else: rows are looked up in the table,
functions in the register of those that may be called later, classes in short lists. There is no way to name anything else, and no code.
"""

from __future__ import annotations

import builtins
import importlib
import os
import re
import sys
from collections import namedtuple
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..ground import errors
from ..ground.dtypes import BY_NAME, DType, of_numpy, string
from ..ground.errors import DataLossError, OpError, UnimplementedError
from ..ground.graph import Graph, Node, Value
from ..ground.primitive import TABLE, Aval, Primitive
from ..ground.shapes import TensorShape
from ..printing import _HERE
from ..tracing import control_rows, dynamic, outside, staging, tensor_array
from ..tracing.late import LateCall
from ..tracing.signature import TensorSpec

_ = control_rows, dynamic, staging, tensor_array  # their rows

_CLASSES = {"Taps": ("gradtape.primitives.image", ("key", "columns", "index", "weight"))}  # attributes that are objects
_MODULE = re.compile(r"gradtape(\.\w+)+")
_PYTHON_ROWS = (outside.py_row.name, outside.numpy_row.name)
_EFFECTS = ("print", "assert", "assert_that", "raise")  # what a loaded program may do beside computing


class NotExportable(ValueError):
    """A traced function holds something that only the program which traced it has."""


def damaged(what: str) -> DataLossError:
    """The error for a file that says what no version writes."""
    return DataLossError(f"The saved model is damaged: {what}.")


class Writer:
    """Writes values and graphs; their arrays are collected in ``tensors``."""

    def __init__(self) -> None:
        self.tensors: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._held: list[Any] = []  # so that no identity is used twice

    def array(self, a: Any) -> str:
        """The name under which the array ``a`` is kept."""
        if id(a) not in self._names:
            self._names[id(a)] = name = f"constant/{len(self._names)}"
            self.tensors[name] = a
            self._held.append(a)
        return self._names[id(a)]

    def constant(self, a: Any) -> dict[str, Any]:
        """An array or scalar of a graph."""
        if isinstance(a, bytes):
            return {"n": ["string", a.hex()]}
        if np.ndim(a):
            return {"c": self.array(a)}
        return {"n": [of_numpy[np.asarray(a).dtype].name, np.asarray(a).tobytes().hex()]}

    def value(self, x: Any) -> Any:
        """An attribute, or a part of arguments and results.

        Raises:
            NotExportable: it has no notation.
        """
        t = type(x)
        if x is None or t is bool or t is int or t is str:
            return x
        if t is float:
            return {"f": x.hex()}
        if t is tuple:
            return {"t": [self.value(v) for v in x]}
        if t is list:
            return {"l": [self.value(v) for v in x]}
        if isinstance(x, dict):
            return {"d": [[self.value(k), self.value(v)] for k, v in x.items()]}
        if t is complex:
            return {"z": [x.real.hex(), x.imag.hex()]}
        if t is bytes:
            return {"b": x.hex()}
        if t is DType:
            return {"dt": x.name}
        if t is slice:
            return {"s": [self.value(v) for v in (x.start, x.stop, x.step)]}
        if t is Aval:
            return {"a": self.aval(x)}
        if t is Graph:
            return {"g": self.graph(x)}
        if t is Primitive:
            return {"p": x.name}
        if t is TensorShape:
            return {"ts": None if x.rank is None else list(x)}
        if t is TensorSpec:
            return {"spec": [None if x.shape.rank is None else list(x.shape), x.dtype.name, x.name]}
        if isinstance(x, np.ndarray | np.generic) and x.dtype in of_numpy:
            return self.constant(x)
        if t is Tensor:
            return {"x": self.constant(x._a)}
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return {"nt": [t.__module__, t.__name__, [[k, self.value(v)] for k, v in zip(x._fields, x, strict=True)]]}
        if t is LateCall:
            return {"call": self._call(x)}
        if x is _HERE:
            return {"here": 0}
        if x is sys.stdout or x is sys.stderr:
            return {"io": "stdout" if x is sys.stdout else "stderr"}
        if isinstance(x, BaseException):
            return {"e": _error_name(x)}
        if t.__name__ in _CLASSES and t.__module__ == _CLASSES[t.__name__][0]:
            return {"o": [t.__name__, [self.value(getattr(x, k)) for k in _CLASSES[t.__name__][1]]]}
        raise NotExportable(f"{_short(x)} ({t.__name__}) cannot be written to a file")

    def _call(self, x: LateCall) -> dict[str, Any]:
        module, name = x.f.__module__, x.f.__qualname__
        if "<locals>" in name or _sized(module, name) is not x.f:
            raise NotExportable(
                f"{x!r} is called when the program runs, and is no public function that could be found by its name"
            )
        return {"f": [module, name], "form": self.value(_formed(x.form)), "leaves": [self.value(v) for v in x.leaves], "at": list(x.at)}  # fmt: skip

    def aval(self, a: Aval) -> list:
        """Dtype and shape."""
        return [a.dtype.name, list(a.shape)]

    def graph(self, g: Graph) -> dict[str, Any]:
        """A graph: each value has a number, inputs first, then outputs of nodes in order.

        Raises:
            NotExportable: an attribute has no notation, or a node calls Python.
        """
        number = {id(v): i for i, v in enumerate(g.inputs)}

        def ref(v: Value) -> Any:
            n = number.get(id(v))
            return n if n is not None else [self.constant(v.const), self.aval(v.aval)]

        nodes = []
        for n in g.nodes:
            try:
                nodes.append(self._node(n, [ref(v) for v in n.ins]))
            except NotExportable as e:
                where = (
                    f" (line {n.line[1]} of {os.path.basename(n.line[0])})"
                    if n.line and " (line " not in str(e)
                    else ""
                )
                raise NotExportable(f"{e}{where}") from None
            for v in n.outs:
                number[id(v)] = len(number)
        return {"name": g.name, "inputs": [self.aval(v.aval) for v in g.inputs], "nodes": nodes, "outputs": [ref(v) for v in g.outputs]}  # fmt: skip

    def _node(self, n: Node, ins: list) -> dict[str, Any]:
        if n.p.name in _PYTHON_ROWS:
            raise NotExportable(f"{n.p.name} calls Python, which a file does not hold")
        if n.p.effect and n.p.name not in _EFFECTS:
            raise NotExportable(f"{n.p.name} acts on something outside of the program")
        attrs = dict(n.attrs)
        if n.p.name == "print" and isinstance(attrs["stream"], str):
            raise NotExportable("tf.print to a file: a program that is loaded from a file must not write others")
        if n.p.name == "assert" and callable(attrs["message"]):
            attrs["message"] = str(attrs["message"]())
        out: dict[str, Any] = {"p": n.p.name, "in": ins, "out": [self.aval(v.aval) for v in n.outs]}
        if attrs:
            out["attrs"] = {k: self.value(v) for k, v in attrs.items()}
        if n.line:
            out["line"] = [os.path.basename(n.line[0]), n.line[1]]
        return out


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


def _formed(form: Any) -> Any:
    """The form of a call's arguments, with None for tensors in it."""
    if isinstance(form, dict):
        return {k: _formed(v) for k, v in form.items()}
    if isinstance(form, tuple) and hasattr(form, "_fields"):
        return type(form)(*[_formed(v) for v in form])
    if isinstance(form, list | tuple):
        return type(form)([_formed(v) for v in form])
    return None


def _error_name(x: BaseException) -> list:
    t = type(x)
    home = "errors" if isinstance(x, OpError) else "builtins"
    if getattr(errors if home == "errors" else builtins, t.__name__, None) is not t:
        home, t = "builtins", RuntimeError  # a class of the program's own
    return [home, t.__name__, str(x)]


def _sized(module: str, name: str) -> Any:
    """The public function of that name, if it is one that may be called when a program runs; None otherwise."""
    if not _MODULE.fullmatch(module):
        return None
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    return found if getattr(found, "sized", False) is True else None


# -- reading -------------------------------------------------------------------------------------------------------------------------


class Reader:
    """Reads what ``Writer`` has written.

    Args:
        tensor: gives the array of a name.
        made_by: the version that wrote it, for messages.
    """

    def __init__(self, tensor: Any, made_by: str) -> None:
        self._tensor, self._made_by = tensor, made_by
        self._arrays: dict[str, Any] = {}

    def constant(self, x: Any) -> Any:
        """An array or scalar of a graph."""
        [(kind, said)] = x.items()
        if kind == "c":
            if said not in self._arrays:
                a = self._arrays[said] = self._tensor(said)
                if isinstance(a, np.ndarray):
                    a.flags.writeable = False
            return self._arrays[said]
        if kind != "n":
            raise damaged(f"a constant of kind {kind!r}")
        name, text = said
        d = BY_NAME[name]
        return bytes.fromhex(text) if d is string else np.frombuffer(bytes.fromhex(text), d.np)[0]

    def value(self, x: Any) -> Any:
        """What was written by ``Writer.value``.

        Raises:
            DataLossError: it is nothing that is written so.
            UnimplementedError: it names something that this version does not have.
        """
        if x is None or isinstance(x, bool | int | str):
            return x
        if not isinstance(x, dict) or len(x) != 1:
            raise damaged(f"{_short(x)} stands for no value")
        [(kind, said)] = x.items()
        if kind == "f":
            return float.fromhex(said)
        if kind == "t":
            return tuple([self.value(v) for v in said])
        if kind == "l":
            return [self.value(v) for v in said]
        if kind == "d":
            return {self.value(k): self.value(v) for k, v in said}
        if kind == "z":
            return complex(*[float.fromhex(v) for v in said])
        if kind == "b":
            return bytes.fromhex(said)
        if kind == "dt":
            return self._dtype(said)
        if kind == "s":
            return slice(*[self.value(v) for v in said])
        if kind == "a":
            return self.aval(said)
        if kind == "g":
            return self.graph(said)
        if kind == "p":
            return self._row(said)
        if kind == "ts":
            return TensorShape(said)
        if kind == "spec":
            return TensorSpec(said[0], self._dtype(said[1]), said[2])
        if kind in ("c", "n"):
            return self.constant(x)
        if kind == "x":
            a = self.constant(said)
            return Tensor(a, string if isinstance(a, bytes) or a.dtype.kind == "O" else of_numpy[a.dtype])
        if kind == "nt":
            return self._named_tuple(*said)
        if kind == "call":
            return self._call(said)
        if kind == "here":
            return _HERE
        if kind == "io":
            return {"stdout": sys.stdout, "stderr": sys.stderr}[said]
        if kind == "e":
            return self._error(*said)
        if kind == "o":
            module, fields = _CLASSES[said[0]]
            if len(said[1]) != len(fields):
                raise damaged(f"a {said[0]} with {len(said[1])} parts")
            return getattr(importlib.import_module(module), said[0])(*[self.value(v) for v in said[1]])
        raise UnimplementedError(
            f"The saved model has a value of kind {kind!r}, which this gradtape does not know: it was saved by {self._made_by}."
        )

    def _dtype(self, name: str) -> DType:
        if name not in BY_NAME:
            raise UnimplementedError(
                f"The saved model has tensors of dtype {name!r}, which this gradtape does not know: it was saved by {self._made_by}."
            )
        return BY_NAME[name]

    def _row(self, name: Any) -> Primitive:
        row = TABLE[name] if isinstance(name, str) and _has(name) else None
        if row is None or row.name in _PYTHON_ROWS or (row.effect and row.name not in _EFFECTS):
            raise UnimplementedError(
                f"The saved model uses the operation {name!r}, which this gradtape does not have: it was saved by {self._made_by}."
            )
        return row

    def _named_tuple(self, module: str, name: str, fields: list) -> Any:
        keys, values = [k for k, _ in fields], [self.value(v) for _, v in fields]
        if re.fullmatch(r"gradtape\.primitives\.\w+", module):  # attributes of rows, such as a convolution's window
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and issubclass(found, tuple) and getattr(found, "_fields", None) == tuple(keys):
                return found(*values)
            raise UnimplementedError(
                f"The saved model has a {name}{keys}, which this gradtape does not know: it was saved by {self._made_by}."
            )
        return named_tuple(name, dict(zip(keys, values, strict=True)))

    def _call(self, said: dict) -> LateCall:
        module, name = said["f"]
        f = _sized(module, name)
        if f is None:
            raise UnimplementedError(
                f"The saved model calls {module}.{name}, which this gradtape does not have: it was saved by {self._made_by}."
            )
        return LateCall(
            f, self.value(said["form"]), [self.value(v) for v in said["leaves"]], [int(i) for i in said["at"]]
        )

    def _error(self, home: str, name: str, message: str) -> BaseException:
        found = getattr({"errors": errors, "builtins": builtins}[home], name, None)
        if not (isinstance(found, type) and issubclass(found, Exception)):
            raise damaged(f"an error of the class {name!r}")
        return found(message)

    def aval(self, said: list) -> Aval:
        """Dtype and shape."""
        name, shape = said
        if not all([d is None or (type(d) is int and d >= 0) for d in shape]):
            raise damaged(f"the shape {shape!r}")
        return Aval(tuple(shape), self._dtype(name))

    def graph(self, said: dict) -> Graph:
        """A graph, each node of which the table's shape rule agrees with."""
        values = [Value(self.aval(a)) for a in said["inputs"]]
        inputs = list(values)

        def get(ref: Any) -> Value:
            if type(ref) is int:
                if not 0 <= ref < len(values):
                    raise damaged(f"a value of number {ref} where there are {len(values)}")
                return values[ref]
            const, aval = ref
            return Value(self.aval(aval), const=self.constant(const))

        nodes = []
        for n in said["nodes"]:
            node = self._node(n, tuple([get(r) for r in n["in"]]))
            nodes.append(node)
            values += node.outs
        return Graph(inputs, [get(r) for r in said["outputs"]], nodes, str(said["name"]))

    def _node(self, n: dict, ins: tuple[Value, ...]) -> Node:
        p = self._row(n["p"])
        attrs = {str(k): self.value(v) for k, v in n.get("attrs", {}).items()}
        outs = [self.aval(a) for a in n["out"]]
        if not p.variadic and len(ins) != len(p.inputs):
            raise damaged(f"{p.name} of {len(ins)} inputs")
        if p.name == "print" and isinstance(attrs.get("stream"), str):
            raise damaged("tf.print to a file, which is never saved")
        try:
            says = p.shape(*[v.aval for v in ins], **attrs)
        except Exception as e:
            raise damaged(
                f"{p.name} does not take {', '.join(map(repr, [v.aval for v in ins]))} with {attrs}: {e}"
            ) from e
        says = list(says) if p.multi else [says]
        if len(says) != len(outs) or not all([_agree(a, b) for a, b in zip(says, outs, strict=True)]):
            raise damaged(f"{p.name} gives {says}, not {outs}")
        line = n.get("line")
        return Node(p, ins, attrs, outs, (str(line[0]), int(line[1])) if line else None)


def named_tuple(name: str, fields: dict[str, Any]) -> Any:
    """A named tuple of a class like the program's own, which is not here."""
    if (
        not all([isinstance(k, str) and k.isidentifier() and not k.startswith("_") for k in fields])
        or not name.isidentifier()
    ):
        raise damaged("a named tuple whose names are no names")
    return namedtuple(name, list(fields))(**fields)


def _has(name: str) -> bool:
    try:
        TABLE[name]
    except KeyError:
        return False
    return True


def _agree(a: Aval, b: Aval) -> bool:
    return a.dtype is b.dtype and len(a.shape) == len(b.shape) and all([None in (d, e) or d == e for d, e in zip(a.shape, b.shape, strict=True)])  # fmt: skip
