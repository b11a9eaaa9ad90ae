"""``tf.Module`` and ``tf.name_scope``: what TensorFlow 2.21 gives, by values taken from it."""

import collections
import copy
import pickle
import threading

import pytest

import gradtape as tf


class Dense(tf.Module):
    def __init__(self, n, name=None):
        super().__init__(name)
        with self.name_scope:
            self.w = tf.Variable(tf.ones([n]), name="w")
            self.b = tf.Variable(0.0, name="b", trainable=False)


class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.z = Dense(1)
        self.layers = [Dense(2), (Dense(3), {"k": tf.Variable(4.0), "a": tf.Variable(5)})]
        self.a = tf.Variable(6.0)
        self.again = self.layers[0]
        self.number, self.text, self.nothing = 3, "x", None


def test_variables_come_by_attribute_and_each_once():
    n = Net()
    in_list = n.layers[1][1]
    own = [n.a, in_list["a"], in_list["k"]]
    first, second = n.layers[0], n.layers[1][0]
    want = [*own, first.b, first.w, second.b, second.w, n.z.b, n.z.w]
    assert [id(v) for v in n.variables] == [id(v) for v in want]
    assert [id(v) for v in n.trainable_variables] == [id(v) for v in want if v.trainable]
    assert [id(v) for v in n.non_trainable_variables] == [id(v) for v in want if not v.trainable]
    assert isinstance(n.variables, tuple)


def test_submodules():
    n = Net()
    assert [id(m) for m in n.submodules] == [id(m) for m in (n.layers[0], n.layers[1][0], n.z)]
    a, b = tf.Module(), tf.Module()
    a.b, b.a = b, a
    assert a.submodules == (b,) and b.submodules == (a,)


def test_flatten():
    n = Net()
    paths = [p for p, _ in n._flatten(predicate=lambda x: isinstance(x, tf.Variable), with_path=True)]
    assert paths == [
        ("a",), ("layers", 1, 1, "a"), ("layers", 1, 1, "k"), ("again", "b"), ("again", "w"), ("layers", 0, "b"), ("layers", 0, "w"),
        ("layers", 1, 0, "b"), ("layers", 1, 0, "w"), ("z", "b"), ("z", "w"),
    ]  # fmt: skip
    shallow = list(n._flatten(recursive=False, predicate=lambda x: isinstance(x, tf.Variable)))
    assert len(shallow) == 3
    backwards = next(
        iter(n._flatten(predicate=lambda x: isinstance(x, str | int), attribute_traversal_key=lambda k: -ord(k[0])))
    )
    assert backwards == "x"


def test_paths_without_end_are_refused():
    a = tf.Module()
    a.child = tf.Module()
    a.child.parent = a
    assert a.submodules == (a.child,)
    with pytest.raises(ValueError, match=r"child.parent contains itself"):
        list(a._flatten(with_path=True))


def test_named_tuples_and_mappings():
    Pair = collections.namedtuple("Pair", "p q")
    m = tf.Module()
    m.x = Pair(tf.Variable(1.0), collections.OrderedDict(z=tf.Variable(2.0), y=tf.Variable(3.0)))
    assert [float(v) for v in m.variables] == [1, 3, 2]


def test_ignored_properties():
    class Quiet(tf.Module):
        _TF_MODULE_IGNORED_PROPERTIES = frozenset(["hidden"]) | tf.Module._TF_MODULE_IGNORED_PROPERTIES

    m = Quiet()
    m.hidden, m.seen = tf.Variable(1.0), tf.Variable(2.0)
    assert [id(v) for v in m.variables] == [id(m.seen)]


def test_a_module_without_init_has_variables_but_no_name():
    class Bare(tf.Module):
        def __init__(self):
            self.v = tf.Variable(1.0)

    assert len(Bare().variables) == 1
    with pytest.raises(AttributeError, match="_name"):
        Bare().name


@pytest.mark.parametrize(
    ("cls", "want"),
    [
        ("FooBarHTTP2Net", "foo_bar_http2_net"),
        ("A", "a"),
        ("ABC", "abc"),
        ("MyMLP", "my_mlp"),
        ("layer", "layer"),
        ("Conv2D", "conv2_d"),
    ],
)
def test_default_names(cls, want):
    m = type(cls, (tf.Module,), {})()
    assert m.name == want and m.name_scope.name == want + "/"


@pytest.mark.parametrize("name", ["1a", "a/b", "", "a b"])
def test_names_are_identifiers(name):
    with pytest.raises(ValueError, match="is not a valid module name"):
        tf.Module(name)


def test_copies_and_pickles():
    n = Net()
    for c in (copy.deepcopy(n), pickle.loads(pickle.dumps(Dense(2, "d")))):
        assert c.variables[0] is not n.variables[0] and [v.name for v in c.variables]
    assert [v.name for v in copy.deepcopy(n).variables] == [v.name for v in n.variables]


# -- name scopes --------------------------------------------------------------------------------------------------------------------


def test_name_scopes_nest():
    with tf.name_scope("a") as s:
        assert s == "a/" and tf.Variable(1.0, name="v").name == "a/v:0"
        with tf.name_scope("b") as s:
            assert s == "a/b/" and tf.Variable(1.0).name == "a/b/Variable:0"
        with tf.name_scope("b/") as s:
            assert s == "b/" and tf.Variable(1.0).name == "b/Variable:0"
        with tf.name_scope("") as s:
            assert s == "" and tf.Variable(1.0).name == "Variable:0"
        assert tf.Variable(1.0).name == "a/Variable:0"
    assert tf.Variable(1.0).name == "Variable:0" and tf.name_scope("a").name == "a"


@pytest.mark.parametrize("name", [1, None])
def test_a_scope_needs_a_string(name):
    with pytest.raises(ValueError, match="must be a string"):
        tf.name_scope(name)


def test_scopes_end_with_errors_and_belong_to_a_thread():
    with pytest.raises(KeyError), tf.name_scope("a"):
        raise KeyError
    names = []
    with tf.name_scope("a"):
        t = threading.Thread(target=lambda: names.append(tf.Variable(1.0, name="v").name))
        t.start()
        t.join()
    assert names == ["v:0"]


def test_modules_name_their_variables():
    assert [v.name for v in Dense(1, "d").variables] == ["d/b:0", "d/w:0"]
    with tf.name_scope("outer"):
        m = Dense(1)
    assert m.name_scope.name == "outer/dense/" and m.w.name == "outer/dense/w:0"


def test_with_name_scope_also_in_functions():
    class Lazy(tf.Module):
        w = None

        @tf.Module.with_name_scope
        def __call__(self, x):
            """Doc."""
            if self.w is None:
                self.w = tf.Variable(2.0, name="w")
            return self.w * x

    m = Lazy()
    f = tf.function(m)
    assert float(f(tf.constant(3.0))) == 6 and m.w.name == "lazy/w:0" and Lazy.__call__.__doc__ == "Doc."


def test_a_copy_in_a_scope_keeps_its_name():
    v = tf.Variable(1.0, name="v")
    with tf.name_scope("a"):
        assert copy.deepcopy(v).name == "v:0"


def test_gradients_with_respect_to_a_module():
    m = Dense(3)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(m.w * [1.0, 2.0, 3.0])
    (g,) = tape.gradient(y, m.trainable_variables)
    assert g.numpy().tolist() == [1, 2, 3]
