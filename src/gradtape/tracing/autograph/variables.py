"""What an operator carries: Python variables, read and written through closure cells, and attributes and items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CellType
from typing import Any

from . import staging
from .ir import PREFIX, RESULT
from .staging import UNSET


class Attribute:
    """``base().name``, with the text by which the user knows it."""

    def __init__(self, text: str, base: Callable[[], Any], name: str) -> None:
        self.text, self._place, self._name = text, base, name

    def fix(self) -> bool:
        """Find the object, once; False if there is none yet."""
        try:
            self._object = self._place()
        except Exception:
            return False
        return True

    def read(self) -> Any:
        """The value, or UNSET."""
        return getattr(self._object, self._name, UNSET)

    def write(self, value: Any) -> None:
        """Set the value, or delete it if it is UNSET."""
        if value is not UNSET:
            setattr(self._object, self._name, value)
        elif self.read() is not UNSET:
            delattr(self._object, self._name)


class Item(Attribute):
    """``base()[key]``, where ``place()`` gives (base, key)."""

    def __init__(self, text: str, place: Callable[[], Any]) -> None:
        super().__init__(text, place, "")

    def read(self) -> Any:
        """The value, or UNSET."""
        base, key = self._object
        try:
            return base[key]
        except (LookupError, TypeError):
            return UNSET

    def write(self, value: Any) -> None:
        """Set the value, or delete it if it is UNSET."""
        base, key = self._object
        if value is not UNSET:
            base[key] = value
        elif self.read() is not UNSET:
            del base[key]


class Cell:
    """A variable of the function, or of one around it."""

    def __init__(self, text: str, cell: CellType) -> None:
        self.text, self._cell = text, cell

    def read(self) -> Any:
        """The value, or UNSET."""
        try:
            return self._cell.cell_contents
        except ValueError:
            return UNSET

    def write(self, value: Any) -> None:
        """Set the value, or unset it if it is UNSET."""
        if value is not UNSET:
            self._cell.cell_contents = value
        else:
            try:
                del self._cell.cell_contents
            except ValueError:
                pass


class Global:
    """A global variable."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.text, self._names = text, names

    def read(self) -> Any:
        """The value, or UNSET."""
        return self._names.get(self.text, UNSET)

    def write(self, value: Any) -> None:
        """Set the value, or unset it if it is UNSET."""
        if value is not UNSET:
            self._names[self.text] = value
        else:
            self._names.pop(self.text, None)


class Variables:
    """Variables that are read and written together, as a state."""

    def __init__(self, names: Any, slots: Sequence[Attribute] = ()) -> None:
        code = names.__code__
        self.parts: list[Any] = [Cell(n, c) for n, c in zip(code.co_freevars, names.__closure__ or (), strict=True)]
        self.parts += [Global(n, names.__globals__) for n in code.co_names]
        self.parts += [s for s in slots if s.fix()]

    @property
    def names(self) -> tuple[str, ...]:
        """The names, as the user would write them."""
        return tuple(["the return value" if p.text == RESULT else p.text for p in self.parts])

    def read(self) -> tuple[Any, ...]:
        """The state."""
        return tuple([p.read() for p in self.parts])

    def write(self, state: Sequence[Any]) -> None:
        """Set all variables."""
        staged = staging.stage.is_staged
        for p, value in zip(self.parts, state, strict=True):
            if p.text.startswith(PREFIX) and p.text != RESULT and value is not UNSET and not staged(value):
                value = bool(value)  # flags that the stage has evaluated
            p.write(value)
