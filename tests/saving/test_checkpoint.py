"""``tf.train.Checkpoint``: what is saved under which key, what is restored, what is said of what does not match. Values and keys of TensorFlow 2.21."""

import collections
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import weakref

import numpy as np
import pytest

import gradtape as tf
from gradtape.saving import deferred

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture(autouse=True)
def nothing_waits():
    yield
    deferred.pending.clear()
    deferred.settle()


class Net(tf.Module):
    def __init__(self, n=2, value=0.0):
        super().__init__()
        self.w = tf.Variable([value + 1, value + 2], name="w")
        self.layers = [tf.Variable(value + i) for i in range(n)]
        self.d = {"a": tf.Variable(value + 5)}
        self.t = (tf.Variable(int(value) + 1),)
        self.number, self.text, self.nothing, self.f = 3, "x", None, tf.function(lambda x: x)


def numbers(m):
    return [np.asarray(v).tolist() for v in m.variables]


@pytest.fixture
def saved(tmp_path):
    m, g = Net(), tf.random.Generator.from_seed(1)
    return tf.train.Checkpoint(model=m, g=g).save(tmp_path / "x")


def keys(path):
    return [k.removesuffix(SUFFIX) for k, _ in tf.train.list_variables(path)]


# -- what is saved ---------------------------------------------------------------------------------------------------------------------


def test_keys_and_files_are_tensorflows(saved, tmp_path):
    assert saved == str(tmp_path / "x-1") and sorted(os.listdir(tmp_path)) == ["checkpoint", "x-1.safetensors"]
    assert (tmp_path / "checkpoint").read_text() == 'model_checkpoint_path: "x-1"\nall_model_checkpoint_paths: "x-1"\n'
    assert tf.train.list_variables(saved) == [
        ("g/_state_var" + SUFFIX, [3]), ("model/d/a" + SUFFIX, []), ("model/layers/0" + SUFFIX, []), ("model/layers/1" + SUFFIX, []),
        ("model/t/0" + SUFFIX, []), ("model/w" + SUFFIX, [2]), ("save_counter" + SUFFIX, []),
    ]  # fmt: skip
    assert tf.train.list_variables(tmp_path) == tf.train.list_variables(saved)


def test_one_variable_under_two_names_is_saved_once(tmp_path):
    v = tf.Variable(1.0)
    m = tf.Module()
    m.a = m.b = v
    m.c = [v]
    assert keys(tf.train.Checkpoint(m=m).write(tmp_path / "x")) == ["m/a"]


def test_names_with_dots_and_slashes(tmp_path):
    d = {"a/b": tf.Variable(2.0), "c.d": tf.Variable(3.0), 7: tf.Variable(4.0), -1: tf.Variable(5.0)}
    path = tf.train.Checkpoint(d=d).write(tmp_path / "x")
    assert keys(path) == ["d/-1", "d/7", "d/a.Sb", "d/c..d"]
    new = {k: tf.Variable(0.0) for k in d}
    tf.train.Checkpoint(d=new).read(path).assert_consumed()
    assert {k: float(v) for k, v in new.items()} == {"a/b": 2, "c.d": 3, 7: 4, -1: 5}


def test_named_tuples_go_by_their_fields(tmp_path):
    pair = collections.namedtuple("Pair", "p q")(tf.Variable(1.0), tf.Variable(2.0))
    assert keys(tf.train.Checkpoint(x=pair).write(tmp_path / "x")) == ["x/p", "x/q"]


def test_the_parts_of_a_root_are_the_checkpoints_own(tmp_path):
    path = tf.train.Checkpoint(Net(), extra=tf.Variable(1.0)).save(tmp_path / "x")
    assert keys(path) == ["d/a", "extra", "layers/0", "layers/1", "save_counter", "t/0", "w"]


def test_write_has_no_counter_and_no_list(tmp_path):
    m = Net()
    assert tf.train.Checkpoint(m).write(tmp_path / "w") == str(tmp_path / "w") and os.listdir(tmp_path) == [
        "w.safetensors"
    ]
    assert "save_counter" not in keys(tmp_path / "w")
    tf.train.Checkpoint(Net()).read(tmp_path / "w").assert_consumed()
    with pytest.raises(AssertionError, match=r"\(root\).save_counter: int64\[\]"):
        tf.train.Checkpoint(Net()).restore(tmp_path / "w").assert_consumed()


