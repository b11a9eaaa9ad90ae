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


def link(h: Host, ir: str, imports: dict[str, int], exports: list[str]) -> Code:
    """Compile and load a module. ``imports`` holds the address of every symbol that it leaves open."""
    name = cache.key(ir, h.key)
    object_code = cache.load(name)
    cached = object_code is not None
    if object_code is None:
        object_code = h.object_code(ir)
        cache.store(name, object_code)
    if elf.SUPPORTED:
        try:
            loaded = elf.Loaded(object_code, imports, exports)
            return Code(loaded.addresses, loaded, cached)
        except elf.Refused:
            pass
    keep, addresses = h.link(object_code, imports, exports)
    return Code(addresses, keep, cached)
