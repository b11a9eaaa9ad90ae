"""Thin subclasses that take old spellings, made when asked for and kept."""

from __future__ import annotations

import copyreg
import importlib
from abc import ABCMeta
from typing import Any

from keras.src import api_export


class Thin(ABCMeta):
    """The class of thin subclasses. What is an instance of the stock class is one of the thin class, and the thin class serializes as the stock one."""

    stock: type

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, cls.stock) if "stock" in cls.__dict__ else super().__instancecheck__(x)

    def __subclasscheck__(cls, sub: type) -> bool:
        return issubclass(sub, cls.stock) if "stock" in cls.__dict__ else super().__subclasscheck__(sub)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """An instance: of the stock class, where the mixin only has other arguments for it."""
        if "stock" in cls.__dict__ and hasattr(cls, "_instance"):
            return cls._instance(cls.stock, *args, **kwargs)
        return super().__call__(*args, **kwargs)


def _found(module: str, name: str) -> type:
    return getattr(importlib.import_module(module), name)


def _pickled(cls: Thin) -> Any:
    """A thin class pickles as where it is found, another class as its name."""
    return (_found, cls.__dict__["place"]) if "stock" in cls.__dict__ else cls.__qualname__


copyreg.pickle(Thin, _pickled)  # type: ignore[arg-type]


def thin(mixin: type, cls: type, name: str | None = None) -> Any:
    """A subclass of Keras's ``cls`` with ``mixin`` before it, that goes by the same name.

    Args:
        mixin: what goes before.
        cls: the class.
        name: the new class's name in the module of ``mixin``, by default that of ``cls``.
    """
    place = mixin.__module__, name or cls.__name__
    names = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "stock": cls,
        "place": place,
    }
    new = Thin(cls.__name__, (mixin, cls), names)
    public = api_export.get_name_from_symbol(cls)
    if public is not None:
        api_export.REGISTERED_OBJS_TO_NAMES[new] = public
    return new


class Namespace:
    """The ``__getattr__`` of a module that offers Keras's names, its classes of one kind as thin subclasses.

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
                found = thin(self.mixin, found)
            self.made[name] = found
        return found


def shape_first(args: tuple, kwargs: dict, names: tuple[str, ...]) -> tuple[tuple, dict]:
    """The arguments of ``add_weight``, whose first was the name in Keras 2, by name.

    Args:
        args: as they were given.
        kwargs: likewise.
        names: what the arguments after the name were.
    """
    if not args or not isinstance(args[0], str):
        return args, kwargs
    return (), {**kwargs, **dict(zip(("name", *names), args))}
