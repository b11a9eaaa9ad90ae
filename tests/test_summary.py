"""tf.summary: what is written is, byte for byte, what TensorFlow writes; and when."""

import struct
import zlib

import numpy as np
import pytest

import gradtape as tf
from gradtape.saving import events


def records(folder):
    """The events of the one file of a folder, checksums verified, without their wall times."""
    (path,) = folder.glob("events.out.tfevents.*")
    data, out = path.read_bytes(), []
    while data:
        (n,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12])[0] == events.checksum(data[:8])
        body, data = data[12 : 12 + n], data[12 + n :]
        assert struct.unpack("<I", data[:4])[0] == events.checksum(body)
        assert body[:1] == b"\x09"  # the wall time
        out.append(body[9:])
        data = data[4:]
    return out


def written(folder, f):
    writer = tf.summary.create_file_writer(folder)
    with writer.as_default():
        f()
    writer.close()
    first, *rest = records(folder)
    assert first == b"\x1a\rbrain.Event:2"
    return rest


def test_the_checksum():
    """Of RFC 3720, B.4, masked as in TensorFlow's record format."""
    for data, crc in ((bytes(32), 0x8A9136AA), (bytes(range(32)), 0x46DD794E), (b"\xff" * 32, 0x62A8AB43)):
        assert events.checksum(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    "f,wanted",
    [
        (lambda: tf.summary.scalar("a", 3.5, step=1), b'\x10\x01*\x1e\n\x1c\n\x01aB\n\x08\x01\x12\x00"\x04\x00\x00`@J\x0b\n\t\n\x07scalars'),
        (lambda: tf.summary.text("t", "hello", step=4, description="d"), b"\x10\x04*\x1f\n\x1d\n\x01tB\x0b\x08\x07\x12\x00B\x05helloJ\x0b\n\x06\n\x04text\x1a\x01d"),
        (lambda: tf.summary.write("w", np.array([1, 2], np.int32), step=0), b'*\x19\n\x17\n\x01wB\x12\x08\x03\x12\x04\x12\x02\x08\x02"\x08\x01\x00\x00\x00\x02\x00\x00\x00'),
        (
            lambda: tf.summary.histogram("same", np.ones(4), step=2, buckets=2),
            b'\x10\x02*X\nV\n\x04sameB>\x08\x02\x12\x08\x12\x02\x08\x02\x12\x02\x08\x03"0\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x10@J\x0e\n\x0c\n\nhistograms',
        ),
        (
            lambda: tf.summary.histogram("h", np.arange(10.0), step=2, buckets=3),
            b'\x10\x02*m\nk\n\x01hBV\x08\x02\x12\x08\x12\x02\x08\x03\x12\x02\x08\x03"H\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08@\x00\x00\x00\x00\x00\x00\x08@\x00\x00\x00\x00\x00\x00\x08@\x00\x00\x00\x00\x00\x00\x18@\x00\x00\x00\x00\x00\x00\x08@\x00\x00\x00\x00\x00\x00\x18@\x00\x00\x00\x00\x00\x00"@\x00\x00\x00\x00\x00\x00\x10@J\x0e\n\x0c\n\nhistograms',
        ),
    ],
    ids=["scalar", "text", "write", "equal", "histogram"],
)  # fmt: skip
def test_the_bytes_are_tensorflows(f, wanted, tmp_path):
    assert written(tmp_path, f) == [wanted]


def test_a_histogram_counts_what_is_finite(tmp_path):
    """Weights that have diverged do not end the training that is being watched."""
    for k, bad in enumerate([np.nan, np.inf, -np.inf]):
        plain, mixed = [
            written(tmp_path / f"{k}{x.size}", lambda x=x: tf.summary.histogram("h", x, step=0, buckets=3))
            for x in (np.arange(10.0), np.r_[bad, np.arange(10.0), bad])
        ]
        assert plain == mixed
    (event,) = written(tmp_path / "none", lambda: tf.summary.histogram("h", np.full(4, np.nan), step=0, buckets=3))
    assert bytes(72) in event


def test_a_picture(tmp_path):
    """The pixels that TensorFlow writes for these numbers."""
    (event,) = written(tmp_path, lambda: tf.summary.image("i", np.arange(12).reshape(1, 2, 2, 3) / 12, step=300))
    png = event[event.index(b"\x89PNG") :]
    header, data = png.index(b"IHDR"), png.index(b"IDAT")
    assert struct.unpack(">IIBB", png[header + 4 : header + 14]) == (2, 2, 8, 2)
    (n,) = struct.unpack(">I", png[data - 4 : data])
    assert struct.unpack(">I", png[data + 4 + n : data + 8 + n])[0] == zlib.crc32(png[data : data + 4 + n])
    assert list(zlib.decompress(png[data + 4 : data + 4 + n])) == [
        0,
        0,
        21,
        42,
        63,
        85,
        106,
        0,
        127,
        149,
        170,
        191,
        212,
        234,
    ]


def test_tensorflow_reads_it(tmp_path):
    event_pb2 = pytest.importorskip("tensorflow.core.util.event_pb2")
    written(tmp_path, lambda: tf.summary.scalar("a", 3.5, step=7))
    (path,) = tmp_path.glob("events*")
    (n,) = struct.unpack("<Q", path.read_bytes()[:8])
    event = event_pb2.Event.FromString(path.read_bytes()[12 : 12 + n])
    assert event.file_version == "brain.Event:2" and event.wall_time > 1.6e9


def test_when_it_is_written(tmp_path):
    assert not tf.summary.scalar("nobody", 1.0, step=0)
    with tf.summary.create_noop_writer().as_default():
        assert tf.summary.scalar("nowhere", 1.0, step=0)

    def f():
        with pytest.raises(ValueError, match="No step set"):
            tf.summary.scalar("x", 1.0)
        for i in range(4):
            with tf.summary.record_if(lambda i=i: i % 2 == 0):
                assert tf.summary.should_record_summaries() == (i % 2 == 0)
                assert tf.summary.scalar(f"x{i}", i, step=i) == (i % 2 == 0)
        with pytest.raises(ValueError, match="takes a scalar"):
            tf.summary.scalar("x", [1.0, 2.0], step=0)

    assert [b"x0" in e or b"x2" in e for e in written(tmp_path, f)] == [True, True]
    writer = tf.summary.create_file_writer(tmp_path / "b")
    writer.close()
    with pytest.raises(RuntimeError, match="already closed"), writer.as_default():
        pass


def test_steps_and_names(tmp_path):
    step = tf.Variable(5, dtype="int64")

    def f():
        tf.summary.experimental.set_step(step)
        with tf.name_scope("outer"):
            tf.summary.scalar("a", 1.0)
        step.assign_add(1)
        tf.summary.scalar("b", 1.0)
        tf.summary.experimental.set_step(None)

    one, two = written(tmp_path, f)
    assert one.startswith(b"\x10\x05") and b"\x07outer/a" in one and two.startswith(b"\x10\x06")


def test_in_a_function_it_is_written_at_every_run(tmp_path):
    """With the step and the condition of the moment, where TensorFlow keeps those of the trace."""

    @tf.function
    def f(x):
        tf.summary.scalar("x", x * 2.0)
        return x

    def g():
        for i in range(3):
            tf.summary.experimental.set_step(i)
            with tf.summary.record_if(i != 1):
                f(tf.constant(float(i)))
        tf.summary.experimental.set_step(None)

    events_ = written(tmp_path, g)
    assert [struct.unpack("<f", e[e.index(b'"\x04') + 2 :][:4])[0] for e in events_] == [0.0, 4.0]
