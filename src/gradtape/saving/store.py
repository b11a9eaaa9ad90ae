"""Tensors in one file: the safetensors format, written so that a file is whole or not there, and read with every byte checked.

The format (https://huggingface.co/docs/safetensors) is eight bytes of length, a JSON header and the tensors' bytes; it never holds code. Any
reader of it opens these files. Two things are added, both within the format:

* ``__metadata__`` has the entry ``gradtape``: JSON that says which tensors stand for strings, complex numbers or small types, and what the
  writer adds.
* The last tensor, ``__checksums__``, holds SHA-256 digests: of the header with its length, then of each tensor in the order of the file.

A file is written beside its place under another name, flushed to the disk, and put there by one rename: whoever looks, at any moment, finds the
old file or the new one. The digest of a large array is made in a second thread while it is written or read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import struct
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..ground import dtypes as dt
from ..ground.dtypes import BY_NAME, DType, of_numpy
from ..ground.errors import DataLossError, NotFoundError, UnimplementedError

VERSION = 1
SUFFIX = ".safetensors"
_CHECKSUMS = "__checksums__"
_TEMPORARY = ".gradtape-tmp"
_CHUNK = 1 << 23  # bytes that are hashed and written at a time
_MOST_HEADER = 1 << 28

_WORDS = {
    dt.bool_: "BOOL", dt.int8: "I8", dt.int16: "I16", dt.int32: "I32", dt.int64: "I64", dt.uint8: "U8", dt.uint16: "U16", dt.uint32: "U32",
    dt.uint64: "U64", dt.float16: "F16", dt.bfloat16: "BF16", dt.float32: "F32", dt.float64: "F64", dt.float8_e4m3fn: "F8_E4M3",
    dt.float8_e5m2: "F8_E5M2",
}  # fmt: skip
_DTYPES = {word: d for d, word in _WORDS.items()}


class Entry:
    """A tensor of a file: dtype and shape, and where its bytes are."""

    __slots__ = ("begin", "digest", "dtype", "end", "shape", "stored")

    def __init__(
        self, dtype: DType, shape: tuple[int, ...], stored: DType, begin: int, end: int, digest: bytes
    ) -> None:
        self.dtype, self.shape, self.stored = dtype, shape, stored
        self.begin, self.end, self.digest = begin, end, digest


# -- what the format has no type for ---------------------------------------------------------------------------------------------


def _dtype_of(a: Any) -> DType:
    return dt.string if isinstance(a, bytes) or np.asarray(a).dtype.kind == "O" else of_numpy[np.asarray(a).dtype]


def _encoded(a: Any, d: DType) -> np.ndarray:
    """The array that the file holds for ``a``: little-endian, of one of the format's types."""
    if d is dt.string:
        texts = [a] if isinstance(a, bytes) else np.asarray(a, object).ravel().tolist()
        lengths = np.array([len(t) for t in texts], "<i8")
        return np.frombuffer(lengths.tobytes() + b"".join(texts), np.uint8)
    a = np.asarray(a)
    if d.is_complex:
        a = np.ascontiguousarray(a).view(d.real_dtype.np).reshape(*a.shape, 2)
    elif d not in _WORDS:
        a = np.ascontiguousarray(a).view(np.uint8).reshape(a.shape)
    if sys.byteorder == "big" and a.dtype.itemsize > 1:
        a = a.byteswap()
    return a if a.flags.c_contiguous else np.ascontiguousarray(a)


def _decoded(a: np.ndarray, e: Entry, name: str) -> Any:
    """The array or scalar that ``_encoded`` was given."""
    if sys.byteorder == "big" and a.dtype.itemsize > 1:
        a = a.byteswap()
    if e.dtype is dt.string:
        n = math.prod(e.shape)
        raw = a.tobytes()
        lengths = np.frombuffer(raw[: 8 * n], "<i8").tolist() if len(raw) >= 8 * n else None
        if lengths is None or min(lengths, default=0) < 0 or 8 * n + sum(lengths) != len(raw):
            raise DataLossError(f"The strings of {name!r} are damaged.")
        out, at = np.empty(n, object), 8 * n
        for i, length in enumerate(lengths):
            out[i] = raw[at : at + length]
            at += length
        return out.reshape(e.shape) if e.shape else out[0]
    if e.dtype is not e.stored:
        a = a.view(e.dtype.np).reshape(e.shape)
    return a if e.shape else a[()]


def _stored_as(d: DType, a: np.ndarray) -> dict[str, Any] | None:
    """What the metadata says of a tensor that the file holds as something else."""
    return None if d in _WORDS else {"dtype": d.name}


