"""From IR to code in memory: out of the disk cache, or by LLVM and into it."""

from __future__ import annotations

from typing import Any

from . import cache, elf
from .host import Host


class Code:
    """Loaded code: the addresses of what it exports. It lives as long as this does.

    Attributes:
        addresses: by name.
        cached: whether it came from the disk cache.
    """

    def __init__(self, addresses: dict[str, int], keep: Any, cached: bool) -> None:
        self.addresses, self.keep, self.cached = addresses, keep, cached


def object_code(h: Host, ir: str) -> tuple[str, bytes, bool]:
    """A module's object code: its name in the disk cache, the code, and whether it came from there."""
    name = cache.key(ir, h.key)
    code = cache.load(name)
    if code is not None:
        return name, code, True
    code = h.object_code(ir)
    cache.store(name, code)
    return name, code, False


def load(h: Host, code: bytes, imports: dict[str, int], exports: list[str], cached: bool = True) -> Code:
    """Load object code. ``imports`` holds the address of every symbol that it leaves open."""
    if elf.SUPPORTED:
        try:
            loaded = elf.Loaded(code, imports, exports)
            return Code(loaded.addresses, loaded, cached)
        except elf.Refused:
            pass
    keep, addresses = h.link(code, imports, exports)
    return Code(addresses, keep, cached)


def link(h: Host, ir: str, imports: dict[str, int], exports: list[str]) -> Code:
    """Compile and load a module."""
    _, code, cached = object_code(h, ir)
    return load(h, code, imports, exports, cached)