def test_cycles_and_deep_nests(tmp_path):
    a = tf.Module()
    a.self, a.v = a, tf.Variable(1.0)
    nest = tf.Variable(2.0)
    for _ in range(3000):
        nest = [nest]
    a.deep = nest
    path = tf.train.Checkpoint(a=a).write(tmp_path / "x")
    a.v.assign(7.0)
    tf.train.Checkpoint(a=a).read(path).assert_consumed()
    assert float(a.v) == 1


def test_every_dtype(tmp_path):
    values = [
        True,
        1.5 + 2j,
        b"text",
        np.float16(1.5),
        np.uint8(200),
        np.int64(2**62),
        ["a", "b"],
        tf.cast([1.5, -2.0], tf.bfloat16),
    ]
    old = [tf.Variable(v) for v in values]
    new = [tf.Variable(tf.zeros_like(v)) for v in old]
    path = tf.train.Checkpoint(v=old).write(tmp_path / "x")
    tf.train.Checkpoint(v=new).read(path).assert_consumed()
    for a, b in zip(old, new, strict=True):
        assert a.dtype is b.dtype and np.array_equal(a.numpy(), b.numpy())


def test_what_a_keras_object_looks_like(tmp_path):
    """Objects with ``variables``, whose own variables stand for a tf.Variable."""

    class KerasVariable:
        def __init__(self, value):
            self._value = tf.Variable(value)

        def assign(self, value):
            self._value.assign(value)

    class Layer:
        def __init__(self, value):
            self.kernel, self._trainable, self.units = KerasVariable(value), [], 3
            self._trainable.append(self.kernel)

        @property
        def variables(self):
            return [self.kernel]

    path = tf.train.Checkpoint(layer=Layer(1.5)).write(tmp_path / "x")
    assert keys(path) == ["layer/kernel"]
    new = Layer(0.0)
    tf.train.Checkpoint(layer=new).read(path).assert_consumed()
    assert float(new.kernel._value) == 1.5


# -- what is restored ----------------------------------------------------------------------------------------------------------------------


def test_everything_comes_back(saved):
    m, g = Net(value=9.0), tf.random.Generator.from_seed(5)
    status = tf.train.Checkpoint(model=m, g=g).restore(saved)
    assert (
        status.assert_consumed() is status
        and status.assert_existing_objects_matched() is status
        and status.expect_partial() is status
    )
    assert numbers(m) == numbers(Net()) and g.state.numpy().tolist() == [0, 0, 1]
    assert "7 of 7 values restored" in repr(status)


def test_the_counter_goes_on(saved, tmp_path):
    c = tf.train.Checkpoint(model=Net(), g=tf.random.Generator.from_seed(5))
    c.restore(saved)
    assert int(c.save_counter) == 1 and c.save(tmp_path / "x") == str(tmp_path / "x-2")
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "x-2")


def test_a_restored_variable_is_the_same_object_and_trains(saved):
    m = Net(value=3.0)
    w = m.w
    f = tf.function(lambda: tf.reduce_sum(m.w * m.w))
    assert float(f()) == 16 + 25
    tf.train.Checkpoint(model=m).restore(saved)
    assert m.w is w and float(f()) == 1 + 4
    with tf.GradientTape() as tape:
        y = f()
    assert tape.gradient(y, w).numpy().tolist() == [2, 4]
    w.assign_add([1.0, 1.0])
    assert tf.train.load_variable(saved, "model/w" + SUFFIX).tolist() == [1, 2]


def test_what_is_read_again_is_read_again(saved, tmp_path):
    m = Net()
    c = tf.train.Checkpoint(model=m)
    m.w.assign([7.0, 7.0])
    second = c.save(tmp_path / "y")
    for path, want in ((saved, [1, 2]), (second, [7, 7]), (saved, [1, 2])):
        c.restore(path)
        assert m.w.numpy().tolist() == want


