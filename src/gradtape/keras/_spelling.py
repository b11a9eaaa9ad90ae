"""Thin subclasses that take old spellings, made when asked for and kept."""

from __future__ import annotations

from typing import Any


def renamed(mixin: type, cls: type) -> type:
    """A subclass of Keras's ``cls`` with ``mixin`` before it, that goes by the same name: saved, it is ``cls``."""
    return type(
        cls.__name__,
        (mixin, cls),
        {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__},
    )


class Namespace:
    """The ``__getattr__`` of a module that offers Keras's names, its classes of one kind as subclasses with ``mixin``.

    Args:
        keras: Keras's module.
        base: the class whose subclasses are meant.
        mixin: what goes before them.
    """

    def __init__(self, keras: Any, base: type, mixin: type) -> None:
        self.keras, self.base, self.mixin = keras, base, mixin
        self.made: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        """The module's attribute ``name``."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.made.get(name)
        if found is None:
            found = getattr(self.keras, name)
            if isinstance(found, type) and issubclass(found, self.base):
                found = renamed(self.mixin, found)
            self.made[name] = found
        return found

    def __dir__(self) -> list[str]:
        return dir(self.keras)
