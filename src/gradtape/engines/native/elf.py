"""Loads object code without LLVM: x86-64 ELF files as LLVM writes them for our modules, on Linux.

A process that finds its programs in the disk cache starts without loading LLVM, which takes a tenth of a second. What this loader
does not know (other relocations, writable data) it refuses, and LLVM's own linker takes over.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
import sys
from typing import Any

from .host import c_library

SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64"

_ALLOC, _WRITE = 2, 1
_PROGBITS, _SYMTAB, _RELA = 1, 2, 4
_PC32, _PLT32, _GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX, _ABS64 = 2, 4, 9, 41, 42, 1
_GOT = (_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX)


class Refused(Exception):
    """An object that this loader does not understand."""


class Loaded:
    """Object code in memory, for as long as this lives."""

    def __init__(self, code: bytes, imports: dict[str, int], exports: list[str]) -> None:
        try:
            self._load(code, imports, exports)
        except (struct.error, IndexError, KeyError, ValueError, OverflowError, OSError) as e:
            raise Refused(str(e)) from None

    def _load(self, code: bytes, imports: dict[str, int], exports: list[str]) -> None:
        if code[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", code, 16) != (1, 62):
            raise Refused("not a relocatable x86-64 object")
        (table,) = struct.unpack_from("<Q", code, 40)
        size, count, names_at = struct.unpack_from("<HHH", code, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", code, table + i * size) for i in range(count)]
        names = sections[names_at][4]
        place: dict[int, int] = {}
        top = 0
        for i, (name, kind, flags, _, _offset, length, _, _, align, _) in enumerate(sections):
            if flags & _ALLOC and length and not _text(code, names + name).startswith(".eh_frame"):
                if flags & _WRITE or kind != _PROGBITS:
                    raise Refused("writable data")
                top = (top + max(align, 1) - 1) // max(align, 1) * max(align, 1)
                place[i] = top
                top += length
        symbols: list[tuple[str, int, int]] = []  # name, section, value
        for s in sections:
            if s[1] == _SYMTAB:
                strings = sections[s[6]][4]
                for at in range(s[4], s[4] + s[5], 24):
                    name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", code, at)
                    symbols.append((_text(code, strings + name), section, value))
        got = (top + 15) // 16 * 16
        slots: dict[str, int] = {}
        stubs = got + 8 * len(symbols)
        end = stubs + 8 * len(symbols)
        self.memory = mmap.mmap(-1, (end + 4095) // 4096 * 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        image = memoryview(self.memory)
        try:
            for i, at in place.items():
                image[at : at + sections[i][5]] = code[sections[i][4] : sections[i][4] + sections[i][5]]

            def address(symbol: tuple[str, int, int]) -> int:
                name, section, value = symbol
                return base + place[section] + value if section else imports[name]

            def slot(index: int) -> int:
                """The place of a pointer to a symbol."""
                key = str(index)
                if key not in slots:
                    slots[key] = got + 8 * len(slots)
                    image[slots[key] : slots[key] + 8] = struct.pack("<Q", address(symbols[index]))
                return slots[key]

            def stub(index: int) -> int:
                """The place of a jump to a symbol that is too far for a call: ``jmp *[slot]``."""
                pointer = slot(index)
                at = stubs + (pointer - got)
                image[at : at + 6] = b"\xff\x25" + struct.pack("<i", pointer - (at + 6))
                return at

            for s in sections:
                if s[1] != _RELA or s[7] not in place:
                    continue
                for at in range(s[4], s[4] + s[5], 24):
                    offset, info, addend = struct.unpack_from("<QQq", code, at)
                    index, kind = info >> 32, info & 0xFFFFFFFF
                    where = place[s[7]] + offset
                    local = symbols[index][1] != 0
                    if kind in _GOT:
                        target = base + slot(index)
                    elif kind in (_PC32, _PLT32) and local:
                        target = address(symbols[index])
                    elif kind == _PLT32:
                        target = base + stub(index)
                    elif kind == _ABS64:
                        image[where : where + 8] = struct.pack("<Q", address(symbols[index]) + addend)
                        continue
                    else:
                        raise Refused(f"relocation {kind}")
                    image[where : where + 4] = struct.pack("<i", target + addend - (base + where))
        finally:
            image.release()
        found = {name: base + place[section] + value for name, section, value in symbols if section in place}
        self.addresses = {name: found[name] for name in exports}
        protect: Any = c_library().mprotect
        if protect(ctypes.c_void_p(base), ctypes.c_size_t(len(self.memory)), 5):  # read and execute
            raise Refused("memory cannot be made executable")


def _text(code: bytes, at: int) -> str:
    return code[at : code.index(b"\0", at)].decode()
