"""``tf.saved_model``: functions come back without their source, compute, differentiate and train as before; files that lie do no harm."""

import collections
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import gradtape as tf
from gradtape.saving import export, store


def same(a, b):
    """Bit by bit."""
    a, b = tf.nest.flatten(a), tf.nest.flatten(b)
    bits = lambda x: (x.dtype, x.tolist() if x.dtype == object else (x.shape, x.tobytes()))
    equal = lambda x, y: (
        bits(np.asarray(x)) == bits(np.asarray(y)) if tf.is_tensor(x) or isinstance(x, np.ndarray) else x == y
    )
    return len(a) == len(b) and all([equal(x, y) for x, y in zip(a, b, strict=True)])


def through_file(obj, path, **kwargs):
    tf.saved_model.save(obj, path, **kwargs)
    return tf.saved_model.load(path)


def module_of(f, *calls, **parts):
    """A module with the tf.function ``f``, traced by calls with these arguments."""
    m = tf.Module()
    for name, part in parts.items():
        setattr(m, name, part)
    m.f = f if hasattr(f, "get_concrete_function") else tf.function(f)
    for args in calls:
        m.f(*args)
    return m


class Line(tf.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = tf.Variable([[1.0, 2.0]], name="a"), tf.Variable(0.5, trainable=False, name="b")

    @tf.function(input_signature=[tf.TensorSpec([None, 1], name="inp")])
    def __call__(self, x):
        return tf.matmul(x, self.a) + self.b

    @tf.function
    def scaled(self, x, scale=2.0, *, flag=True):
        if flag:
            return {"y": self(x) * scale, "rest": (x, None, "text", 5)}
        return x

    @tf.function(input_signature=[])
    def step(self):
        self.a.assign_add(tf.ones_like(self.a))
        return self.a + 0.0

    @tf.function
    def never(self, x):
        return x

    def python(self, x):
        return x


X = tf.constant([[1.0], [2.0], [3.0]])


@pytest.fixture
def line():
    m = Line()
    m.scaled(X)
    m.scaled(X, 3.0)
    m.scaled(X, flag=False)
    return m


# -- what comes back ---------------------------------------------------------------------------------------------------------------------


def test_objects(tmp_path):
    m = Line()
    pair = collections.namedtuple("Pair", "p q")
    m.parts = [Line(), {"k": tf.Variable(2.0), "l": (tf.Variable(3), pair(tf.Variable(4.0), ()))}]
    m.alias, m.constant, m.generator = m.a, tf.constant(["x", "y"]), tf.random.Generator.from_seed(3)
    m.number, m.text = 3, "x"
    n = through_file(m, tmp_path / "m")
    assert os.listdir(tmp_path / "m") == ["saved_model.safetensors"]
    assert (
        n.a is n.alias
        and n.a.name == "a:0"
        and n.a.numpy().tolist() == [[1, 2]]
        and n.a.trainable
        and not n.b.trainable
    )
    assert len(n.variables) == len(m.variables) and len(n.trainable_variables) == len(m.trainable_variables)
    assert isinstance(n.parts[0], tf.Module) and float(n.parts[1]["k"]) == 2 and int(n.parts[1]["l"][0]) == 3
    assert float(n.parts[1]["l"][1].p) == 4 and n.parts[1]["l"][1]._fields == ("p", "q") and n.parts[1]["l"][1].q == ()
    assert n.constant.numpy().tolist() == [b"x", b"y"] and n.name == "Line"
    assert n.generator.normal([3]).numpy().tolist() == m.generator.normal([3]).numpy().tolist()
    for gone in ("number", "text", "python"):
        assert not hasattr(n, gone)


def test_cycles(tmp_path):
    m = tf.Module()
    m.me, m.child = m, tf.Module()
    m.child.parent, m.child.v = [m], tf.Variable(1.0)
    n = through_file(m, tmp_path)
    assert n.me is n and n.child.parent[0] is n and float(n.child.v) == 1


def test_functions(line, tmp_path):
    n = through_file(line, tmp_path)
    assert (
        same(n(X), line(X))
        and same(n(np.ones([7, 1], np.float32)), line(tf.ones([7, 1])))
        and same(n([[1.0]]), line([[1.0]]))
    )
    assert (
        same(n.scaled(X), line.scaled(X))
        and n.scaled(X)["rest"][1] is None
        and n.scaled(X)["rest"][2].numpy() == b"text"
    )
    assert (
        same(n.scaled(X, 3.0), line.scaled(X, 3.0))
        and same(n.scaled(x=X, scale=3.0), line.scaled(X, 3.0))
        and same(n.scaled(X, flag=False), X)
    )
    assert same(n.step(), line.step()) and same(n.a, line.a) and n.a.numpy().tolist() == [[2, 3]]
    assert len(n.scaled.concrete_functions) == 3 and "RestoredFunction scaled" in repr(n.scaled)


def test_gradients_of_any_order(line, tmp_path):
    n = through_file(line, tmp_path)
    results = []
    for m in (line, n):
        x = tf.constant([[0.5], [1.5]])
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(m(x) ** 3)
            first = tape.gradient(y, x)
        results.append([y, first, outer.gradient(first, [x, m.a]), outer.jacobian(first, x)])
    assert same(*results)


def test_training_a_loaded_model(tmp_path):
    n = through_file(Line(), tmp_path)
    target = tf.constant([[3.5, -0.5], [6.5, -1.5], [9.5, -2.5]])

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((n(X) - target) ** 2)
        for g, v in zip(tape.gradient(loss, n.trainable_variables), n.trainable_variables, strict=True):
            v.assign_sub(0.05 * g)
        return loss

    losses = [float(train()) for _ in range(200)]
    assert losses[-1] < 1e-6 * losses[0] and np.allclose(n.a.numpy(), [[3, -1]], atol=1e-3)


def test_saved_again(line, tmp_path):
    n = through_file(line, tmp_path / "one")
    n.a.assign_add([[1.0, 1.0]])
    k = through_file(n, tmp_path / "two")
    assert same(k(X), n(X)) and same(k.scaled(X, flag=False), X) and same(k.a, n.a)


def test_in_a_checkpoint(line, tmp_path):
    path = tf.train.Checkpoint(line).write(tmp_path / "c")
    n = through_file(line, tmp_path / "m")
    n.a.assign([[0.0, 0.0]])
    tf.train.Checkpoint(n).read(path).assert_consumed()
    assert same(n.a, line.a)


def test_without_the_source(tmp_path):
    """In a process that knows nothing of the class."""
    line = Line()
    tf.saved_model.save(line, tmp_path)
    code = f"""
        import gradtape as tf
        m = tf.saved_model.load({str(tmp_path)!r})
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(m(tf.constant([[2.0]])))
        print(float(y), tape.gradient(y, m.a).numpy().tolist())
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[0] == "7.0 [[2.0, 2.0]]"


V, W = tf.Variable([1.0, -2.0, 3.0]), tf.Variable(2.0)


def loops(x, n):
    y = x
    for i in tf.range(n):
        if i % 2 == 0:
            y = y * W + V
        elif tf.reduce_sum(y) > 100.0:
            break
    while tf.reduce_sum(tf.abs(y)) < 50.0:
        y *= 1.5
    return y


@tf.custom_gradient
def doubled(x):
    return x * 1.0, lambda g: 2.0 * g * W


def open_shapes(x):
    y = tf.reshape(x, [-1, tf.shape(x)[1], 1]) + tf.zeros(tf.shape(x))[..., None]
    return tf.tile(y, [1, 1, 2])[:, :, 0] * tf.cast(tf.shape(x)[0], tf.float32) + tf.random.stateless_normal(
        tf.shape(x), [1, 2]
    )


def summed(x, n):
    array = tf.TensorArray(tf.float32, size=n)
    for i in tf.range(n):
        array = array.write(i, x * tf.cast(i, tf.float32))
    return tf.reduce_sum(array.stack() * W, 0)


def nested_gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.sin(x) * V)
    return tape.gradient(y, x)


PROGRAMS = {
    "arithmetic": (lambda x: tf.nn.softmax(x * W + V) @ tf.ones([3, 2]), [tf.TensorSpec([None, 3])], [tf.ones([2, 3])]),
    "loops": (loops, [tf.TensorSpec([3]), tf.TensorSpec([], tf.int32)], [tf.constant([0.1, 0.2, 0.3]), tf.constant(5)]),
    "cond": (lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * V, lambda: -x), [tf.TensorSpec([3])], [tf.constant([1.0, 2.0, -1.0])]),
    "custom gradient": (lambda x: doubled(x * x), [tf.TensorSpec([3])], [tf.constant([1.0, 2.0, 3.0])]),
    "open shapes": (open_shapes, [tf.TensorSpec([None, None])], [tf.ones([4, 3])]),
    "tensor array": (summed, [tf.TensorSpec([3]), tf.TensorSpec([], tf.int32)], [tf.ones([3]), tf.constant(4)]),
    "a gradient inside": (nested_gradient, [tf.TensorSpec([3])], [tf.constant([1.0, 2.0, 3.0])]),
    "map": (lambda x: tf.map_fn(lambda r: r * tf.reduce_sum(r * W), x), [tf.TensorSpec([None, 3])], [tf.ones([2, 3])]),
    "scan": (lambda x: tf.scan(lambda a, r: a * W + r, x), [tf.TensorSpec([4])], [tf.constant([1.0, 2.0, 3.0, 4.0])]),
    "indexing": (lambda x: tf.gather(x[1:, ::-1], [0, 1], axis=1) * tf.one_hot([1], 2) + x[..., :1][1:], [tf.TensorSpec([None, 3])], [tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])]),
    "convolution": (lambda x: tf.nn.conv2d(x, tf.ones([2, 2, 1, 1]) * W, 1, "SAME"), [tf.TensorSpec([1, 4, 4, 1])], [tf.ones([1, 4, 4, 1])]),
    "constants": (lambda x: x * tf.constant([1.0, -0.0, 2.5e-40]) + tf.constant([1e-45, float("nan"), float("inf")]), [tf.TensorSpec([3])], [tf.constant([1.0, 2.0, 3.0])]),
    "assertions": (lambda x: (tf.debugging.assert_positive(x), x * W)[1], [tf.TensorSpec([3])], [tf.constant([1.0, 2.0, 3.0])]),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, tmp_path):
    """Values and gradients are the same bits, with the inputs that were seen and with others."""
    f, signature, args = PROGRAMS[name]
    m = module_of(tf.function(f, input_signature=signature), v=V, w=W)
    n = through_file(m, tmp_path)
    results = []
    for one in (m, n):
        with tf.GradientTape() as tape:
            tape.watch(args[0])
            y = one.f(*args)
        results.append([y, tape.gradient(y, [args[0], one.v, one.w])])
    assert same(*results), results
    if None in signature[0].shape:
        other = tf.concat([args[0], args[0]], 0)
        assert same(m.f(other, *args[1:]), n.f(other, *args[1:]))


def test_traced_inside_other_functions(tmp_path):
    n = through_file(Line(), tmp_path)
    outer = tf.function(lambda x: tf.reduce_sum(n(x) * 2.0))
    with tf.GradientTape() as tape:
        y = outer(X)
    assert float(y) == 2 * float(tf.reduce_sum(n(X))) and tape.gradient(y, n.a).numpy().tolist() == [[12, 12]]
    assert n(tf.vectorized_map(lambda x: x, X)).shape == [3, 2]


def test_effects(tmp_path, capsys):
    @tf.function(input_signature=[tf.TensorSpec([])])
    def f(x):
        tf.print("x is", x, output_stream=sys.stdout)
        tf.debugging.assert_less(x, 5.0, message="too large")
        if x > 3.0:
            raise KeyError("above 3")
        return x

    n = through_file(module_of(f), tmp_path)
    assert float(n.f(2.0)) == 2 and capsys.readouterr().out == "x is 2\n"
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
        n.f(6.0)
    with pytest.raises(KeyError, match="above 3"):
        n.f(4.0)


def test_random_state_goes_on(tmp_path):
    g = tf.random.Generator.from_seed(1)
    m = module_of(tf.function(lambda: g.normal([2]), input_signature=[]), g=g)
    n = through_file(m, tmp_path)
    assert [n.f().numpy().tolist() for _ in range(3)] == [m.f().numpy().tolist() for _ in range(3)]
    assert same(n.g.state, m.g.state)


ARGUMENTS = {
    "a nest": (lambda d: d["a"][0] * d["b"], ({"a": [tf.constant(2.0), 1], "b": tf.constant(3.0)},)),
    "a named tuple": (lambda p: p.x * p.y, (collections.namedtuple("P", "x y")(tf.constant(2.0), tf.constant(3.0)),)),
    "any number": (lambda *xs: tf.add_n(xs), (tf.constant(1.0), tf.constant(2.0), tf.constant(3.0))),
    "Python values": (lambda x, n, s, b, z, t: x * n if s == "k" and b and z is None else x + t[0], (tf.constant(2.0), 3, "k", True, None, (1.5, "u"))),
    "complex and strings": (lambda z, s: (tf.math.real(z), s), (tf.constant(1 + 2j), tf.constant(["a", "b"]))),
    "a dtype": (lambda x, d: tf.cast(x, d), (tf.constant(2.5), tf.int32)),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(name, tmp_path):
    f, args = ARGUMENTS[name]
    m = module_of(f, args)
    n = through_file(m, tmp_path)
    assert same(n.f(*args), m.f(*args))


def test_results(tmp_path):
    Out = collections.namedtuple("Out", "a b")
    f = lambda x: {
        "z": [x, (x + 1.0, None)],
        "o": Out(x, {"k": x * 2.0}),
        "s": tf.IndexedSlices(tf.stack([x]), tf.constant([1]), (3,)),
    }
    n = through_file(module_of(f, (tf.constant(1.0),)), tmp_path)
    r = n.f(tf.constant(1.0))
    assert (
        float(r["z"][1][0]) == 2
        and r["z"][1][1] is None
        and type(r["z"]) is list
        and r["o"]._fields == ("a", "b")
        and float(r["o"].b["k"]) == 2
    )
    assert isinstance(r["s"], tf.IndexedSlices) and tf.convert_to_tensor(r["s"]).numpy().tolist() == [0, 1, 0]


def test_variables_that_nothing_else_leads_to(tmp_path):
    """Saved all the same, and found by the loaded object. (TensorFlow refuses to save.)"""
    v = tf.Variable(7.0)
    n = through_file(module_of(tf.function(lambda x: x * v, input_signature=[tf.TensorSpec([])])), tmp_path)
    assert float(n.f(2.0)) == 14 and [float(x) for x in n.trainable_variables] == [7]
    n.trainable_variables[0].assign(1.0)
    assert float(n.f(2.0)) == 2


def test_concrete_functions(tmp_path):
    m = tf.Module()
    m.c = tf.function(lambda x, k: x * k).get_concrete_function(tf.TensorSpec([None]), 3.0)
    n = through_file(m, tmp_path)
    assert n.c(tf.constant([1.0, 2.0])).numpy().tolist() == [3, 6]


def test_variables_of_open_shape(tmp_path):
    m = module_of(tf.function(lambda: m.v * 2.0, input_signature=[]), v=tf.Variable([1.0], shape=[None]))
    n = through_file(m, tmp_path)
    n.v.assign([1.0, 2.0])
    assert n.f().numpy().tolist() == [2, 4]


def test_fast_math_is_kept(tmp_path):
    n = through_file(
        module_of(tf.function(lambda x: x * 2.0, input_signature=[tf.TensorSpec([])], fast_math=True)), tmp_path
    )
    assert n.f.concrete_functions[0].program.compiler.keywords == {"fast_math": True} and float(n.f(2.0)) == 4


# -- signatures --------------------------------------------------------------------------------------------------------------------------


def test_signatures(tmp_path):
    m = tf.Module()
    m.f = tf.function(lambda x: (x, x + 1.0), input_signature=[tf.TensorSpec([])])
    m.g = tf.function(lambda a, b: {"s": a + b, "d": a - b})
    g = m.g.get_concrete_function(tf.TensorSpec([None]), tf.TensorSpec([None], name="bee"))
    n = through_file(m, tmp_path, signatures={"one": m.f, "two": g})
    assert list(n.signatures) == ["one", "two"] and len(n.signatures) == 2
    r = n.signatures["one"](x=3.0)
    assert {k: float(v) for k, v in r.items()} == {"output_0": 3, "output_1": 4} and same(
        n.signatures["one"](tf.constant(3.0)), r
    )
    r = n.signatures["two"](a=tf.constant([1.0]), bee=[5.0])
    assert {k: v.numpy().tolist() for k, v in r.items()} == {"s": [6], "d": [-4]}
    with pytest.raises(KeyError):
        n.signatures["three"]
    two = n.signatures["two"]
    assert [s.name for s in two.structured_input_signature[1].values()] == ["a", "bee"] and two.structured_outputs[
        "s"
    ].shape.rank == 1
    for args, kwargs, message in (
        ((1.0, 2.0), {}, "takes its arguments by name: a, bee"), ((), {"a": [1.0]}, "takes the arguments"), ((), {"a": [1.0], "bee": [[1.0]]}, "bee: .*for TensorSpec"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=message):
            two(*args, **kwargs)


def test_the_default_signature(tmp_path):
    m = module_of(tf.function(lambda x: x * 2.0, input_signature=[tf.TensorSpec([None], name="inp")]))
    n = through_file(m, tmp_path / "one")
    assert n.signatures["serving_default"](inp=tf.constant([2.0]))["output_0"].numpy().tolist() == [4]
    m.g = tf.function(lambda x: x, input_signature=[tf.TensorSpec([])])
    assert len(through_file(m, tmp_path / "two").signatures) == 0
    assert list(through_file(m, tmp_path / "three", signatures=m.g).signatures) == ["serving_default"]


# -- what is refused -----------------------------------------------------------------------------------------------------------------------


def test_arguments_that_no_trace_was_made_for(line, tmp_path):
    n = through_file(line, tmp_path)
    with pytest.raises(ValueError) as e:
        n.scaled(X, 7.0)
    text = str(e.value)
    assert (
        "Could not find matching concrete function to call loaded from the SavedModel" in text
        and "scale: Literal[7.0]" in text
        and "Option 3" in text
    )
    for args in ((tf.ones([2, 1]),), (X, 3), (tf.cast(X, tf.float64),), (X, True)):
        with pytest.raises(ValueError, match="Could not find matching"):
            n.scaled(*args)
    with pytest.raises(TypeError, match="too many positional"):
        n.scaled(X, 1.0, 2.0)
    with pytest.raises(ValueError, match="Found zero restored functions for caller function: never was never called"):
        n.never(X)


def test_traces_that_hold_python_are_left_out_with_the_reason(tmp_path):
    class Thing:
        pass

    f = tf.function(lambda x, k: x)
    f(tf.constant(1.0), 2)
    f(tf.constant(1.0), Thing())
    m = module_of(f)
    m.py = tf.function(lambda x: tf.py_function(lambda v: v, [x], tf.float32), input_signature=[tf.TensorSpec([])])
    n = through_file(m, tmp_path)
    assert float(n.f(tf.constant(3.0), 2)) == 3
    with pytest.raises(ValueError, match=r"Not saved: <lambda> cannot be saved: .*Thing"):
        n.f(tf.constant(3.0), 4)
    with pytest.raises(
        ValueError, match=r"py_function calls Python, which a file does not hold \(line \d+ of test_saved_model.py\)"
    ):
        n.py(1.0)


REFUSED = {
    "a list": (lambda p: tf.saved_model.save([tf.Variable(1.0)], p), "Expected an object of type `Trackable`"),
    "an object": (lambda p: tf.saved_model.save(object(), p), "Expected an object of type `Trackable`"),
    "a signature without a signature": (lambda p: tf.saved_model.save(tf.Module(), p, tf.function(lambda x: x)), "Only `tf.functions` with an input signature"),
    "a number for a signature": (lambda p: tf.saved_model.save(tf.Module(), p, 3), "but got 3"),
    "nested results of a signature": (lambda p: tf.saved_model.save(tf.Module(), p, tf.function(lambda x: (x, {"b": x}), input_signature=[tf.TensorSpec([])])), "must be a single Tensor, a sequence"),
    "two inputs of one name": (lambda p: tf.saved_model.save(tf.Module(), p, tf.function(lambda x, y: x, input_signature=[tf.TensorSpec([], name="a"), tf.TensorSpec([], name="a")])), "need different names"),
    "Python in a signature": (lambda p: tf.saved_model.save(tf.Module(), p, tf.function(lambda x: tf.py_function(lambda v: v, [x], tf.float32), input_signature=[tf.TensorSpec([])])), "calls Python"),
    "printing to a file": (lambda p: tf.saved_model.save(tf.Module(), p, tf.function(lambda x: (tf.print(x, output_stream="file://x"), x)[1], input_signature=[tf.TensorSpec([])])), "must not write others"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    f, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        f(tmp_path)
    assert os.listdir(tmp_path) == []


def test_not_inside_functions(tmp_path):
    with pytest.raises(NotImplementedError, match=r"inside a tf\.function"):
        tf.function(lambda: tf.saved_model.save(tf.Module(), tmp_path))()


def test_nothing_to_load(tmp_path):
    with pytest.raises(tf.errors.NotFoundError, match="SavedModel file does not exist at"):
        tf.saved_model.load(tmp_path)
    assert not tf.saved_model.contains_saved_model(tmp_path)
    tf.saved_model.save(tf.Module(), tmp_path)
    assert tf.saved_model.contains_saved_model(tmp_path)


# -- files that lie ------------------------------------------------------------------------------------------------------------------------


def forged(path, change):
    """The file with its program changed and its checksums right."""
    file = os.path.join(path, export.FILE)
    reader = store.Reader(file, export.KIND)
    tensors = {name: reader.get(name) for name in reader.entries}
    program = json.loads(tensors["program"])
    text = change(program)
    tensors["program"] = text if isinstance(text, bytes) else json.dumps(program).encode()
    store.write(file, tensors, {"kind": export.KIND, **{k: v for k, v in reader.metadata.items() if k != "kind"}})


def function_of(program):
    return next(o for o in program["objects"] if o["kind"] == "function")


def graph_of(program):
    return function_of(program)["traces"][0]["graph"]


def named(rows, name):
    return next(n for n in rows if n["p"] == name)


def change_node(**new):
    return lambda program: graph_of(program)["nodes"][0].update(new)


LIES = {
    "an unknown operation": (change_node(p="frobnicate"), tf.errors.UnimplementedError, "operation 'frobnicate', which this gradtape does not have: it was saved by gradtape"),
    "Python": (change_node(p="py_function"), tf.errors.UnimplementedError, "operation 'py_function'"),
    "an operation that is no name": (change_node(p=["sin"]), tf.errors.UnimplementedError, "does not have"),
    "too many inputs": (lambda p: graph_of(p)["nodes"][0]["in"].append(0), tf.errors.DataLossError, "inputs"),
    "a value of the future": (lambda p: graph_of(p)["nodes"][0]["in"].__setitem__(0, 99), tf.errors.DataLossError, "number 99"),
    "another shape": (lambda p: graph_of(p)["nodes"][0]["out"].__setitem__(0, ["float32", [7, 7]]), tf.errors.DataLossError, "gives"),
    "an unknown dtype": (lambda p: graph_of(p)["inputs"].__setitem__(0, ["float99", []]), tf.errors.UnimplementedError, "float99"),
    "a negative dimension": (lambda p: graph_of(p)["inputs"].__setitem__(0, ["float32", [-1]]), tf.errors.DataLossError, "shape"),
    "an attribute that is none": (change_node(attrs={"axis": 3}), tf.errors.DataLossError, "does not take"),
    "an unknown kind of value": (change_node(attrs={"axis": {"pickle": "x"}}), tf.errors.UnimplementedError, "kind 'pickle'"),
    "a function that is not public": (change_node(p="late", attrs={"call": {"call": {"f": ["os", "system"], "form": None, "leaves": ["ls"], "at": []}}, "avals": {"t": []}}), tf.errors.UnimplementedError, "os.system"),
    "a function of gradtape's own": (change_node(p="late", attrs={"call": {"call": {"f": ["gradtape.saving.store", "write_text"], "form": None, "leaves": [], "at": []}}, "avals": {"t": []}}), tf.errors.UnimplementedError, "write_text"),
    "a module that is none": (change_node(attrs={"x": {"nt": ["gradtape.primitives.elementwise", "math", []]}}), tf.errors.UnimplementedError, "math"),
    "a class that is no error": (change_node(p="raise", attrs={"error": {"e": ["builtins", "exec", "1"]}}), tf.errors.DataLossError, "class 'exec'"),
    "an error that ends the process": (change_node(p="raise", attrs={"error": {"e": ["builtins", "SystemExit", "1"]}}), tf.errors.DataLossError, "SystemExit"),
    "names that are code": (change_node(attrs={"x": {"nt": ["", "A", [["x=print(1)", 0]]]}}), tf.errors.DataLossError, "no names"),
    "printing to a file": (change_node(p="print", out=[], attrs={"form": None, "stream": "file://x", "sep": "", "summarize": 1, "end": ""}), tf.errors.DataLossError, "print to a file"),
    "too few results": (lambda p: graph_of(p).update(outputs=[]), tf.errors.DataLossError, "do not fit together"),
    "a result that is none": (lambda p: function_of(p)["traces"][0].update(outputs=[5]), tf.errors.DataLossError, "do not fit together"),
    "a function for a variable": (lambda p: function_of(p)["traces"][0].update(variables=[0]), tf.errors.DataLossError, "no variable"),
    "an object of no number": (lambda p: p["objects"][0]["children"].update(v=99), tf.errors.DataLossError, "number 99"),
    "an object of no kind": (lambda p: p["objects"][0].update(kind="code"), tf.errors.DataLossError, "kind 'code'"),
    "no objects": (lambda p: p.pop("objects"), tf.errors.DataLossError, "KeyError"),
    "a tensor that is not there": (lambda p: next(o for o in p["objects"] if o["kind"] == "variable").update(value="x"), tf.errors.NotFoundError, "Key x"),
    "nesting without end": (lambda p: b'{"objects":' + b"[" * 100_000, tf.errors.DataLossError, "RecursionError"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_file_that_lies(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, error, message = LIES[name]
    m = module_of(tf.function(lambda x: tf.sin(x * m.v), input_signature=[tf.TensorSpec([])]), v=tf.Variable(2.0))
    tf.saved_model.save(m, "model")
    forged("model", lambda program: program.update(signatures={}))
    assert float(tf.saved_model.load("model").f(0.0)) == 0
    forged("model", change)
    with pytest.raises(error, match=message):
        tf.saved_model.load("model")
    assert os.listdir() == ["model"] and os.listdir("model") == [export.FILE]


def test_a_file_cut_off(tmp_path):
    tf.saved_model.save(Line(), tmp_path)
    file = tmp_path / export.FILE
    raw = file.read_bytes()
    for n in range(0, len(raw), 97):
        file.write_bytes(raw[:n])
        with pytest.raises(tf.errors.DataLossError):
            tf.saved_model.load(tmp_path)


def test_every_row_can_be_written(tmp_path):
    """The attributes of each row's test cases have a notation, and come back equal."""
    from gradtape.primitives import complete
    from gradtape.saving import notation

    rng = np.random.default_rng(0)
    met = 0
    for p in complete().values():
        for _, attrs in p.cases(rng) if p.cases else ():
            writer = notation.Writer()
            text = json.dumps({k: writer.value(v) for k, v in attrs.items()})
            reader = notation.Reader(writer.tensors.__getitem__, "test")
            back = {k: reader.value(v) for k, v in json.loads(text).items()}
            again = {k: notation.Writer().value(v) for k, v in back.items()}
            assert json.dumps(again) == text, p.name
            met += len(attrs)
    assert met > 300


def test_a_program_that_only_loads_knows_every_row():
    code = """
        import importlib, pkgutil
        import gradtape, gradtape.saving.notation
        from gradtape.ground.primitive import TABLE
        from gradtape.primitives import complete
        known = set(complete())
        for part in ("gradient", "tracing"):
            folder = importlib.import_module(f"gradtape.{part}")
            for m in pkgutil.walk_packages(folder.__path__, folder.__name__ + "."):
                importlib.import_module(m.name)
        print(sorted(set(complete()) - known))
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
