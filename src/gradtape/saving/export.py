"""``tf.saved_model``: an object with its variables and traced functions in one file, which loads where its Python classes are not known."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Mapping
from typing import Any

from .._version import __version__
from ..core.state import state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..ground.dtypes import of_numpy, string
from ..ground.errors import DataLossError, NotFoundError, OpError
from ..ground.shapes import TensorShape
from ..module import Module
from ..random import Generator
from ..tracing.concrete import ConcreteFunction
from . import functions, notation, objects, store
from .functions import RestoredFunction, is_exportable

KIND = "saved model"
FILE = "saved_model" + store.SUFFIX
DEFAULT_SERVING_SIGNATURE_DEF_KEY = "serving_default"
SERVING = "serve"


# -- saving ------------------------------------------------------------------------------------------------------------------------------


def _parts(x: Any) -> dict[str, Any]:
    """What a saved model keeps of an object, by name: parts that a checkpoint keeps, tensors, and functions, also those of its class."""
    if isinstance(x, Variable | Tensor) or is_exportable(x):
        return {}
    named = {str(k): v for k, v in objects._named(x).items()}
    if not objects.is_container(x):
        for t in reversed(type(x).__mro__):
            for name, v in vars(t).items():
                if hasattr(v, "get_concrete_function") and hasattr(v, "__get__"):
                    named.setdefault(name, getattr(x, name))
    out = {}
    for k, v in named.items():
        variable = objects.variable_of(v)
        v = v if variable is None else variable
        if (type(v) is Tensor or is_exportable(v) or objects.is_trackable(v)) and not k.startswith("_TF_MODULE"):
            out[k] = v
    return out


def _kind_of(x: Any) -> str:
    if isinstance(x, Variable):
        return "variable"
    if isinstance(x, Tensor):
        return "tensor"
    if isinstance(x, ConcreteFunction):
        return "concrete"
    if is_exportable(x):
        return "function"
    if isinstance(x, Mapping):
        return "dict"
    if isinstance(x, tuple):
        return "namedtuple" if hasattr(x, "_fields") else "tuple"
    return "list" if isinstance(x, list) else "object"


_CAPTURED = ("_captured",)


class _Export:
    """What is being saved: objects with their numbers, and the writer of graphs and tensors."""

    def __init__(self, root: Any) -> None:
        self.writer = notation.Writer()
        self.listed: list[dict[str, Any]] = []
        self._number: dict[int, int] = {}
        self._objects: list[Any] = []
        self._queue: deque[tuple[int, tuple[str, ...]]] = deque()
        self._functions: list[tuple[int, Any]] = []
        self.captured: list[int] = []  # variables that functions use and that nothing else leads to
        self.number(root, ())
        while self._queue:
            n, path = self._queue.popleft()
            for name, part in _parts(self._objects[n]).items():
                self.listed[n].setdefault("children", {})[name] = self.number(part, (*path, name))
        for n, f in self._functions:
            told = (
                functions.write_function(f, self.writer, self.number)
                if not isinstance(f, RestoredFunction)
                else self._again(f)
            )
            self.listed[n].update(told)

    def number(self, x: Any, path: tuple[str, ...] = ("_captured",)) -> int:
        """The number of an object, which is listed if it is new."""
        x = self._canonical(x)
        n = self._number.get(id(x))
        if n is None:
            n = self._number[id(x)] = len(self.listed)
            self._objects.append(x)
            if path == _CAPTURED:
                self.captured.append(n)
            kind = _kind_of(x)
            entry: dict[str, Any] = {"kind": kind}
            self.listed.append(entry)
            if kind == "variable":
                spec = (
                    None if x._shape_spec is None else [None] if x._shape_spec.rank is None else [list(x._shape_spec)]
                )
                entry.update(
                    value=f"variable/{n}/" + "/".join(map(objects.escaped, path)),
                    name=x.name[:-2],
                    trainable=x.trainable,
                    spec=spec,
                )
                self.writer.tensors[entry["value"]] = x._t._a
            elif kind == "tensor":
                entry["value"] = self.writer.array(x._a)
            elif kind in ("function", "concrete"):
                self._functions.append((n, x))
            else:
                entry["class"] = type(x).__name__
                if kind == "object" and type(x).__module__.startswith("gradtape.random"):
                    entry.update(kind="generator", alg=x.algorithm)
                self._queue.append((n, path))
        return n

    def _canonical(self, x: Any) -> Any:
        """The same object for each of the bound methods that Python makes of a function and an object."""
        if hasattr(x, "__func__") and hasattr(x, "__self__"):
            for y in self._objects:
                if getattr(y, "__func__", None) is x.__func__ and y.__self__ is x.__self__:
                    return y
        return x

    def _again(self, f: RestoredFunction) -> dict[str, Any]:
        """A function that was itself loaded."""
        ps = (
            None
            if f._signature is None
            else [functions._parameter(p, self.writer) for p in f._signature.parameters.values()]
        )
        traces = [functions.write_concrete(c, self.writer, self.number) for c in f.concrete_functions]
        return {"name": f.name, "doc": f.__doc__, "parameters": ps, "traces": traces, "left_out": f.left_out}


def _concrete_signature(f: Any) -> ConcreteFunction:
    """The one trace that a signature is made of.

    Raises:
        ValueError: ``f`` is no function with a known signature.
    """
    if isinstance(f, ConcreteFunction):
        return f
    if isinstance(f, RestoredFunction) and len(f.concrete_functions) == 1:
        return f.concrete_functions[0]
    if is_exportable(f) and getattr(f, "_input_signature", None) is not None:
        return f.get_concrete_function()
    raise ValueError(
        f"Expected a TensorFlow function for which to generate a signature, but got {f!r}. Only `tf.functions` with an input signature or concrete functions can be used as a signature."
    )


def _signatures(obj: Any, given: Any) -> dict[str, ConcreteFunction]:
    if given is None:  # the one function of the object itself that has a signature, where there is one
        possible = []
        for part in _parts(obj).values():
            if is_exportable(part):
                try:
                    c = _concrete_signature(part)
                    functions.signature_of(c)
                    functions.write_concrete(c, notation.Writer(), lambda v: 0)
                    possible.append(c)
                except ValueError:
                    continue
        return {DEFAULT_SERVING_SIGNATURE_DEF_KEY: possible[0]} if len(possible) == 1 else {}
    if not isinstance(given, Mapping):
        given = {DEFAULT_SERVING_SIGNATURE_DEF_KEY: given}
    found = {str(k): _concrete_signature(f) for k, f in given.items()}
    for c in found.values():
        functions.signature_of(c)  # raises the user's error
    return found


class SaveOptions:
    """Accepted where TensorFlow takes options of saving; none of them changes what gradtape does."""

    def __init__(self, **options: Any) -> None:
        vars(self).update(options)


class LoadOptions(SaveOptions):
    """Accepted where TensorFlow takes options of loading; none of them changes what gradtape does."""


def save(obj: Any, export_dir: Any, signatures: Any = None, options: SaveOptions | None = None) -> None:
    """Save an object with its variables and traced functions, to be loaded without its Python source.

    Args:
        obj: a ``tf.Module`` or other trackable object. Kept are variables, tensors, functions made by ``tf.function`` with the traces that they
            have (one with an ``input_signature`` is traced now if it was not), and what leads to them: modules, lists, tuples, dicts.
        export_dir: the directory, which is made if need be. It will hold one file, ``saved_model.safetensors``; one that was there is replaced
            at once when the new one is whole.
        signatures: a function with an ``input_signature``, a concrete function, or a dict of such by name: entry points that take
            tensors by name and return dicts of tensors. None: the one function of ``obj`` with an ``input_signature``, if it has one.
        options: accepted for TensorFlow's sake.

    Raises:
        ValueError: ``obj`` is not trackable; a signature is no function with a known signature; it, or a concrete function, cannot be written
            (it calls Python, say).
        OSError: the file could not be written.

    >>> import gradtape as tf, tempfile
    >>> class Line(tf.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.a = tf.Variable(2.0)
    ...     @tf.function(input_signature=[tf.TensorSpec([None])])
    ...     def __call__(self, x):
    ...         return self.a * x
    >>> path = tempfile.mkdtemp()
    >>> tf.saved_model.save(Line(), path)
    >>> tf.saved_model.load(path)(tf.constant([1.0, 3.0])).numpy().tolist()
    [2.0, 6.0]
    """
    if state.trace is not None:
        raise NotImplementedError(
            "tf.saved_model.save is not supported inside a tf.function: variables have no value while it is traced."
        )
    if objects.is_container(obj) or not objects.is_trackable(obj) or isinstance(obj, Tensor):
        raise ValueError(
            f"Expected an object of type `Trackable`, such as `tf.Module` or a subclass of the `Trackable` class, for export. Got {obj!r} with type {type(obj)}."
        )
    entries = _signatures(obj, signatures)
    export = _Export(obj)
    told = {name: functions.write_concrete(c, export.writer, export.number) for name, c in entries.items()}
    program = json.dumps(
        {"objects": export.listed, "captured": export.captured, "signatures": told}, separators=(",", ":")
    )
    tensors = {"program": program.encode(), **export.writer.tensors}
    store.write(
        os.path.join(os.fspath(export_dir), FILE), tensors, {"kind": KIND, "made_by": f"gradtape {__version__}"}
    )


# -- loading -----------------------------------------------------------------------------------------------------------------------------


class LoadedObject(Module):
    """What ``tf.saved_model.load`` makes of an object: the same attributes, functions in place of its traced methods.

    Attributes:
        signatures: for the object that was saved itself, its entry points by name.
    """

    signatures: Any = None

    def __repr__(self) -> str:
        return f"<LoadedObject of a saved {self.name}: {', '.join(k for k in vars(self) if not k.startswith('_'))}>"


class _Callable(LoadedObject):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return vars(self)["__call__"](*args, **kwargs)


class Signatures(Mapping):
    """Entry points of a saved model by name; read only."""

    def __init__(self, entries: Mapping[str, ConcreteFunction]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> ConcreteFunction:
        return self._entries[name]

    def __iter__(self) -> Any:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Signatures({self._entries!r})"


class _Import:
    """What is being loaded: the objects that were made so far, by number."""

    def __init__(self, listed: list[dict], reader: store.Reader, made_by: str) -> None:
        self._listed, self._file = listed, reader
        self.reader = notation.Reader(reader.get, made_by)
        self.variables: Any = _Variables(self)
        self._made: dict[int, Any] = {}
        for n, entry in enumerate(listed):
            self._made[n] = self._empty(entry)
        for n, entry in enumerate(listed):
            if entry["kind"] == "generator":
                self._made[n] = Generator(state=self.variables[self._children(n)["_state_var"]], alg=entry["alg"])
            elif entry["kind"] == "function":
                self._made[n] = RestoredFunction(entry, self.reader, self.variables)
            elif entry["kind"] == "concrete":
                self._made[n] = functions.read_concrete(entry["traces"][0], self.reader, self.variables)
        for n in range(len(listed)):
            self._tuple(n, frozenset())
        for n, entry in enumerate(listed):
            self._link(entry, self._made[n], self._children(n))

    def _known(self, n: Any) -> int:
        if type(n) is not int or not 0 <= n < len(self._listed):
            raise notation.damaged(f"an object of number {n!r}")
        return n

    def __getitem__(self, n: Any) -> Any:
        return self._made[self._known(n)]

    def _children(self, n: int) -> dict[str, int]:
        return {str(k): v for k, v in self._listed[n].get("children", {}).items()}

    def _empty(self, entry: dict) -> Any:
        """The object without its parts."""
        kind = entry["kind"]
        if kind == "variable":
            return self._variable(entry)
        if kind == "tensor":
            a = self._file.get(entry["value"])
            return Tensor(a, string if isinstance(a, bytes) or a.dtype.kind == "O" else of_numpy[a.dtype])
        if kind == "object":
            x = (_Callable if "__call__" in entry.get("children", {}) else LoadedObject)()
            x._name = str(entry["class"])
            return x
        if kind in ("list", "dict"):
            return [] if kind == "list" else {}
        if kind in ("tuple", "namedtuple", "generator", "function", "concrete"):
            return None
        raise notation.damaged(f"an object of kind {kind!r}")

    def _variable(self, entry: dict) -> Variable:
        a = self._file.get(entry["value"])
        t = Tensor(a, string if isinstance(a, bytes) or a.dtype.kind == "O" else of_numpy[a.dtype])
        spec = entry["spec"]
        shape = None if spec is None else TensorShape(spec[0])
        v = Variable(t, trainable=bool(entry["trainable"]), shape=shape)
        v._name = str(entry["name"]) + ":0"  # whatever scope it is loaded in
        return v

    def _tuple(self, n: int, above: frozenset[int]) -> None:
        """Make a tuple, after the tuples in it."""
        entry = self._listed[n]
        if entry["kind"] not in ("tuple", "namedtuple") or self._made[n] is not None:
            return
        if n in above:
            raise notation.damaged("a tuple that contains itself")
        links = self._children(n)
        for i in links.values():
            self._tuple(self._known(i), above | {n})
        parts = {k: self[i] for k, i in links.items()}
        if entry["kind"] == "tuple":
            self._made[n] = tuple(_in_order(parts))
        else:
            self._made[n] = notation.named_tuple(str(entry["class"]), parts)

    def _link(self, entry: dict, x: Any, links: dict[str, int]) -> None:
        """Give an object, list or dict its parts, now that all are made."""
        parts = {k: self[i] for k, i in links.items()}
        if entry["kind"] == "object":
            vars(x).update({k: v for k, v in parts.items() if k not in ("_name", "_name_scope")})
        elif entry["kind"] == "list":
            x.extend(_in_order(parts))
        elif entry["kind"] == "dict":
            x.update(parts)


def _in_order(parts: dict[str, Any]) -> list:
    """The elements of a list by their numbers; None for those that were not saved."""
    return [parts.get(str(i)) for i in range(1 + max(map(int, parts), default=-1))]


class _Variables:
    """The variables by number."""

    def __init__(self, made: _Import) -> None:
        self._from = made

    def __getitem__(self, n: Any) -> Variable:
        v = self._from[n]
        if not isinstance(v, Variable):
            raise notation.damaged(f"object {n} is no variable")
        return v


def load(export_dir: Any, tags: Any = None, options: LoadOptions | None = None) -> Any:
    """Load what ``save`` has written.

    No Python of the program that saved it is needed, and none is run: functions are made of operations that this gradtape has, which read
    and write no files.

    Args:
        export_dir: the directory.
        tags, options: accepted for TensorFlow's sake.

    Returns:
        An object with the attributes of the saved one: variables, which can be trained; functions, which can be called with arguments of
        the forms that they were traced for, and differentiated; ``signatures``, a mapping.

    Raises:
        NotFoundError: there is no saved model.
        DataLossError: the file is damaged, or its parts contradict each other.
        UnimplementedError: it uses what this version does not have, or another version of the format.

    >>> import gradtape as tf, tempfile
    >>> m = tf.Module()
    >>> m.v = tf.Variable(3.0)
    >>> m.f = tf.function(lambda x: m.v * x, input_signature=[tf.TensorSpec([])])
    >>> path = tempfile.mkdtemp()
    >>> tf.saved_model.save(m, path)
    >>> loaded = tf.saved_model.load(path)
    >>> with tf.GradientTape() as tape:
    ...     y = loaded.f(2.0)
    >>> y.numpy(), tape.gradient(y, loaded.v).numpy(), list(loaded.signatures)
    (np.float32(6.0), np.float32(2.0), ['serving_default'])
    """
    path = os.path.join(os.fspath(export_dir), FILE)
    if not os.path.isfile(path):
        raise NotFoundError(f"SavedModel file does not exist at: {path}")
    file = store.Reader(path, KIND)
    try:
        made_by = str(file.metadata["made_by"])
        text = json.loads(file.get("program"))
        made = _Import(text["objects"], file, made_by)
        signatures = {
            str(k): functions.as_signature(functions.read_concrete(c, made.reader, made.variables), str(k))
            for k, c in text["signatures"].items()
        }
        root = made[0]
        captured = [made.variables[n] for n in text["captured"]]
    except OpError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as e:
        raise DataLossError(f"The saved model {path} is damaged: {type(e).__name__}: {e}.") from e
    finally:
        file.close()
    if isinstance(root, LoadedObject):
        vars(root)["signatures"] = Signatures(signatures)
        if captured:
            vars(root)["_captured"] = captured
    return root


def contains_saved_model(export_dir: Any) -> bool:
    """Whether a directory holds a saved model.

    >>> import gradtape as tf, tempfile
    >>> tf.saved_model.contains_saved_model(tempfile.mkdtemp())
    False
    """
    return os.path.isfile(os.path.join(os.fspath(export_dir), FILE))