def test_optimizer_like_state(tmp_path):
    """Training goes on after a restart as if there had been none."""

    class Momentum(tf.Module):
        def __init__(self):
            super().__init__()
            self.m, self.step = tf.Variable([0.0, 0.0]), tf.Variable(0)

        def apply(self, g, v):
            self.m.assign(0.9 * self.m + g)
            self.step.assign_add(1)
            v.assign_sub(0.1 * self.m)

    def train(c, n):
        for _ in range(n):
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(c.v**4)
            c.o.apply(tape.gradient(y, c.v), c.v)

    one = tf.train.Checkpoint(v=tf.Variable([0.5, -0.3]), o=Momentum())
    train(one, 3)
    path = one.save(tmp_path / "x")
    train(one, 3)
    two = tf.train.Checkpoint(v=tf.Variable([0.0, 0.0]), o=Momentum())
    two.restore(path).assert_consumed()
    train(two, 3)
    assert two.v.numpy().tolist() == one.v.numpy().tolist() and int(two.o.step) == 6


def test_a_path_with_the_suffix(saved):
    tf.train.Checkpoint(model=Net()).restore(saved + ".safetensors").assert_existing_objects_matched()


# -- what is said of what does not match -----------------------------------------------------------------------------------------------------


def test_what_the_program_lacks(saved):
    status = tf.train.Checkpoint(model=Net(1)).restore(saved)
    with pytest.raises(AssertionError) as e:
        status.assert_consumed()
    assert "Unresolved object in checkpoint" in str(e.value)
    assert (
        "2 value(s)" in str(e.value)
        and "g/_state_var: int64[3]" in str(e.value)
        and "model/layers/1: float32[]" in str(e.value)
    )
    status.assert_existing_objects_matched().assert_nontrivial_match()


def test_what_the_checkpoint_lacks(saved):
    status = tf.train.Checkpoint(model=Net(3)).restore(saved)
    for check in (status.assert_consumed, status.assert_existing_objects_matched):
        with pytest.raises(
            AssertionError,
            match=r"Found 1 Python objects that were not bound to checkpointed values(.|\n)*\(root\).model.layers.2: float32\[\]",
        ):
            check()


def test_nothing_matches(saved):
    with pytest.raises(AssertionError, match="Nothing except the root object matched"):
        tf.train.Checkpoint(other=Net()).restore(saved).assert_nontrivial_match()


def test_shapes_and_dtypes_that_do_not_fit_change_nothing(saved):
    m = Net(value=9.0)
    m.w = tf.Variable([1.0, 2.0, 3.0], name="w")
    m.d["a"] = tf.Variable(3, name="a")
    before = numbers(m)
    c = tf.train.Checkpoint(model=m)
    with pytest.raises(tf.errors.InvalidArgumentError) as e:
        c.restore(saved)
    assert isinstance(e.value, ValueError)
    assert "model/w/.ATTRIBUTES/VARIABLE_VALUE is float32[2], but the variable 'w:0' is float32[3]" in str(e.value)
    assert "model/d/a/.ATTRIBUTES/VARIABLE_VALUE is float32[], but the variable 'a:0' is int32[]" in str(e.value)
    assert numbers(m) == before and c._save_counter is None


def test_a_variable_of_open_shape_takes_any(tmp_path):
    path = tf.train.Checkpoint(v=tf.Variable([1.0, 2.0, 3.0])).write(tmp_path / "x")
    v = tf.Variable([0.0], shape=[None])
    tf.train.Checkpoint(v=v).read(path).assert_consumed()
    assert v.numpy().tolist() == [1, 2, 3]


def test_a_damaged_value_changes_nothing(saved):
    file = saved + ".safetensors"
    with open(file, "r+b") as f:
        raw = f.read()
        f.seek(raw.index(np.array([1, 2], np.float32).tobytes()))
        f.write(b"\1")
    m = Net(value=9.0)
    before = numbers(m)
    with pytest.raises(tf.errors.DataLossError, match="checksum of 'model/w"):
        tf.train.Checkpoint(model=m).restore(saved)
    assert numbers(m) == before


