"""``tf.Module``: an object that finds the variables in its attributes; ``tf.name_scope``, which names them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .core.state import state
from .core.variable import Variable
from .saving import deferred

F = TypeVar("F", bound=Callable)


class name_scope:
    """A prefix for the names of the variables that are made inside a ``with`` block; scopes nest.

    Args:
        name: the prefix. One that ends in ``/`` stands for itself and not within the scope around it; an empty one is no prefix at all.

    Raises:
        ValueError: the name is no string.

    >>> import gradtape as tf
    >>> with tf.name_scope("layer") as scope:
    ...     v = tf.Variable(1.0, name="w")
    >>> scope, v.name
    ('layer/', 'layer/w:0')
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name
        self._outer: list[str] = []

    @property
    def name(self) -> str:
        """The name it was made with."""
        return self._name

    def __enter__(self) -> str:
        self._outer.append(state.scope)
        if self._name.endswith("/") or not self._name:
            state.scope = self._name
        else:
            state.scope += self._name + "/"
        return state.scope

    def __exit__(self, *exc: Any) -> None:
        state.scope = self._outer.pop()


def _snake(name: str) -> str:
    """``FooBarNet`` as ``foo_bar_net``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


class Module:
    """Base class of objects that own variables: layers, models, parts of them.

    Variables and modules are found in the attributes and in lists, tuples and dicts among them.

    Args:
        name: a Python identifier; None: the class's name in snake case.

    Raises:
        ValueError: the name is no identifier.

    >>> import gradtape as tf
    >>> class Line(tf.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.a, self.b = tf.Variable(2.0), tf.Variable(1.0, trainable=False)
    ...     def __call__(self, x):
    ...         return self.a * x + self.b
    >>> m = Line()
    >>> m(3.0).numpy(), len(m.variables), len(m.trainable_variables)
    (np.float32(7.0), 2, 1)
    """

    # attributes that are not looked into
    _TF_MODULE_IGNORED_PROPERTIES: frozenset[str] = frozenset()

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = _snake(type(self).__name__)
        elif not str(name).isidentifier():
            raise ValueError(
                f"{name!r} is not a valid module name. Module names must be valid Python identifiers (e.g. a valid class name)."
            )
        self._name = name
        with name_scope(name) as scope:
            self._name_scope = name_scope(scope)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if deferred.pending:
            deferred.settle()

    @property
    def name(self) -> str:
        """The module's name."""
        return self._name

    @property
    def name_scope(self) -> name_scope:
        """A scope that puts the module's name before those of variables: ``with self.name_scope:``."""
        return name_scope(self._name_scope.name)  # one of its own for each user: threads share modules

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of this module and its submodules: by attribute in order of the attributes' names, then those of submodules."""
        return tuple(self._flatten(predicate=_is_variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those of ``variables`` that are trainable."""
        return tuple(self._flatten(predicate=_is_trainable))

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """Those of ``variables`` that are not trainable."""
        return tuple(self._flatten(predicate=lambda x: _is_variable(x) and not _is_trainable(x)))

    @property
    def submodules(self) -> tuple[Module, ...]:
        """All modules in the attributes of this one, and in theirs.

        >>> import gradtape as tf
        >>> a, b = tf.Module(), tf.Module()
        >>> a.children = [b]
        >>> a.submodules == (b,)
        True
        """
        return tuple(self._flatten(predicate=_is_module))

    def _flatten(self, recursive: bool = True, predicate: Callable[[Any], bool] | None = None,
                 attribute_traversal_key: Callable[[str], Any] | None = None, with_path: bool = False,
                 expand_composites: bool = False) -> Iterator[Any]:  # fmt: skip
        """What is in the attributes, in order of their names, and in lists, tuples and dicts there; then what is in submodules.

        Args:
            recursive: whether to look into submodules.
            predicate: which values to give; None: all leaves.
            attribute_traversal_key: a function of attribute names by which they are sorted.
            with_path: give pairs (path, value), a value once for each path; without paths each value comes once.
            expand_composites: accepted for TensorFlow's sake.

        Raises:
            ValueError: with paths, a module contains itself.
        """
        return _flatten(self, recursive, predicate or (lambda x: True), attribute_traversal_key, with_path)

    @classmethod
    def with_name_scope(cls, method: F) -> F:
        """Decorate a method so that it runs in the module's name scope.

        >>> import gradtape as tf
        >>> class Made(tf.Module):
        ...     @tf.Module.with_name_scope
        ...     def make(self):
        ...         self.w = tf.Variable(1.0, name="w")
        >>> m = Made()
        >>> m.make()
        >>> m.w.name
        'made/w:0'
        """

        @functools.wraps(method)
        def in_scope(self: Module, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return in_scope  # type: ignore[return-value]

    def _trackable_children(self) -> dict[str, Any]:
        """What checkpoints and saved models may find something in, by attribute."""
        return {k: v for k, v in vars(self).items() if k not in self._TF_MODULE_IGNORED_PROPERTIES}


def _is_variable(x: Any) -> bool:
    return isinstance(x, Variable)


def _is_trainable(x: Any) -> bool:
    return isinstance(x, Variable) and x.trainable


def _is_module(x: Any) -> bool:
    return isinstance(x, Module)


def _leaves(value: Any, path: tuple) -> Iterator[tuple[tuple, Any]]:
    """Path and value of each leaf of a nest, dicts in order of their keys."""
    if isinstance(value, Mapping):
        try:
            keys: Any = sorted(value)
        except TypeError:
            keys = value
        items = [(k, value[k]) for k in keys]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = list(zip(value._fields, value, strict=True))
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    else:
        yield path, value
        return
    for k, v in items:
        yield from _leaves(v, (*path, k))


def _flatten(
    root: Module, recursive: bool, predicate: Callable, key: Callable | None, with_path: bool
) -> Iterator[Any]:
    seen = {id(root)}
    stack: list[tuple[tuple, Module, tuple]] = [((), root, (root,))]
    while stack:
        path, module, above = stack.pop()
        within: list[tuple[tuple, Module, tuple]] = []
        for name in sorted(vars(module), key=key):
            if name in module._TF_MODULE_IGNORED_PROPERTIES:
                continue
            for leaf_path, leaf in _leaves(vars(module)[name], (*path, name)):
                if not with_path:
                    if id(leaf) in seen:
                        continue
                    seen.add(id(leaf))
                if predicate(leaf):
                    yield (leaf_path, leaf) if with_path else leaf
                if recursive and _is_module(leaf):
                    if with_path and any([leaf is m for m in above]):
                        raise ValueError(
                            f"{type(leaf).__name__} at {'.'.join(map(str, leaf_path))} contains itself: its paths have no end."
                        )
                    within.append((leaf_path, leaf, (*above, leaf)))
        stack += reversed(within)
