"""The graph of objects that own variables: what it is made of, how its parts are named, how it is written down.

An object is *trackable* if it is a Variable, a container (list, tuple, mapping), says so by a method ``_trackable_children`` (``tf.Module``,
``tf.random.Generator``, ``tf.train.Checkpoint``), or has ``variables`` (Keras's layers, models, optimizers, metrics). Everything else is passed
over. A variable's key is the path to it, as TensorFlow writes it: ``model/layers/0/w/.ATTRIBUTES/VARIABLE_VALUE``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.tensor import Tensor
from ..core.variable import Variable

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_NEVER = frozenset([int, float, bool, str, bytes, complex, type(None), type, Tensor])


def variable_of(x: Any) -> Variable | None:
    """The variable that ``x`` is, or that it stands for, as Keras's variables do."""
    if isinstance(x, Variable):
        return x
    if type(x) in _NEVER or not hasattr(x, "assign"):
        return None
    inner = getattr(x, "_value", None)
    return inner if isinstance(inner, Variable) else None


def is_container(x: Any) -> bool:
    """Whether ``x`` is a list, tuple or mapping."""
    return isinstance(x, list | tuple | Mapping)


def is_function(x: Any) -> bool:
    """Whether ``x`` is a traced function, which a checkpoint has nothing of."""
    return hasattr(x, "get_concrete_function") or hasattr(x, "call_flat")


def is_trackable(x: Any) -> bool:
    """Whether ``x`` can be a part of the graph of objects."""
    if type(x) in _NEVER or isinstance(x, type):
        return False
    return (
        isinstance(x, Variable)
        or hasattr(x, "_trackable_children")
        or is_container(x)
        or variable_of(x) is not None
        or (hasattr(type(x), "variables") and hasattr(x, "__dict__"))
        or (hasattr(x, "__dict__") and variable_of(vars(x).get("state")) is not None)  # Keras's seed generators
    )


def _named(x: Any) -> dict[str, Any]:
    """What is directly within a trackable, by name, trackable or not."""
    if isinstance(x, Mapping):
        out: dict[str, Any] = {}
        for k, v in x.items():
            if type(k) not in (str, int):
                if variable_of(v) is not None or hasattr(v, "_trackable_children"):
                    raise ValueError(
                        f"Unable to save the dictionary {x!r}: the key {k!r} of a trackable object is neither a string nor an int."
                    )
                continue
            if str(k) in out:
                raise ValueError(
                    f"Unable to save the dictionary {x!r}: it has the keys {k!r} and {str(k)!r}, which a checkpoint cannot tell apart."
                )
            out[str(k)] = v
        return out
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return dict(zip(x._fields, x, strict=True))
    if isinstance(x, list | tuple):
        return {str(i): v for i, v in enumerate(x)}
    if hasattr(x, "_trackable_children"):
        return x._trackable_children()
    return vars(x)


def children(x: Any) -> dict[str, Any]:
    """The trackable objects directly within a trackable one, by name."""
    if variable_of(x) is not None or is_function(x):
        return {}
    return {str(k): v for k, v in _named(x).items() if is_trackable(v)}


def child(x: Any, name: str) -> Any:
    """The trackable object of that name directly within ``x``, or None."""
    found: Any = None
    if isinstance(x, list | tuple) and not hasattr(x, "_fields"):
        if name.isdecimal() and int(name) < len(x):
            found = x[int(name)]
    elif isinstance(x, Mapping):
        found = x.get(name)
        if found is None and name.lstrip("-").isdecimal():
            found = x.get(int(name))
    elif variable_of(x) is None and not is_function(x):
        found = _named(x).get(name)
    return found if is_trackable(found) else None


def escaped(name: str) -> str:
    """A name as part of a key."""
    return name.replace(".", "..").replace("/", ".S")


def text_of(path: tuple[str, ...]) -> str:
    """A path for messages: ``(root).model.layers.0``."""
    return ".".join(("(root)", *path))


class Node(NamedTuple):
    """An object of a graph that is being saved."""

    obj: Any
    path: tuple[str, ...]
    links: dict[str, int]  # the numbers of its children
    variable: Variable | None

    @property
    def key(self) -> str:
        """The name of its value in a checkpoint."""
        return "/".join(map(escaped, self.path)) + VALUE


def graph_of(root: Any) -> list[Node]:
    """All objects that can be reached from ``root``, itself first, nearer ones before those further away."""
    nodes = [Node(root, (), {}, variable_of(root))]
    numbers = {id(root): 0}
    queue = deque([0])
    while queue:
        node = nodes[queue.popleft()]
        for name, found in children(node.obj).items():
            v = variable_of(found)
            target = found if v is None else v  # what stands for a variable is that variable
            n = numbers.get(id(target))
            if n is None:
                n = numbers[id(target)] = len(nodes)
                nodes.append(Node(target, (*node.path, name), {}, v))
                queue.append(n)
            node.links[name] = n
    return nodes


def with_values(nodes: list[Node]) -> list[Node]:
    """The nodes that are variables or lead to some, numbered anew; the root in any case."""
    above: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        for n in node.links.values():
            above.setdefault(n, []).append(i)
    kept = {i for i, node in enumerate(nodes) if node.variable is not None}
    queue = list(kept)
    while queue:
        for i in above.get(queue.pop(), ()):
            if i not in kept:
                kept.add(i)
                queue.append(i)
    order = sorted(kept | {0})
    number = {old: new for new, old in enumerate(order)}
    return [nodes[i]._replace(links={k: number[n] for k, n in nodes[i].links.items() if n in number}) for i in order]