def test_two_variables_where_one_was_saved(tmp_path):
    """Both get its value. (TensorFlow restores one of them.)"""
    v = tf.Variable(3.0)
    path = tf.train.Checkpoint(a=v, b=v).write(tmp_path / "x")
    c = tf.train.Checkpoint(a=tf.Variable(0.0), b=tf.Variable(0.0))
    c.read(path).assert_consumed()
    assert (float(c.a), float(c.b)) == (3, 3)


def test_one_variable_where_two_were_saved(tmp_path):
    """It gets one of the values, and that is said. (TensorFlow takes either in silence.)"""
    path = tf.train.Checkpoint(a=tf.Variable(1.0), b=tf.Variable(2.0)).write(tmp_path / "x")
    v = tf.Variable(0.0)
    status = tf.train.Checkpoint(a=v, b=v).read(path)
    assert float(v) == 1
    with pytest.raises(
        AssertionError,
        match=r"one variable where the checkpoint has several values:\n  b/.*\(root\).b is the variable that has the value of a/",
    ):
        status.assert_consumed()


def test_no_checkpoint(tmp_path):
    c = tf.train.Checkpoint(model=Net())
    status = c.restore(None)
    for check in (status.assert_consumed, status.assert_existing_objects_matched, status.assert_nontrivial_match):
        with pytest.raises(AssertionError, match="No checkpoint specified"):
            check()
    assert status.expect_partial() is status
    with pytest.raises(tf.errors.NotFoundError, match="missing the checkpoint suffix"):
        c.restore(tmp_path / "none")


