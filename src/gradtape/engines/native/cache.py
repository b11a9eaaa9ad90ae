"""Compiled object code on disk, so that nothing is compiled twice, not even by another process.

An entry's key is a hash of the IR, LLVM's version, the CPU and its features, and gradtape's version: a file that does not fit
cannot be found. Files are written whole under another name and then renamed, so that readers, in any number of processes, see an
entry or none; each holds a checksum, and one that is damaged is as good as missing. No error of the file system is the user's.

``GRADTAPE_CACHE_DIR`` names the directory (the default is ``gradtape/native`` in the user's cache directory), ``GRADTAPE_CACHE=0``
turns the cache off, ``GRADTAPE_CACHE_MB`` bounds its size (64).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading

from ..._version import __version__

_MAGIC = b"gradtape1\n"
_SUFFIX = ".obj"


def directory() -> str | None:
    """Where entries lie; None where the cache is off."""
    if os.environ.get("GRADTAPE_CACHE", "1").lower() in ("0", "off", "false", "no"):
        return None
    named = os.environ.get("GRADTAPE_CACHE_DIR")
    if named:
        return named
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    if base.startswith("~"):  # no home directory
        return None
    return os.path.join(base, "gradtape", "native")


def limit() -> int:
    """The most bytes that the cache may take."""
    try:
        return int(float(os.environ.get("GRADTAPE_CACHE_MB", "64")) * 2**20)
    except (ValueError, OverflowError):  # no number, or an infinite one
        return 64 * 2**20


def key(ir: str, machine: str) -> str:
    """The name of an entry."""
    return hashlib.sha256("\0".join((__version__, machine, ir)).encode()).hexdigest()


def load(name: str) -> bytes | None:
    """The object code of an entry, or None."""
    d = directory()
    if d is None:
        return None
    path = os.path.join(d, name + _SUFFIX)
    try:
        with open(path, "rb") as f:
            data = f.read()
        head = len(_MAGIC) + 32
        code = data[head:]
        if data[: len(_MAGIC)] != _MAGIC or hashlib.sha256(code).digest() != data[len(_MAGIC) : head]:
            os.unlink(path)
            return None
        os.utime(path)  # used now: the last to be dropped
        return code
    except OSError:
        return None


def store(name: str, code: bytes) -> None:
    """Keep an entry; drop the longest unused ones where there are too many."""
    d = directory()
    if d is None or len(code) > limit() // 4:
        return
    with contextlib.suppress(OSError):
        os.makedirs(d, mode=0o700, exist_ok=True)
        temporary = os.path.join(d, f"{name}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            with open(temporary, "wb") as f:
                f.write(_MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(temporary, os.path.join(d, name + _SUFFIX))
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            return
        if name[0] == "0":  # one in sixteen: looking at all entries takes longer than writing one
            trim(d, limit())


def trim(d: str, most: int) -> None:
    """Delete the longest unused entries until those left take at most ``most`` bytes."""
    entries = []
    with contextlib.suppress(OSError), os.scandir(d) as files:
        for f in files:
            if f.name.endswith((_SUFFIX, ".tmp")):
                with contextlib.suppress(OSError):
                    s = f.stat()
                    entries.append((s.st_mtime, s.st_size, f.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= most:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size


def clear() -> None:
    """Delete all entries."""
    d = directory()
    if d is not None:
        trim(d, 0)
