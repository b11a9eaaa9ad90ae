"""Nested structures: any nest of lists, tuples, named tuples, dicts and None around leaves, flattened and rebuilt.

Dicts are taken in sorted key order, as in TensorFlow's ``tf.nest``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any


def _kind(t: Any) -> int:
    """0 for the type of a leaf, 1 for that of a list or tuple, 2 for that of a mapping."""
    return 1 if issubclass(t, (list, tuple)) else 2 if issubclass(t, Mapping) else 0


kind: Callable[[Any], int] = lru_cache(maxsize=1024)(_kind)


def is_nested(structure: Any) -> bool:
    """Whether ``structure`` is a list, tuple or mapping."""
    return kind(type(structure)) != 0


def _sorted(keys: Any) -> list:
    try:
        return sorted(keys)
    except TypeError:
        return list(keys)


def flatten(structure: Any) -> list:
    """The leaves of ``structure`` in order; a leaf alone gives a list of one.

    >>> import gradtape as tf
    >>> tf.nest.flatten({"b": [1, 2], "a": (3,)})
    [3, 1, 2]
    """
    if not kind(type(structure)):
        return [structure]
    if type(structure) is list and not any([kind(type(s)) for s in structure]):
        return structure.copy()
    out: list = []
    stack = [structure]
    while stack:
        s = stack.pop()
        k = kind(type(s))
        if k == 0:
            out.append(s)
        elif k == 1:
            stack.extend(reversed(s))
        else:
            stack.extend(s[key] for key in reversed(_sorted(s)))
    return out


def flatten_up_to(shallow: Any, deep: Any) -> list:
    """The parts of ``deep`` that stand where ``shallow`` has leaves, in order.

    Raises:
        ValueError: ``deep`` does not have the upper structure of ``shallow``.
    """
    k = kind(type(shallow))
    if not k:
        return [deep]
    if kind(type(deep)) != k or len(shallow) != len(deep):
        raise ValueError(f"The two structures don't have the same upper structure: {shallow!r} and {deep!r}.")
    pairs = [(shallow[key], deep[key]) for key in _sorted(shallow)] if k == 2 else zip(shallow, deep, strict=True)
    return [leaf for a, b in pairs for leaf in flatten_up_to(a, b)]


def pack_sequence_as(structure: Any, flat: Any) -> Any:
    """A nest shaped like ``structure`` with the leaves ``flat``.

    Raises:
        ValueError: the number of leaves differs.
    """
    leaves = list(flat)
    if not kind(type(structure)) and len(leaves) == 1:
        return leaves[0]
    if type(structure) is list and len(structure) == len(leaves) and not any([kind(type(s)) for s in structure]):
        return leaves
    want = len(flatten(structure))
    if want != len(leaves):
        raise ValueError(
            f"The structure has {want} leaves, but the flat sequence has {len(leaves)}. Structure: {structure!r}."
        )
    it = iter(leaves)
    return _map(lambda _: next(it), structure)


def _map(f: Callable, s: Any) -> Any:
    if isinstance(s, Mapping):
        items = {k: _map(f, s[k]) for k in _sorted(s)}
        rebuilt = {k: items[k] for k in s}
        return rebuilt if type(s) is dict else type(s)(rebuilt)  # type: ignore[call-arg]
    if isinstance(s, tuple) and hasattr(s, "_fields"):
        return type(s)(*[_map(f, x) for x in s])
    if isinstance(s, (list, tuple)):
        return type(s)([_map(f, x) for x in s])
    return f(s)


def map_structure(func: Callable, *structures: Any, **kwargs: Any) -> Any:
    """``func`` applied to corresponding leaves; the result has the first structure's form.

    Raises:
        ValueError, TypeError: the structures differ.
    """
    if len(structures) == 1:
        return _map(func, structures[0])
    for other in structures[1:]:
        assert_same_structure(structures[0], other, **kwargs)
    flats = [flatten(s) for s in structures]
    return pack_sequence_as(structures[0], [func(*xs) for xs in zip(*flats, strict=True)])


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Check that two nests have the same form.

    Raises:
        ValueError: they have different lengths or depths.
        TypeError: they are of different sequence or mapping types, or have different keys.
    """
    stack = [(nest1, nest2)]
    while stack:
        a, b = stack.pop()
        if is_nested(a) != is_nested(b):
            raise ValueError(
                f"The two structures don't have the same nested structure: {nest1!r} and {nest2!r} part at {a!r} and {b!r}."
            )
        if not is_nested(a):
            continue
        if check_types and type(a) is not type(b):
            raise TypeError(
                f"The two structures don't have the same sequence type: {type(a).__name__} and {type(b).__name__}."
            )
        if len(a) != len(b):
            raise ValueError(
                f"The two structures don't have the same number of elements: {a!r} has {len(a)}, {b!r} has {len(b)}."
            )
        if isinstance(a, Mapping):
            if set(a) != set(b):
                raise ValueError(
                    f"The two dictionaries don't have the same set of keys: {sorted(map(str, a))} and {sorted(map(str, b))}."
                )
            stack.extend((a[k], b[k]) for k in a)
        else:
            stack.extend(zip(a, b, strict=True))