REFUSED = {
    "a number": (lambda: tf.train.Checkpoint(x=3), "expecting x to be a trackable object"),
    "a tensor": (lambda: tf.train.Checkpoint(x=tf.constant(3.0)), "expecting x to be a trackable object"),
    "a string": (lambda: tf.train.Checkpoint(x="a"), "expecting x"),
    "an object": (lambda: tf.train.Checkpoint(x=object()), "expecting x"),
    "a Python function": (lambda: tf.train.Checkpoint(x=lambda x: x), "expecting x"),
    "a list for a root": (lambda: tf.train.Checkpoint([tf.Variable(1.0)]), "expecting root to be a trackable"),
    "a name that the root has": (lambda: tf.train.Checkpoint(Net(), w=tf.Variable(1.0)), "keyword argument w if root.w already exists"),
    "a tuple for a key": (lambda: tf.train.Checkpoint(x={(1, 2): tf.Variable(1.0)}).write("x"), "neither a string nor an int"),
    "keys that look alike": (lambda: tf.train.Checkpoint(x={1: tf.Variable(1.0), "1": tf.Variable(1.0)}).write("x"), "cannot tell apart"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        f()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("what", ["save", "write", "read", "restore"])
def test_not_inside_functions(what, tmp_path):
    c = tf.train.Checkpoint(v=tf.Variable(1.0))
    with pytest.raises(NotImplementedError, match=f"Checkpoint.{what}"):
        tf.function(lambda: getattr(c, what)(tmp_path / "x"))()


def test_tf_functions_are_parts_without_values(tmp_path):
    tf.train.Checkpoint(f=tf.function(lambda x: x), v=tf.Variable(1.0)).save(tmp_path / "x")


# -- variables that are made later -----------------------------------------------------------------------------------------------------------


def test_attributes_lists_dicts_and_tuples_that_appear_later(saved):
    m = tf.Module()
    c = tf.train.Checkpoint(model=m)
    status = c.restore(saved)
    m.w = tf.Variable([0.0, 0.0])
    assert m.w.numpy().tolist() == [1, 2]
    m.layers = []
    m.layers.append(tf.Variable(9.0))
    m.layers.append(tf.Variable(9.0))
    assert float(m.layers[1] + 0.0) == 1 and float(tf.add(m.layers[0], 0.0)) == 0
    m.d = {}
    m.d["a"] = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        y = m.d["a"] * m.d["a"]
    assert float(y) == 25 and float(tape.gradient(y, m.d["a"])) == 10
    m.t = (tf.Variable(0),)
    assert int(m.t[0]) == 1
    status.assert_existing_objects_matched()
    with pytest.raises(AssertionError, match="g/_state_var"):
        status.assert_consumed()
    c.g = tf.random.Generator.from_seed(8)
    assert c.g.state.numpy().tolist() == [0, 0, 1]
    status.assert_consumed()
    assert not deferred.pending and tf.Variable._made is None
    assert type(m.w) is tf.Variable and type(m.t[0]) is tf.Variable


@pytest.mark.parametrize(
    "use",
    [
        lambda v: v.numpy(), lambda v: v.value(), lambda v: v + 0.0, lambda v: 0.0 + v, lambda v: tf.identity(v), lambda v: v.read_value(), lambda v: tf.reduce_sum(v),
        lambda v: v.assign_add(0.0) + 0.0, lambda v: v.assign_sub(0.0) + 0.0, lambda v: np.asarray(v), lambda v: tf.function(lambda: v * 1.0)(), lambda v: v[...],
        lambda v: tf.stack([v]), lambda v: float(v), lambda v: -1.0 * (-v), lambda v: tf.convert_to_tensor(v), lambda v: abs(v), lambda v: eval(repr(v).split("numpy=")[1][:-1]),
    ],
)  # fmt: skip
def test_whatever_reads_a_late_variable_sees_its_value(use, tmp_path):
    path = tf.train.Checkpoint(x=[tf.Variable(5.0)]).write(tmp_path / "x")
    c = tf.train.Checkpoint(x=[])
    c.read(path)
    c.x.append(tf.Variable(0.0))
    x = c.x
    assert type(x[0]) is not tf.Variable
    assert np.asarray(use(x[0])) == 5


def test_an_assignment_comes_after_the_restoration(tmp_path):
    path = tf.train.Checkpoint(x=[tf.Variable(5.0)]).write(tmp_path / "x")
    m = tf.Module()
    m.x = []
    tf.train.Checkpoint(m).read(path)
    m.x.append(tf.Variable(0.0))
    m.x[0].assign(7.0)
    assert type(m.x[0]) is tf.Variable and float(m.x[0]) == 7


def test_variables_that_a_function_makes(saved):
    """Layers that make their variables on the first call, inside a tf.function too."""

    class Lazy(tf.Module):
        w = None

        def __call__(self, x):
            if self.w is None:
                self.w = tf.Variable(tf.zeros([2]), name="w")
            return self.w * x

    for make in (lambda f: f, tf.function):
        m = Lazy()
        tf.train.Checkpoint(model=m).restore(saved)
        assert make(m)(tf.constant(3.0)).numpy().tolist() == [3, 6] and m.w.numpy().tolist() == [1, 2]


def test_whole_objects_that_appear_later(saved):
    c = tf.train.Checkpoint()
    status = c.restore(saved)
    c.model, c.g = Net(value=9.0), tf.random.Generator.from_seed(4)
    status.assert_consumed()
    assert numbers(c.model) == numbers(Net())


def test_a_variable_made_before_is_restored_when_it_becomes_an_attribute(saved):
    m, w = tf.Module(), tf.Variable([0.0, 0.0])
    tf.train.Checkpoint(model=m).restore(saved)
    assert w.numpy().tolist() == [0, 0]
    m.w = w
    assert w.numpy().tolist() == [1, 2]


def test_variables_that_belong_elsewhere_are_left_alone(saved):
    m = tf.Module()
    tf.train.Checkpoint(model=m).restore(saved)
    v = tf.Variable(8.0)
    assert float(v) == 8
    m.other = v
    assert float(v) == 8
    m.w = tf.Variable([0.0, 0.0])
    assert m.w.numpy().tolist() == [1, 2] and float(v) == 8


def test_a_late_variable_of_another_shape(saved):
    m = tf.Module()
    tf.train.Checkpoint(model=m).restore(saved)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"is float32\[2\], but the variable 'w:0' is float32\[3\]"
    ):
        m.w = tf.Variable([0.0, 0.0, 0.0], name="w")


def test_a_later_checkpoint_takes_the_place_of_an_earlier_one(saved, tmp_path):
    m = Net(value=20.0)
    second = tf.train.Checkpoint(model=m).save(tmp_path / "y")
    m = tf.Module()
    c = tf.train.Checkpoint(model=m)
    for path in (saved, second) * 5:
        c.restore(path)
    assert len(deferred.pending) <= 2  # only the first has a generator
    m.w = tf.Variable([0.0, 0.0])
    assert m.w.numpy().tolist() == [21, 22]


def test_a_deleted_file_still_gives_its_late_values(saved):
    m = tf.Module()
    tf.train.Checkpoint(model=m).restore(saved)
    os.unlink(saved + ".safetensors")
    m.w = tf.Variable([0.0, 0.0])
    assert m.w.numpy().tolist() == [1, 2]


def test_waiting_keeps_nothing_alive(saved):
    m = tf.Module()
    c = tf.train.Checkpoint(model=m)
    c.restore(saved)
    refs = [weakref.ref(m), weakref.ref(c)]
    del m, c
    gc.collect()
    assert [r() for r in refs] == [None, None]
    deferred.settle()
    assert not deferred.pending and tf.Variable._made is None
    v = tf.Variable(1.0)
    assert type(v) is tf.Variable


# -- reading without objects, managers --------------------------------------------------------------------------------------------------------


def test_reader(saved, tmp_path):
    r = tf.train.load_checkpoint(tmp_path)
    assert r.has_tensor("model/w" + SUFFIX) and not r.has_tensor("w")
    assert r.get_tensor("model/w" + SUFFIX).tolist() == [1, 2]
    assert r.get_variable_to_shape_map()["g/_state_var" + SUFFIX] == [3]
    assert r.get_variable_to_dtype_map()["model/t/0" + SUFFIX] is tf.int32
    assert b"model/w/.ATTRIBUTES/VARIABLE_VALUE (float32) [2]" in r.debug_string()
    for f in (r.get_tensor, lambda k: tf.train.load_variable(saved, k)):
        with pytest.raises(tf.errors.NotFoundError, match="Key nope not found in checkpoint"):
            f("nope")
    with pytest.raises(ValueError, match="Couldn't find 'checkpoint' file or checkpoints in given directory"):
        tf.train.load_checkpoint(os.path.dirname(tmp_path))


def test_manager(tmp_path):
    v = tf.Variable(0)
    m = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), tmp_path / "d", max_to_keep=2)
    assert m.latest_checkpoint is None and m.checkpoints == [] and m.restore_or_initialize() is None
    name = lambda n: str(tmp_path / "d" / f"ckpt-{n}")
    for i in range(1, 5):
        v.assign(i)
        assert m.save() == name(i) == m.latest_checkpoint
    assert m.checkpoints == [name(3), name(4)]
    assert sorted(os.listdir(tmp_path / "d")) == ["checkpoint", "ckpt-3.safetensors", "ckpt-4.safetensors"]
    state = tf.train.get_checkpoint_state(tmp_path / "d")
    assert state.model_checkpoint_path == name(4) and state.all_model_checkpoint_paths == [name(3), name(4)]
    assert len(state.all_model_checkpoint_timestamps) == 2
    # a new run
    w = tf.Variable(0)
    again = tf.train.CheckpointManager(tf.train.Checkpoint(v=w), tmp_path / "d", max_to_keep=2)
    assert again.checkpoints == [name(3), name(4)] and again.restore_or_initialize() == name(4) and int(w) == 4
    assert again.save() == name(5) and again.checkpoints == [name(4), name(5)]
    assert again.save(checkpoint_number=77) == name(77)


