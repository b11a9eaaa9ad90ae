"""Files of tensors: every dtype comes back, every damaged byte is found, a killed writer leaves the old file or the new one."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import gradtape as tf
from gradtape.ground import dtypes as dt
from gradtape.saving import store

KIND = "test"


def roundtrip(path, tensors):
    store.write(path, tensors, {"kind": KIND})
    reader = store.Reader(path, KIND)
    assert set(reader.entries) == set(tensors)
    return {name: reader.get(name) for name in tensors}


def example(d, shape, rng):
    if d is dt.string:
        texts = np.array([b"\x00x" * i for i in range(int(np.prod(shape)))] + [None], object)[:-1].reshape(shape)
        return texts if shape else b"text"
    bits = rng.integers(0, 256, (*shape, d.np.itemsize), np.uint8)
    a = bits.view(d.np).reshape(shape) if d is not dt.bool_ else rng.integers(0, 2, shape).astype(bool)
    if d.name in ("int4", "uint4"):
        a = rng.integers(0, 7, shape).astype(d.np)
    return np.asarray(a) if shape else np.asarray(a)[()]


@pytest.mark.parametrize("d", dt.ALL + dt.STORED, ids=lambda d: d.name)
def test_every_dtype_bit_by_bit(d, tmp_path):
    """Random bits, so also NaN with a payload, infinities, subnormal numbers."""
    rng = np.random.default_rng(0)
    tensors = {f"{shape}": example(d, shape, rng) for shape in ((), (3,), (2, 0), (2, 3, 4))}
    for name, a in roundtrip(str(tmp_path / "a"), tensors).items():
        want = tensors[name]
        assert type(a) is type(want) and np.shape(a) == np.shape(want)
        if d is dt.string:
            assert np.array_equal(a, want) if isinstance(a, np.ndarray) else a == want
        else:
            assert a.dtype == want.dtype and a.tobytes() == want.tobytes()


def test_arrays_in_any_memory_order(tmp_path):
    a = np.random.default_rng(0).normal(size=(8, 9))
    tensors = {
        "fortran": np.asfortranarray(a),
        "strided": a[::2, ::-3],
        "broadcast": np.broadcast_to(a[0], (3, 9)),
        "transposed complex": (a + 1j * a).T,
    }
    for name, b in roundtrip(str(tmp_path / "a"), tensors).items():
        assert np.array_equal(b, tensors[name]) and b.flags.writeable and b.flags.c_contiguous


def test_many_and_large_arrays(tmp_path):
    """Arrays of more than one chunk are hashed in a second thread."""
    rng = np.random.default_rng(0)
    tensors = {f"v{i}": np.full(3, i) for i in range(500)} | {"large": rng.normal(size=(store._CHUNK // 4 + 17,))}
    for name, a in roundtrip(str(tmp_path / "a"), tensors).items():
        assert np.array_equal(a, tensors[name])


def test_nothing_at_all(tmp_path):
    assert roundtrip(str(tmp_path / "a"), {}) == {}


def test_the_format_is_that_of_safetensors(tmp_path):
    """Read by the words of its documentation: no holes, little-endian, offsets from the end of the header, metadata of strings."""
    path = tmp_path / "a"
    tensors = {"b/w": np.arange(6, dtype=np.float32).reshape(2, 3), "h": np.float16(1.5), "c": np.array([1 + 2j])}
    store.write(str(path), tensors, {"kind": KIND})
    raw = path.read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + n])
    assert header["__metadata__"]["format"] == "gradtape" and all(
        isinstance(v, str) for v in header.pop("__metadata__").values()
    )
    at = 0
    for said in sorted(header.values(), key=lambda s: s["data_offsets"]):
        begin, end = said["data_offsets"]
        size = {"F32": 4, "F16": 2, "F64": 8, "U8": 1}[said["dtype"]]
        assert begin == at and end - begin == size * int(np.prod(said["shape"])) and (8 + n + begin) % size == 0
        at = end
    assert len(raw) == 8 + n + at
    begin, end = header["b/w"]["data_offsets"]
    assert np.frombuffer(raw[8 + n :][begin:end], "<f4").tolist() == [0, 1, 2, 3, 4, 5]


# -- damage ----------------------------------------------------------------------------------------------------------------------------


def read_all(path):
    reader = store.Reader(str(path), KIND)
    return [reader.get(name) for name in reader.entries]


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "a"
    store.write(str(path), {"w": np.arange(5.0), "s": np.array([b"a", b"bc"], object), "i": np.int8(3)}, {"kind": KIND})
    return path


ERRORS = (tf.errors.DataLossError, tf.errors.UnimplementedError)


def test_a_file_cut_off_anywhere(small):
    raw = small.read_bytes()
    for n in range(len(raw)):
        small.write_bytes(raw[:n])
        with pytest.raises(tf.errors.DataLossError):
            read_all(small)
    small.write_bytes(raw + b"\0")
    with pytest.raises(tf.errors.DataLossError):
        read_all(small)


def test_a_bit_flipped_anywhere(small):
    raw, rng = small.read_bytes(), random.Random(0)
    for i in range(len(raw)):
        changed = bytearray(raw)
        changed[i] ^= 1 << rng.randrange(8)
        small.write_bytes(changed)
        with pytest.raises(ERRORS):
            read_all(small)


def test_bytes_exchanged_between_tensors(tmp_path):
    path = tmp_path / "a"
    store.write(str(path), {"a": np.zeros(4), "b": np.ones(4)}, {"kind": KIND})
    raw = path.read_bytes()
    path.write_bytes(raw[:-160] + raw[-128:-96] + raw[-160:-128] + raw[-96:])
    with pytest.raises(tf.errors.DataLossError, match=r"checksum of 'a' is wrong"):
        read_all(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.update(w={**h["w"], "data_offsets": [0, 10**9]}), lambda h: h.update(w={**h["w"], "shape": [10**9]}), lambda h: h.update(w={**h["w"], "shape": [-5]}),
        lambda h: h.update(w={**h["w"], "dtype": "F99"}), lambda h: h.pop("w"), lambda h: h.pop("__checksums__"), lambda h: h.pop("__metadata__"),
        lambda h: h.update(w=None), lambda h: h.update(w={**h["w"], "data_offsets": "ab"}), lambda h: h.update(__metadata__={"gradtape": "[" * 100000}),
    ],
)  # fmt: skip
def test_a_header_that_lies(small, change):
    raw = small.read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + n])
    change(header)
    text = json.dumps(header).encode()
    small.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + n :])
    with pytest.raises(tf.errors.DataLossError, match="is damaged or was not written by gradtape"):
        read_all(small)


def test_other_files(tmp_path):
    path = tmp_path / "a"
    for raw in (b"", b"\0" * 8, b"\xff" * 100, b"PK\3\4 a zip", b"\x80\x04cposix\nsystem\n"):
        path.write_bytes(raw)
        with pytest.raises(tf.errors.DataLossError):
            store.Reader(str(path), KIND)
    with pytest.raises(tf.errors.NotFoundError, match="There is no file"):
        store.Reader(str(tmp_path / "none"), KIND)


def test_another_kind_and_a_later_version(small, monkeypatch):
    with pytest.raises(tf.errors.DataLossError, match="is a test, not a checkpoint"):
        store.Reader(str(small), "checkpoint")
    monkeypatch.setattr(store, "VERSION", 2)
    with pytest.raises(tf.errors.UnimplementedError, match="version 1 of the format, of which this gradtape knows 2"):
        store.Reader(str(small), KIND)


# -- writers that fail or are killed -----------------------------------------------------------------------------------------------------


def test_a_write_that_fails_leaves_the_old_file(small, monkeypatch):
    raw = small.read_bytes()

    def no_space(fd, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", no_space)
    with pytest.raises(OSError, match="No space left"):
        store.write(str(small), {"w": np.zeros(9)}, {"kind": KIND})
    monkeypatch.undo()
    assert small.read_bytes() == raw and os.listdir(small.parent) == ["a"]


def test_short_writes_are_continued(small, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:100]))
    assert np.array_equal(roundtrip(str(small), {"w": np.arange(1000)})["w"], np.arange(1000))


def test_readers_see_whole_files_while_others_write(tmp_path):
    path, stop, wrong, written = str(tmp_path / "a"), threading.Event(), [], [0, 0]
    store.write(path, {"w": np.zeros(2000), "v": np.zeros(3)}, {"kind": KIND})

    def write(i):
        while not stop.is_set():
            store.write(path, {"w": np.full(2000, float(i)), "v": np.full(3, float(i))}, {"kind": KIND})
            written[i] += 1

    writers = [threading.Thread(target=write, args=(i,)) for i in (0, 1)]
    for t in writers:
        t.start()
    while min(written) < 20:
        w, v = read_all(path)
        if len({*w.tolist(), *v.tolist()}) != 1:
            wrong.append((w, v))
    stop.set()
    for t in writers:
        t.join()
    assert not wrong and os.listdir(tmp_path) == ["a"]


CHILD = """
    import itertools, sys
    import numpy as np
    from gradtape.saving import store
    path = sys.argv[1]
    for i in itertools.count(1):
        store.write(path, {"w": np.full(500_000, float(i)), "v": np.full(3, float(i))}, {"kind": "test"})
        print(i, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_writer_killed_at_any_moment(tmp_path):
    """The file is whole, and no older than what the writer had finished."""
    path, rng = tmp_path / "a", random.Random(1)
    in_the_middle = 0
    for _ in range(12):
        p = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(path)], stdout=subprocess.PIPE, text=True
        )
        p.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        p.send_signal(signal.SIGKILL)
        done = int((p.stdout.read().split() or ["1"])[-1])
        p.wait()
        w, v = read_all(path)
        values = {*w.tolist(), *v.tolist()}
        assert len(values) == 1 and values.pop() >= done
        in_the_middle += len(os.listdir(tmp_path)) > 1
        left = [f for f in tmp_path.iterdir() if f.name != "a"]
        for f in left:  # what a killed writer left goes when the next one comes, an hour later
            os.utime(f, (time.time() - 3600,) * 2)
        store._sweep(str(tmp_path))
        assert os.listdir(tmp_path) == ["a"]
    assert in_the_middle, "no child was killed while it wrote: the test shows nothing"


def test_the_files_of_living_writers_stay(tmp_path):
    temporary = tmp_path / f".a.0{store._TEMPORARY}"
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT)
    store._lock(fd)
    os.utime(temporary, (time.time() - 3600,) * 2)
    other = tmp_path / f".b.0{store._TEMPORARY}"
    other.touch()  # made just now
    store._sweep(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 2
    os.close(fd)
    store._sweep(str(tmp_path))
    assert os.listdir(tmp_path) == [other.name]
