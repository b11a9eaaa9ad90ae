"""Clean-up of graphs: never a float's bits changed, effects kept in order, and less to do."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gradtape as tf
from gradtape.ground.graph import Graph, interpret
from gradtape.ground.primitive import Aval
from gradtape.primitives import complete
from gradtape.tracing import interpreter, simplify
from gradtape.tracing.control import cond, while_loop
from gradtape.tracing.trace import Trace

from .forms import derivative, graph, numpy_graph

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e-310, 3e38, 0.1, 2.0, -7.5])


def traced(f, *avals):
    """The graph of ``f`` as tracing made it, before any clean-up."""
    trace = Trace("f")
    with trace:
        out = f(*[trace.input(a, "x") for a in avals])
        return trace.finish([tf.convert_to_tensor(t) for t in (out if isinstance(out, (tuple, list)) else [out])], "f")


def names(g):
    return [n.p.name for n in g.nodes]


def bits(arrays):
    return [(np.asarray(a).dtype.str, np.asarray(a).shape, np.asarray(a).tobytes()) for a in arrays]


def assert_same_bits(g, xs):
    with np.errstate(all="ignore"):
        want = bits(interpret(g, xs))
        for final in (False, True):
            s = simplify.simplify(g, final=final)
            assert bits(interpret(s, xs)) == want
            assert bits(interpreter.compile(s)(list(xs))) == want
            assert len(s.nodes) <= len(g.nodes)
            again = simplify.simplify(s, final=final)
            assert len(again.nodes) == len(s.nodes)  # once is enough
    return s


F = Aval((len(SPECIAL),), tf.float64)
S = Aval((), tf.float64)

# Every form that one could be tempted to shorten; those that keep bits may be, the others must not.
TEMPTING = {
    "x + 0": lambda x: x + 0.0,  # -0.0 + 0.0 is 0.0
    "x - 0": lambda x: x - 0.0,
    "x + -0": lambda x: x + -0.0,
    "x - -0": lambda x: x - -0.0,
    "0 - x": lambda x: 0.0 - x,  # is not -x at 0
    "x * 1": lambda x: x * 1.0,
    "1 * x": lambda x: 1.0 * x,
    "x * -1": lambda x: x * -1.0,
    "x * 0": lambda x: x * 0.0,  # NaN and infinities, and the sign of zero
    "x / 1": lambda x: x / 1.0,
    "x / x": lambda x: x / x,
    "x - x": lambda x: x - x,
    "x ** 1": lambda x: x**1.0,
    "x ** 2": lambda x: x**2.0,
    "x ** 0": lambda x: x**0.0,
    "x ** 0.5": lambda x: x**0.5,
    "-(-x)": lambda x: tf.negative(tf.negative(x)),
    "(x + 1) - 1": lambda x: (x + 1.0) - 1.0,
    "(x * 3) / 3": lambda x: (x * 3.0) / 3.0,
    "x / 3": lambda x: x / 3.0,
    "(x + 0.1) + 0.2": lambda x: (x + 0.1) + 0.2,  # no reassociation
    "log(exp(x))": lambda x: tf.math.log(tf.exp(x)),
    "maximum(x, x)": lambda x: tf.maximum(x, x),
    "minimum(x, inf)": lambda x: tf.minimum(x, np.inf),
    "where(x == x, x, 0)": lambda x: tf.where(x == x, x, tf.zeros_like(x)),
    "sum of one": lambda x: tf.reduce_sum(tf.reshape(x, [-1, 1]), axis=1),
    "reshape there and back": lambda x: tf.reshape(tf.reshape(x, [3, 4]), [12]),
    "transpose twice": lambda x: tf.transpose(tf.transpose(tf.reshape(x, [3, 4]))),
    "cast to its own dtype": lambda x: tf.cast(x, tf.float64),
    "cast there and back": lambda x: tf.cast(tf.cast(x, tf.float32), tf.float64),
    "constants only": lambda x: x * 0.0 + tf.exp(tf.constant(1.0, tf.float64)) / tf.constant(0.0, tf.float64),
}


@pytest.mark.parametrize("name", TEMPTING)
def test_bits_are_kept(name):
    assert_same_bits(traced(TEMPTING[name], F), [SPECIAL])
    for v in SPECIAL:
        if name not in ("reshape there and back", "transpose twice"):
            assert_same_bits(traced(TEMPTING[name], S), [v])


@pytest.mark.parametrize("name", ["x - 0", "x * 1", "1 * x", "x / 1", "x ** 1", "cast to its own dtype"])
def test_what_changes_nothing_goes(name):
    assert names(simplify.simplify(traced(TEMPTING[name], F))) == []


@pytest.mark.parametrize("p", [p for p in complete().values() if p.neutral != (None, None)], ids=lambda p: p.name)
def test_what_rows_say_is_neutral_keeps_bits(p):
    for dtype in (tf.float64, tf.float32, tf.float16, tf.bfloat16, tf.int32):
        if dtype.kind & p.accepts:
            with np.errstate(all="ignore"):
                x = (SPECIAL if not dtype.is_integer else np.array([0, 1, -7, 2**31 - 1])).astype(dtype.np)
                if p.shape(Aval((), dtype), Aval((), dtype)).dtype is not dtype:
                    continue
                for at, unit in enumerate(p.neutral):
                    if unit is not None:
                        pair = [dtype.type(unit), x] if at == 0 else [x, dtype.type(unit)]
                        same = np.asarray(p.compute(*pair))
                        number = ~np.isnan(x)  # a NaN may be another one
                        assert same.dtype == x.dtype and same[number].tobytes() == x[number].tobytes()
                        assert np.isnan(same[~number]).all()


@pytest.mark.parametrize("p", [p for p in complete().values() if p.passes is not None], ids=lambda p: p.name)
def test_what_passes_its_inputs_on_does(p):
    xs = tuple(np.arange(3.0) + i for i in range(3 if p.variadic else len(p.inputs)))
    attrs = {"n": 2, "m": 1, "backward": None, "connected": ()} if p.name == "custom_gradient" else {}
    outs = p.compute(*xs, **attrs)
    outs = outs if p.multi else (outs,)
    assert outs and all(y is x for y, x in zip(outs, xs[p.passes :], strict=False))


def test_one_is_not_neutral_to_complex_numbers():
    """(∞ + 0i)·1 has a NaN, and the signs of zeros change."""
    x = np.array([complex(np.inf, 0), complex(-0.0, -0.0), 1 + 2j])
    for f in (lambda x: x * 1.0, lambda x: 1.0 * x, lambda x: x / 1.0, lambda x: x**1.0):
        g = traced(f, Aval((3,), tf.complex128))
        s = simplify.simplify(g)
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(interpret(s, [x])[0], interpret(g, [x])[0])
        assert len(s.nodes) == len(g.nodes)


def test_a_unit_that_broadcasts_stays():
    g = traced(lambda x: x * tf.ones([2, 1], tf.float64), F)
    assert simplify.simplify(g).outputs[0].aval.shape == (2, 12)
    assert_same_bits(g, [SPECIAL])
    g = traced(lambda i: i / 1, Aval((), tf.int32))
    assert simplify.simplify(g).outputs[0].aval.dtype is tf.float64  # a quotient of integers is no integer
    assert_same_bits(g, [np.int32(7)])


def test_common_subexpressions_are_computed_once():
    g = traced(lambda x: tf.sin(x) * tf.sin(x) + tf.sin(x * 1.0), F)
    assert names(simplify.simplify(g)).count("sin") == 1
    assert_same_bits(g, [SPECIAL])
    different = traced(
        lambda x: tf.reduce_sum(tf.reshape(x, [3, 4]), axis=0)[0] + tf.reduce_sum(tf.reshape(x, [3, 4]), axis=1)[0], F
    )
    assert names(simplify.simplify(different)).count("sum") == 2  # not the same axis
    assert names(simplify.simplify(different)).count("reshape") == 1


def test_attributes_that_compare_equal_but_differ_are_told_apart():
    g = traced(lambda x: [tf.cast(x, tf.int32), tf.cast(x, tf.int64), tf.cast(x, tf.bool)], Aval((3,), tf.float64))
    assert_same_bits(g, [np.array([0.0, 1.0, 2.5])])
    ones = traced(
        lambda x: [x * tf.constant(1.0, tf.float64) + tf.constant(0.0, tf.float64), x + tf.constant(-0.0, tf.float64)],
        F,
    )
    assert_same_bits(ones, [SPECIAL])  # 0.0 == -0.0, but they are two constants


def test_dead_code_goes_and_inputs_stay():
    g = traced(lambda x, y: (tf.exp(x), y * 2.0)[1], F, S)
    s = simplify.simplify(g)
    assert names(g) == ["exp", "multiply"] and names(s) == ["multiply"] and len(s.inputs) == 2


def test_constants_are_folded_as_the_kernels_compute_them():
    g = traced(lambda x: x * (tf.sqrt(tf.constant(2.0, tf.float64)) + tf.constant(1.0, tf.float64) / 3.0), F)
    s = simplify.simplify(g)
    assert names(s) == ["multiply"]
    (c,) = [v.const for v in s.nodes[0].ins if v.const is not None]
    assert c == np.sqrt(2.0) + 1 / 3
    assert_same_bits(g, [SPECIAL])


def test_large_constants_are_not_made():
    big = traced(lambda x: tf.broadcast_to(tf.ones_like(x), [1000, 1000]) * 2.0, Aval((), tf.float32))
    small = traced(lambda x: tf.broadcast_to(tf.ones_like(x), [10]) * 2.0, Aval((), tf.float32))
    assert names(simplify.simplify(big)) == ["broadcast_to", "multiply"]
    s = simplify.simplify(small)
    assert s.nodes == [] and s.outputs[0].const.tolist() == [2.0] * 10


def test_what_fails_when_folded_fails_when_it_runs():
    f = graph(
        lambda x: cond(
            x > 0, lambda: x, lambda: x * tf.gather(tf.constant([1.0, 2.0]), tf.cast(tf.ones_like(x), tf.int32) * 5)
        )
    )
    assert float(f(tf.constant(1.0))) == 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"5 is not in \[0, 2\)(.|\n)*test_simplify.py"):
        f(tf.constant(-1.0))


def test_nodes_with_effects_stay_in_order(capfd):
    def f(x):
        tf.debugging.assert_positive(x, message="first")
        y = x * 2.0
        tf.debugging.assert_less(x, tf.constant(10.0), message="second")
        tf.debugging.assert_less(x, tf.constant(10.0), message="second")  # equal, and yet not one
        return y

    g = traced(f, Aval((), tf.float32))
    s = simplify.simplify(g)
    effects = [n.attrs["message"].split("\n")[0] for n in s.nodes if n.effect]
    assert len(effects) == 3 and ["first" in e for e in effects] == [True, False, False]
    assert len([n for n in simplify.without_effects(g).nodes if n.effect]) == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="first"):
        graph(f)(tf.constant(-1.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="second"):
        graph(f)(tf.constant(11.0))


def test_effects_inside_control_flow_keep_it():
    def check(x):
        tf.debugging.assert_positive(x)
        return x

    f = graph(
        lambda x: (
            while_loop(lambda i: i < 3, lambda i: [(check(x - tf.cast(i, tf.float32)), i + 1)[1]], [tf.constant(0)]),
            x,
        )[1]
    )
    assert float(f(tf.constant(5.0))) == 5.0
    with pytest.raises(tf.errors.InvalidArgumentError):
        f(tf.constant(1.5))


def test_stop_gradient_lives_until_nobody_differentiates():
    g = traced(lambda x: tf.stop_gradient(x) * x, F)
    assert names(simplify.simplify(g)) == ["stop_gradient", "multiply"]
    assert names(simplify.simplify(g, final=True)) == ["multiply"]


def test_partition_shares_the_forward_work():
    x = tf.constant(SPECIAL[:4])
    f = graph(lambda x: tf.reduce_sum(tf.tanh(x) * tf.exp(x)))
    f(x)
    program = f.get_concrete_function(x).program
    vjp = program.vjp(1, 1)
    assert not {"tanh", "exp"} & set(names(vjp.backward_graph))
    assert isinstance(vjp.backward_graph, Graph)


def _deep(x):
    for _ in range(6):
        x = tf.tanh(x) * tf.sin(x) + x
    return x


def test_recomputed_values_are_not_kept():
    """What ``recompute_grad`` computes again is not merged with the first time: the tape keeps its input alone, as in eager execution."""
    x = tf.constant(np.linspace(-1, 1, 1000))
    kept, gradients = [], []
    for block in (_deep, tf.recompute_grad(_deep)):
        f = graph(lambda x, block=block: tf.reduce_sum(block(x)))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        kept.append(sum(r.size for r in tape._records[0][0].residuals))
        gradients.append(tape.gradient(y, x).numpy())
    assert kept[0] >= 12_000 and kept[1] <= 1001
    np.testing.assert_allclose(*gradients, rtol=1e-12)


def test_recomputed_values_take_no_memory_in_a_program():
    """The same where forward and backward pass are one native program; to second order the values are right."""
    engine = pytest.importorskip("gradtape.engines.native.engine")
    sizes, values = [], []
    x = tf.constant(np.linspace(-1, 1, 1000))
    for wrap in (lambda f: f, tf.recompute_grad):
        block = wrap(_deep)
        g = graph(lambda x, block=block: derivative(lambda z: block(block(z)), x))
        values.append([g(x).numpy(), graph(lambda x, block=block: derivative(block, x, 2))(x).numpy()])
        simplified = simplify.simplify(g.get_concrete_function(x).graph, final=True)
        sizes.append(engine.compile(simplified).__self__.arena)
    assert sizes[1] < sizes[0] / 3
    for a, b in zip(*values, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)


# -- random programs ---------------------------------------------------------------------------------------------------------------------

CONSTANTS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, np.nan, np.inf, 1e-310]
UNARY = [
    tf.negative,
    tf.abs,
    tf.sqrt,
    tf.square,
    tf.identity,
    tf.stop_gradient,
    tf.floor,
    tf.sign,
    lambda x: tf.cast(x, tf.float64),
    tf.zeros_like,
    tf.ones_like,
    tf.exp,
    tf.tanh,
]
BINARY = [
    tf.add,
    tf.subtract,
    tf.multiply,
    tf.divide,
    tf.maximum,
    tf.minimum,
    tf.pow,
    lambda x, y: tf.where(x < y, x, y),
    lambda x, y: tf.cast(x > y, tf.float64),
]


@st.composite
def programs(draw):
    steps = []
    for n in range(draw(st.integers(1, 16))):
        value = st.one_of(st.integers(0, n + 1), st.sampled_from(CONSTANTS))
        if draw(st.integers(0, 2)) == 0:
            steps.append((draw(st.sampled_from(UNARY)), (draw(st.integers(0, n + 1)),)))
        else:
            steps.append((draw(st.sampled_from(BINARY)), (draw(value), draw(value))))
    return steps, draw(st.lists(st.integers(0, len(steps) + 1), min_size=1, max_size=3))


def run(steps, outputs, x, y):
    values = [x, y]
    for f, at in steps:
        values.append(f(*[values[i] if isinstance(i, int) else tf.constant(i, tf.float64) for i in at]))
    return [values[i] for i in outputs]


@settings(max_examples=150)
@given(
    programs(),
    st.sampled_from([((), ()), ((3,), ()), ((2, 3), (3,)), ((3,), (1,))]),
    st.lists(st.sampled_from(list(SPECIAL)), min_size=9, max_size=9),
)
@example(([(tf.add, (0, 0.0)), (tf.subtract, (2, -0.0)), (tf.multiply, (3, 1.0))], [4]), ((), ()), [-0.0] * 9)
def test_random_programs_keep_their_bits(program, shapes, numbers):
    steps, outputs = program
    avals = [Aval(s, tf.float64) for s in shapes]
    xs = [
        np.resize(np.array(numbers), 6)[: int(np.prod(shapes[0]))].reshape(shapes[0])[()],
        np.array(numbers[6:])[: int(np.prod(shapes[1]))].reshape(shapes[1])[()],
    ]
    g = traced(lambda x, y: run(steps, outputs, x, y), *avals)
    assert_same_bits(g, xs)
    eager = run(steps, outputs, *[tf.constant(x) for x in xs])
    f = lambda x, y: run(steps, outputs, x, y)
    assert bits([t._a for t in eager]) == bits([t._a for t in numpy_graph(f)(*[tf.constant(x) for x in xs])])
    if not {tf.exp, tf.tanh, tf.pow} & {
        step for step, _ in steps
    }:  # arithmetic and sqrt: compiled code has the same bits, but for the sign of a NaN
        for a, b in zip(graph(f)(*[tf.constant(x) for x in xs]), eager, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(np.signbit(a)[~np.isnan(a)], np.signbit(b)[~np.isnan(b)])