def test_manager_directory_can_be_moved(tmp_path):
    m = tf.train.CheckpointManager(tf.train.Checkpoint(v=tf.Variable(1)), tmp_path / "d", max_to_keep=2)
    m.save()
    os.rename(tmp_path / "d", tmp_path / "e")
    assert tf.train.latest_checkpoint(tmp_path / "e") == str(tmp_path / "e" / "ckpt-1")


def test_manager_intervals(tmp_path):
    step = tf.Variable(0)
    m = tf.train.CheckpointManager(tf.train.Checkpoint(s=step), tmp_path, 5, step_counter=step, checkpoint_interval=3)
    saved_at = []
    for _ in range(8):
        if m.save():
            saved_at.append(int(step))
        step.assign_add(1)
    assert saved_at == [0, 3, 6] and m.checkpoint_interval == 3
    assert m.save() is None and m.save(check_interval=False)


def test_manager_keeps_some_for_good(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("gradtape.saving.manager.time.time", lambda: now[0])
    m = tf.train.CheckpointManager(tf.train.Checkpoint(v=tf.Variable(0)), tmp_path, 1, keep_checkpoint_every_n_hours=1)
    for _ in range(7):
        m.save()
        now[0] += 1500
    # saved at 0, 1500, 3000, 4500, 6000, 7500, 9000 s: the first at least an hour old, and the next an hour after that one
    assert sorted(f for f in os.listdir(tmp_path) if f != "checkpoint") == ["ckpt-4.safetensors", "ckpt-7.safetensors"]


def test_manager_arguments(tmp_path):
    c = tf.train.Checkpoint(v=tf.Variable(0))
    with pytest.raises(ValueError, match="Expected a positive integer or `None` for `max_to_keep`, got 0"):
        tf.train.CheckpointManager(c, tmp_path, max_to_keep=0)
    with pytest.raises(ValueError, match="`step_counter` should be passed"):
        tf.train.CheckpointManager(c, tmp_path, max_to_keep=1, checkpoint_interval=2)
    called = []
    tf.train.CheckpointManager(c, tmp_path, None, init_fn=lambda: called.append(1)).restore_or_initialize()
    assert called == [1]


def test_a_damaged_list(tmp_path):
    (tmp_path / "checkpoint").write_text("model_checkpoint_path: ")
    with pytest.raises(tf.errors.DataLossError, match="has the line"):
        tf.train.latest_checkpoint(tmp_path)


def test_names_with_quotes_in_the_list(tmp_path):
    path = tf.train.Checkpoint(v=tf.Variable(0)).save(tmp_path / 'a "b" \\n ü')
    assert tf.train.latest_checkpoint(tmp_path) == path


def test_iterator(tmp_path):
    c = tf.train.Checkpoint(v=tf.Variable(0))
    it = tf.train.checkpoints_iterator(tmp_path, timeout=0)
    first = c.save(tmp_path / "x")
    assert next(it) == first
    second = c.save(tmp_path / "x")
    assert next(it) == second and list(it) == []
    asked = []
    assert (
        list(
            tf.train.checkpoints_iterator(
                tmp_path / "none", timeout=0, timeout_fn=lambda: asked.append(1) or len(asked) == 2
            )
        )
        == []
    )
    assert len(asked) == 2


CHILD = """
    import sys, itertools
    import gradtape as tf
    v, w = tf.Variable(tf.zeros([100_000])), tf.Variable(0.0)
    m = tf.train.CheckpointManager(tf.train.Checkpoint(v=v, w=w), sys.argv[1], max_to_keep=2)
    m.restore_or_initialize()
    while True:
        v.assign_add(tf.ones_like(v)), w.assign_add(1.0)
        m.save()
        print(float(w), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_training_killed_at_any_moment_goes_on(tmp_path):
    """There is always a latest checkpoint, it is whole, and it is no older than the last save that returned."""
    rng, last = random.Random(2), 0.0
    for _ in range(8):
        p = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        p.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        p.send_signal(signal.SIGKILL)
        told = p.stdout.read().split()
        p.wait()
        v, w = tf.Variable(tf.zeros([100_000])), tf.Variable(0.0)
        c = tf.train.Checkpoint(v=v, w=w)
        m = tf.train.CheckpointManager(c, tmp_path, max_to_keep=2)
        c.restore(m.latest_checkpoint).assert_consumed()
        assert {*v.numpy().tolist()} == {float(w)} and float(w) >= float(told[-1] if told else last + 1)
        last = float(w)