# -- writing -----------------------------------------------------------------------------------------------------------------------


def write(path: str, tensors: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Write a file of tensors, as a whole or not at all.

    Args:
        path: where; the directory is made where it does not exist.
        tensors: arrays and scalars by name; texts are ``bytes``.
        metadata: what the writer adds: a JSON object.

    Raises:
        OSError: the file system does not do it. What was at ``path`` is as it was.
    """
    dtypes = {name: _dtype_of(a) for name, a in tensors.items()}
    arrays = {name: _encoded(a, dtypes[name]) for name, a in tensors.items()}
    # large elements first, so that each array lies where its type wants it
    order = sorted(arrays, key=lambda n: (-arrays[n].dtype.itemsize, n))
    others = {
        n: {"dtype": dtypes[n].name, "shape": list(np.shape(tensors[n]))} for n in order if dtypes[n] not in _WORDS
    }
    told = json.dumps({"version": VERSION, "others": others, **metadata}, separators=(",", ":"))
    header: dict[str, Any] = {"__metadata__": {"format": "gradtape", "gradtape": told}}
    at = 0
    for name in order:
        a = arrays[name]
        header[name] = {"dtype": _WORDS[of_numpy[a.dtype]], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    size = 32 * (len(order) + 1)
    header[_CHECKSUMS] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = struct.pack("<Q", len(text)) + text
    with _replacing(path) as put:
        put(head)
        digests = [hashlib.sha256(head).digest()]
        with ThreadPoolExecutor(1) as hasher:
            for name in order:
                data: Any = arrays[name].reshape(-1).view(np.uint8)
                digest = hashlib.sha256()
                chunks = [data[i : i + _CHUNK] for i in range(0, data.size, _CHUNK)]
                done = [hasher.submit(digest.update, c) for c in chunks] if len(chunks) > 1 else []
                for c in chunks:
                    put(c)
                if not done:
                    digest.update(data)
                for d in done:
                    d.result()
                digests.append(digest.digest())
        put(b"".join(digests))


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[Callable[[Any], None]]:
    """A function that writes bytes to what takes the place of ``path`` when the block ends without an error."""
    path = os.path.abspath(path)
    directory, name = os.path.split(path)
    os.makedirs(directory, exist_ok=True)
    _sweep(directory)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(8)}{_TEMPORARY}")
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            _lock(fd)

            def put(data: Any) -> None:
                view = memoryview(data).cast("B")
                while view:
                    view = view[os.write(fd, view) :]

            yield put
            os.fsync(fd)
        finally:
            if os.name == "nt":  # which renames closed files only
                os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        if os.name != "nt":
            os.close(fd)
    if os.name != "nt":
        at = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(at)  # the rename itself
        finally:
            os.close(at)


def write_text(path: str, text: str) -> None:
    """Write a small file, as a whole or not at all."""
    with _replacing(path) as put:
        put(text.encode())


def _lock(fd: int, wait: bool = True) -> bool:
    """Take the lock by which a file is known to have a living writer. False where somebody else has it, or there are no locks."""
    try:
        import fcntl
    except ImportError:
        return wait
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return wait
    return True


def _sweep(directory: str) -> None:
    """Remove what writers that were killed have left behind: temporary files that nobody holds the lock of."""
    for entry in os.listdir(directory):
        if not (entry.startswith(".") and entry.endswith(_TEMPORARY)):
            continue
        path = os.path.join(directory, entry)
        with contextlib.suppress(OSError):
            # a writer takes the lock right after it made the file: a new file may not have it yet
            if os.path.getmtime(path) > _now() - 60:
                continue
            fd = os.open(path, os.O_RDWR)
            try:
                if _lock(fd, wait=False):
                    os.unlink(path)
            finally:
                os.close(fd)


def _now() -> float:
    import time

    return time.time()


# -- reading -----------------------------------------------------------------------------------------------------------------------


class Reader:
    """A file of tensors, open. The header is checked now, each tensor when it is read.

    Args:
        path: the file.
        kind: what it must be a file of, as its metadata say.

    Attributes:
        path: the file.
        entries: the tensors by name.
        metadata: what the writer added.

    Raises:
        NotFoundError: there is no such file.
        DataLossError: it is damaged, incomplete, or not written by gradtape.
        UnimplementedError: it was written by a later version.
    """

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115  (open as long as the reader is)
        except FileNotFoundError:
            raise NotFoundError(f"There is no file {path}.") from None
        try:
            self._read_header(kind)
        except BaseException:
            self._file.close()
            raise

    def _damaged(self, why: str) -> DataLossError:
        return DataLossError(f"{self.path} is damaged or was not written by gradtape: {why}.")

    def _read_header(self, kind: str) -> None:
        size = os.fstat(self._file.fileno()).st_size
        start = self._file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 2 <= length <= min(size - 8, _MOST_HEADER):
            raise self._damaged(f"it has {size} bytes, which is too few for its header")
        text = self._read(8, length)
        try:
            header = json.loads(bytes(text))
            told = json.loads(header.pop("__metadata__")["gradtape"])
            version = told.pop("version")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._damaged("the header is not what gradtape writes") from None
        if version != VERSION:
            raise UnimplementedError(
                f"{self.path} has version {version} of the format, of which this gradtape knows {VERSION}: use the gradtape that wrote it, or a later one."
            )
        try:
            listed = self._listed(header, told.pop("others"), size - 8 - length)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged("the header does not describe the tensors") from None
        checks = listed.pop(_CHECKSUMS)
        digests = bytes(self._read(8 + length + checks.begin, checks.end - checks.begin))
        if hashlib.sha256(start + bytes(text)).digest() != digests[:32]:
            raise self._damaged("the checksum of the header is wrong")
        for i, e in enumerate(listed.values(), 1):
            e.digest = digests[32 * i : 32 * i + 32]
        self._base = 8 + length
        self.entries: dict[str, Entry] = listed
        self.metadata: dict[str, Any] = told
        if told.get("kind") != kind:
            raise DataLossError(f"{self.path} is a {told.get('kind')}, not a {kind}.")

    def _listed(self, header: dict, others: dict, room: int) -> dict[str, Entry]:
        """The entries in the order of the file. ValueError or KeyError where they do not fill it."""
        listed: dict[str, Entry] = {}
        at = 0
        for name, said in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            stored, shape = _DTYPES[said["dtype"]], tuple(said["shape"])
            begin, end = said["data_offsets"]
            if (
                begin != at
                or any(type(d) is not int or d < 0 for d in shape)
                or end - begin != math.prod(shape) * stored.size
            ):
                raise ValueError(name)
            at = end
            other = others.get(name)
            d = stored if other is None else BY_NAME[other["dtype"]]
            true_shape = shape if other is None else tuple(other["shape"])
            if other is not None and any(type(n) is not int or n < 0 for n in true_shape):
                raise ValueError(name)
            if other is not None and d is not dt.string and shape != true_shape + ((2,) if d.is_complex else ()):
                raise ValueError(name)
            if other is not None and stored is not (d.real_dtype if d.is_complex else dt.uint8):
                raise ValueError(name)
            listed[name] = Entry(d, true_shape, stored, begin, end, b"")
        if at != room or next(reversed(listed)) != _CHECKSUMS or listed[_CHECKSUMS].shape != (32 * len(listed),):
            raise ValueError("the file does not end with the checksums")
        return listed

    def _read(self, at: int, n: int, done: Callable[[Any], Any] | None = None) -> Any:
        """``n`` bytes from ``at`` on; ``done`` is called with each chunk."""
        out: Any = np.empty(n, np.uint8)
        view = memoryview(out)
        self._file.seek(at)
        have = 0
        while have < n:
            got = self._file.readinto(view[have : min(n, have + _CHUNK)])
            if not got:
                raise self._damaged(f"it ends after {at + have} bytes, in the middle of a tensor")
            if done is not None:
                done(out[have : have + got])
            have += got
        return out

    def get(self, name: str) -> Any:
        """A tensor's array or scalar.

        Raises:
            NotFoundError: there is none of that name.
            DataLossError: its checksum is wrong.
        """
        e = self.entries.get(name)
        if e is None:
            raise NotFoundError(f"Key {name} not found in checkpoint {self.path}.")
        digest = hashlib.sha256()
        n = e.end - e.begin
        if n > _CHUNK:
            with ThreadPoolExecutor(1) as hasher:
                raw = self._read(self._base + e.begin, n, lambda chunk: hasher.submit(digest.update, chunk))
        else:
            raw = self._read(self._base + e.begin, n)
            digest.update(raw)
        if digest.digest() != e.digest:
            raise self._damaged(f"the checksum of {name!r} is wrong")
        if e.dtype is dt.string:
            return _decoded(raw, e, name)
        stored_shape = e.shape + ((2,) if e.dtype.is_complex else ())
        return _decoded(raw.view(e.stored.np).reshape(stored_shape), e, name)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
