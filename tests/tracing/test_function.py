"""tf.function: when it traces, what it hands over, what it says. Numbers of traces are TensorFlow 2.21's except where a comment says why not."""

import functools
import gc
import threading
import tracemalloc
import warnings
import weakref
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import gradtape as tf
from gradtape.core.state import state
from gradtape.tracing import function as module
from gradtape.tracing.function import RetraceWarning, function, functions_run_eagerly, run_functions_eagerly
from gradtape.tracing.signature import TensorSpec

from .forms import arrays, assert_same, graph


def traces(f, *calls):
    """The number of traces after each of the calls."""
    counts = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetraceWarning)
        for args in calls:
            f(*args)
            counts.append(f.experimental_get_tracing_count())
    return counts


# -- the cache ----------------------------------------------------------------------------------------------------------------


def test_one_trace_for_each_dtype_and_shape():
    calls = [
        tf.constant(1),
        tf.constant(2),
        tf.constant(1.0),
        tf.constant([1.0]),
        tf.constant([2.0]),
        tf.constant([1.0, 2.0]),
        tf.constant(3),
    ]
    assert traces(graph(lambda x: x + x), *[(x,) for x in calls]) == [1, 1, 2, 3, 3, 4, 4]


def test_python_values_are_told_apart_by_value_and_type():
    # TensorFlow 2.21 takes 1, True and 1.0 for one value and answers the later ones from the first one's trace: a wrong dtype.
    f = graph(lambda x: tf.constant(x))
    assert traces(f, (1,), (1,), (True,), (1.0,), ("a",), (b"a",), (2,), (1 + 0j,)) == [1, 1, 2, 3, 4, 5, 6, 7]
    assert [f(v).dtype for v in (1, True, 1.0)] == [tf.int32, tf.bool, tf.float32]


def test_none_is_a_value_of_its_own():
    f = graph(lambda x, mask=None: x if mask is None else x * mask)
    x = tf.constant(2.0)
    assert float(f(x)) == float(f(x, None)) == 2.0
    assert float(f(x, tf.constant(3.0))) == 6.0
    assert f.experimental_get_tracing_count() == 2


def test_numpy_arguments_are_tensors():
    f = graph(lambda x: x * 2)
    assert traces(
        f, (np.float32(1),), (tf.constant(2.0),), (np.ones(3),), (tf.zeros([3], tf.float64),), (np.ones(3, np.int8),)
    ) == [1, 1, 2, 2, 3]
    out = f(np.array([1, 2, 3], np.int8))
    assert out.dtype is tf.int8 and out.numpy().tolist() == [2, 4, 6]
    assert f.get_concrete_function(np.ones(3)) is f.get_concrete_function(TensorSpec([3], tf.float64))
    assert f.experimental_get_tracing_count() == 3


def test_structure_of_nests_counts():
    one = tf.constant(1.0)
    f = graph(lambda x: tf.nest.flatten(x)[0])
    assert traces(f, ([one],), ((one,),), ({"a": one},), ({"b": one},), ([one, one],), ([one],), ([[one]],)) == [
        1,
        2,
        3,
        4,
        5,
        5,
        6,
    ]


def test_nests_and_named_tuples_go_in_and_out():
    Point = namedtuple("Point", "x y")

    def f(p, d):
        assert type(p) is Point and type(d) is OrderedDict
        return {"z": p.x + d["k"][0], "a": [p, (None, ())]}, d

    out, d = graph(f)(Point(tf.constant(1.0), None), OrderedDict(k=[tf.constant(2.0)]))
    assert list(out) == ["z", "a"] and type(out["a"][0]) is Point and type(d) is OrderedDict
    assert out["a"][0].y is None and out["a"][1] == (None, ())
    assert float(out["z"]) == 3.0 and float(d["k"][0]) == 2.0


def test_results_that_are_numbers_arrays_and_variables_come_out_as_tensors():
    v = tf.Variable(4.0)
    out = graph(lambda: [1, 2.5, "s", True, np.float32(3), np.ones(2), v])()
    assert [type(t) for t in out] == [tf.Tensor] * 7
    assert [t.dtype for t in out] == [tf.int32, tf.float32, tf.string, tf.bool, tf.float32, tf.float64, tf.float32]
    assert graph(lambda: None)() is None
    assert graph(lambda: [])() == []


def test_python_objects_pass_through():
    marker = object()
    out = graph(lambda x: {"x": x, "marker": marker})(tf.constant(1.0))  # TensorFlow refuses these
    assert out["marker"] is marker


def test_defaults_keywords_and_positions_are_one_call():
    f = graph(lambda x, y=2, *, z=3: x * y * z)
    for args, kwargs, count in [
        ((1,), {}, 1),
        ((1, 2), {}, 1),
        ((1,), {"y": 2}, 1),
        ((), {"y": 2, "x": 1}, 1),
        ((1,), {"z": 3}, 1),
        ((1,), {"z": 4}, 2),
    ]:
        assert int(f(*args, **kwargs)) == 2 * kwargs.get("z", 3)
        assert f.experimental_get_tracing_count() == count


def test_variadic_arguments():
    f = graph(lambda *args, **kwargs: (args, kwargs))
    a, b = tf.constant(1), tf.constant(2.0)
    args, kwargs = f(a, 5, q=b, p=a)
    assert [int(x) for x in args] == [1, 5] and float(kwargs["q"]) == 2.0 and int(kwargs["p"]) == 1
    f(a, 5, p=a, q=b)
    assert f.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("args", "kwargs", "message"), [((1, 2), {}, "too many positional arguments"), ((), {"y": 2}, "missing a required argument: 'x'"),
                                                         ((1,), {"y": 2}, "unexpected keyword argument 'y'")])  # fmt: skip
def test_arguments_that_do_not_bind(args, kwargs, message):
    with pytest.raises(TypeError, match=message):
        graph(lambda x: x)(*args, **kwargs)


def test_arguments_that_cannot_be_told_apart():
    class Mutable:
        __hash__ = None

    for bad in (Mutable(), {1, 2}, bytearray(b"x")):
        with pytest.raises(TypeError, match="Could not generate a generic TraceType"):
            graph(lambda x, u: x)(tf.constant(1.0), bad)


def test_hashable_objects_are_told_apart_by_their_own_equality():
    class Config:
        def __init__(self, k):
            self.k = k

        def __eq__(self, other):
            return isinstance(other, Config) and self.k == other.k

        def __hash__(self):
            return hash(self.k)

    f = graph(lambda x, c: x * c.k)
    x = tf.constant(2.0)
    assert traces(f, (x, Config(3.0)), (x, Config(3.0)), (x, Config(4.0))) == [1, 1, 2]
    assert float(f(x, Config(4.0))) == 8.0

    plain = type("Plain", (), {"k": 5.0})
    a, b = plain(), plain()
    assert traces(graph(lambda x, c: x * c.k), (x, a), (x, b), (x, a)) == [1, 2, 2]


def test_a_dead_object_is_not_taken_for_a_new_one():
    class Scale:
        def __init__(self, k):
            self.k = k

    f = graph(lambda x, s: x * s.k)
    for k in range(20):  # each object dies before the next is made, often in its place
        s = Scale(float(k))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RetraceWarning)
            assert float(f(tf.constant(1.0), s)) == k
        del s


def test_functions_as_arguments():
    f = graph(lambda g, x: g(x))
    x = tf.constant(4.0)
    assert traces(f, (tf.sqrt, x), (tf.square, x), (tf.sqrt, x)) == [1, 2, 2]
    assert float(f(tf.sqrt, x)) == 2.0


def test_lists_passed_in_may_not_be_changed():
    def f(x):
        x.append(tf.constant(1.0))
        return x[0]

    with pytest.raises(ValueError, match="should not modify its Python input arguments"):
        graph(f)([tf.constant(2.0)])


def test_side_effects_happen_at_trace_time_only():
    log = []
    f = graph(lambda x: log.append(x.shape.rank) or x)
    for x in (tf.constant(1.0), tf.constant(2.0), tf.constant([1.0])):
        f(x)
    assert log == [0, 1]


def test_closures_are_read_when_traced():
    scale = [tf.constant(2.0)]
    array = np.array([1.0, 2.0], np.float32)
    f = graph(lambda x: x * scale[0] + array)
    assert f(tf.constant(1.0)).numpy().tolist() == [3.0, 4.0]
    scale[0] = tf.constant(100.0)
    array[:] = 100.0
    assert f(tf.constant(1.0)).numpy().tolist() == [3.0, 4.0]


def test_the_cache_is_bounded_and_memory_stays_flat(monkeypatch):
    monkeypatch.setattr(module, "CACHE_SIZE", 32)
    f = graph(lambda x: x + 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetraceWarning)
        n = module.CACHE_SIZE
        shapes = [np.ones(k, np.float32) for k in range(1, 2 * n + 1)]

        def held():
            for x in shapes:  # each makes a trace and drops the oldest
                f(x)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        for x in shapes:  # what is imported and cached on first use is not counted
            f(x)
        gc.collect()
        tracemalloc.start()
        once, _, thrice = held(), held(), held()
        tracemalloc.stop()
    assert f.experimental_get_tracing_count() >= 6 * n and len(f._traces) == n
    assert thrice < 1.1 * once  # a fortieth of each trace that stayed would be seen


def test_the_least_recently_used_trace_goes_first(monkeypatch):
    monkeypatch.setattr(module, "CACHE_SIZE", 2)
    f = graph(lambda n: tf.constant(n))
    assert traces(f, (1,), (2,), (3,), (3,), (2,), (1,)) == [1, 2, 3, 3, 3, 4]
    assert len(f._traces) == 2


def test_a_trace_in_use_outlives_others(monkeypatch):
    monkeypatch.setattr(module, "CACHE_SIZE", 2)
    f = graph(lambda n: tf.constant(n))
    assert traces(f, (1,), (2,), (1,), (3,), (1,)) == [1, 2, 2, 3, 3]


def test_retracing_again_and_again_warns_once_and_names_the_argument():
    f = graph(lambda x, n: x * n)
    with pytest.warns(RetraceWarning) as caught:
        for n in range(12):
            f(tf.constant(1.0), float(n))
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "5 out of the last 5 calls" in text
    assert "'n' was Literal[3.0] and is now Literal[4.0]" in text
    assert caught[0].filename == __file__


def test_retracing_for_shapes_names_both_shapes():
    f = graph(lambda first, second: first + second)
    with pytest.warns(
        RetraceWarning,
        match=r"'second' was TensorSpec\(shape=\(4,\), dtype=tf.float32, name=None\) and is now TensorSpec\(shape=\(5,\)",
    ):
        for n in range(1, 8):
            f(tf.constant(1.0), tf.ones([n]))


def test_calls_that_do_not_retrace_do_not_warn():
    f = graph(lambda x: x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            for n in range(1, 5):
                f(tf.ones([n]))


# -- methods ------------------------------------------------------------------------------------------------------------------


class Layer:
    def __init__(self, k):
        self.k = k
        self.traced = 0

    @function
    def scaled(self, x):
        self.traced += 1
        return x * self.k

    @function(input_signature=[TensorSpec([None], tf.float32)])
    def specified(self, x):
        return x * self.k

    @staticmethod
    @function
    def twice(x):
        return x * 2.0

    @classmethod
    @function
    def name(cls, x):
        return cls.__name__, x


def test_methods_trace_for_each_object():
    a, b = Layer(2.0), Layer(3.0)
    x = tf.constant(1.0)
    assert [float(o.scaled(x)) for o in (a, b, a)] == [2.0, 3.0, 2.0]
    assert (a.traced, b.traced) == (1, 1)
    assert float(Layer.scaled(a, x)) == 2.0 and a.traced == 1
    concrete = a.scaled.get_concrete_function(x)
    assert float(concrete(tf.constant(5.0))) == 10.0
    assert concrete.structured_input_signature == ((TensorSpec([], tf.float32, "x"),), {})
    assert float(Layer.twice(x)) == 2.0
    assert graph(lambda: Layer.name(x)[1])().numpy() == 1.0


def test_methods_with_an_input_signature():
    assert Layer(2.0).specified([1.0, 2.0]).numpy().tolist() == [2.0, 4.0]
    with pytest.raises(TypeError, match="Can not cast"):
        Layer(2.0).specified(tf.constant([1, 2]))


def test_methods_of_objects_without_hash_or_weak_references():
    class Unhashable:
        __hash__ = None
        k = 2.0

        @function
        def f(self, x):
            return x * self.k

    class Slotted:
        __slots__ = ("k",)

        def __init__(self):
            self.k = 3.0

        @function
        def f(self, x):
            return x * self.k

    assert float(Unhashable().f(tf.constant(1.0))) == 2.0
    assert float(Slotted().f(tf.constant(1.0))) == 3.0


def test_callable_objects_partials_and_bound_methods():
    class Callable:
        def __call__(self, x):
            return x * 2.0

        def times(self, x, k):
            return x * k

    x = tf.constant(3.0)
    assert float(graph(Callable())(x)) == 6.0
    assert float(graph(functools.partial(lambda x, y: x * y, y=3.0))(x)) == 9.0
    assert float(graph(Callable().times)(x, 5.0)) == 15.0


def test_decorating_in_every_way():
    @function
    def bare(x):
        "Documented."
        return x

    @function()
    def called(x):
        return x

    @function(jit_compile=True, reduce_retracing=True, autograph=False)
    def optioned(x):
        return x

    assert [int(f(tf.constant(3))) for f in (bare, called, optioned)] == [3, 3, 3]
    assert bare.__name__ == "bare" and bare.__doc__ == "Documented." and bare.python_function(1) == 1
    with pytest.raises(TypeError, match="3 is not a callable object"):
        function(3)


# -- input signatures -----------------------------------------------------------------------------------------------------------


def test_an_input_signature_converts_what_it_can():
    f = graph(lambda x: x * 2, input_signature=[TensorSpec([None], tf.float32)])
    for x in ([1.0, 2.0], [1, 2], np.array([1.0, 2.0]), tf.constant([1.0, 2.0])):
        assert_same(f(x), tf.constant([2.0, 4.0]))
    assert f([1.0, 2.0, 3.0]).shape == (3,)
    assert f(x=[1.0]).shape == (1,)
    assert f.input_signature == (TensorSpec([None], tf.float32),)
    anything = graph(lambda x: x * 2, input_signature=[TensorSpec(None, tf.float32)])
    assert anything(2.0).shape == () and anything([[2.0]]).shape == (1, 1)


def test_an_input_signature_of_nests_and_with_defaults():
    spec = TensorSpec([], tf.float32)
    f = graph(lambda x: x["a"] * x["b"][0], input_signature=[{"a": spec, "b": [spec]}])
    assert float(f({"a": 2.0, "b": [3.0]})) == 6.0
    for bad in ({"a": 2.0}, {"a": 2.0, "b": 3.0}, [2.0, 3.0]):
        with pytest.raises(TypeError, match=r"Binding inputs to tf\.function failed"):
            f(bad)
    with_default = graph(lambda x, y=3.0: x * y, input_signature=[spec])
    assert float(with_default(2.0)) == 6.0
    both = graph(lambda x, y=3.0: x * y, input_signature=[spec, spec])
    assert float(both(2.0)) == 6.0 and float(both(2.0, 4.0)) == 8.0
    assert both.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    "bad", [tf.constant([1, 2]), tf.constant([[1.0]]), tf.constant(1.0), tf.constant([1.0], tf.float64)]
)
def test_an_input_signature_refuses_other_dtypes_and_shapes(bad):
    f = graph(lambda x: x, input_signature=[TensorSpec([None], tf.float32)])
    with pytest.raises(
        TypeError, match=r"Can not cast TensorSpec\(shape=.*to TensorSpec\(shape=\(None,\), dtype=tf.float32"
    ):
        f(bad)
    assert f.experimental_get_tracing_count() == 0


def test_an_input_signature_refuses_other_numbers_of_arguments():
    spec = TensorSpec([None], tf.float32)
    x = tf.constant([1.0])
    with pytest.raises(TypeError, match="too many positional arguments"):
        graph(lambda x: x, input_signature=[spec])(x, x)
    with pytest.raises(TypeError, match="missing a required argument: 'y'"):
        graph(lambda x, y: x, input_signature=[spec, spec])(x)
    with pytest.raises(TypeError, match="input_signature missing type constraint for y"):
        graph(lambda x, y: x, input_signature=[spec])
    with pytest.raises(TypeError, match="input_signature contains 1 extra type constraints"):
        graph(lambda x: x, input_signature=[spec, spec])
    with pytest.raises(TypeError, match="input_signature must be either a tuple or a list"):
        graph(lambda x: x, input_signature=spec)
    with pytest.raises(TypeError, match=r"possibly nested sequence of TensorSpec objects, got invalid args \[3\]"):
        graph(lambda x: x, input_signature=[3])


# -- concrete functions -------------------------------------------------------------------------------------------------------


def test_a_concrete_function_runs_and_tells_its_signature():
    f = graph(lambda x, y=2, *, z=None: {"r": x * 2.0, "s": [x, y]})
    spec = TensorSpec([2], tf.float32)
    c = f.get_concrete_function(spec)
    assert c.structured_input_signature == ((TensorSpec([2], tf.float32, "x"), 2), {"z": None})
    assert c.structured_outputs == {"r": spec, "s": [spec, TensorSpec([], tf.int32)]}
    assert c.inputs == [spec] and c.outputs == [spec, spec, TensorSpec([], tf.int32)]
    # as TensorFlow 2.21 prints it
    assert c.pretty_printed_signature() == (
        "Input Parameters:\n"
        "  x (POSITIONAL_OR_KEYWORD): TensorSpec(shape=(2,), dtype=tf.float32, name=None)\n"
        "  y (POSITIONAL_OR_KEYWORD): Literal[2]\n"
        "  z (KEYWORD_ONLY): Literal[None]\n"
        "Output Type:\n"
        "  Dict[['r', TensorSpec(shape=(2,), dtype=tf.float32, name=None)], ['s', List[TensorSpec(shape=(2,), dtype=tf.float32, name=None), "
        "TensorSpec(shape=(), dtype=tf.int32, name=None)]]]\n"
        "Captures:\n"
        "  None"
    )
    assert str(c) == "ConcreteFunction " + c.pretty_printed_signature()
    assert f.pretty_printed_concrete_signatures() == c.pretty_printed_signature()
    x = tf.constant([1.0, 2.0])
    assert_same(c(x), {"r": x * 2.0, "s": [x, 2]})
    f(x)
    assert f.experimental_get_tracing_count() == 1  # the call found the trace
    assert f.get_concrete_function(x) is c


def test_a_concrete_function_binds_by_name_and_position():
    c = graph(lambda b, a: b - a).get_concrete_function(
        TensorSpec([], tf.float32), TensorSpec([], tf.float32, "second")
    )
    one, ten = tf.constant(1.0), tf.constant(10.0)
    for args, kwargs in [
        ((ten, one), {}),
        ((ten,), {"a": one}),
        ((), {"a": one, "b": ten}),
        ((), {"second": one, "b": ten}),
    ]:
        assert float(c(*args, **kwargs)) == 9.0
    assert [s.name for s in c.structured_input_signature[0]] == ["b", "second"]


def test_a_concrete_function_knows_its_python_values():
    c = graph(lambda x, n: x * n).get_concrete_function(TensorSpec([], tf.float32), 3)
    x = tf.constant(2.0)
    assert float(c(x)) == float(c(x, 3)) == float(c(x, n=3)) == 6.0
    with pytest.raises(TypeError, match=r"'n' was Literal\[3\] when it was traced, but is Literal\[4\]"):
        c(x, 4)


def test_a_concrete_function_refuses_what_it_was_not_traced_for():
    c = graph(lambda x: x * 2.0).get_concrete_function(TensorSpec([2], tf.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"'x' of .* must be float32\[2\], but is int32\[2\]"):
        c(tf.constant([1, 2]))
    with pytest.raises(
        (TypeError, ValueError), match=r"must be float32\[2\], but is float32\[3\]"
    ):  # TensorFlow lets shapes pass
        c(tf.constant([1.0, 2.0, 3.0]))
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        c()
    with pytest.raises(TypeError, match="too many positional arguments"):
        c(tf.ones([2]), tf.ones([2]))
    with pytest.raises(TypeError, match="unexpected keyword argument 'q'"):
        c(tf.ones([2]), q=1)


def test_a_concrete_function_lists_its_variables():
    v, w = tf.Variable(1.0, name="v"), tf.Variable(2.0, trainable=False, name="w")
    c = graph(lambda x: x * v + w).get_concrete_function(TensorSpec([], tf.float32))
    assert [u.name for u in c.variables] == ["v:0", "w:0"] and [u.name for u in c.trainable_variables] == ["v:0"]
    assert "v:0: VariableSpec(shape=(), dtype=tf.float32, trainable=True)" in c.pretty_printed_signature()


def test_indexed_slices_go_in_and_out():
    s = tf.IndexedSlices(tf.ones([2, 2]), tf.constant([0, 2]), (3, 2))
    f = graph(lambda s: tf.IndexedSlices(s.values * 2.0, s.indices, (3, 2)))
    out = f(s)
    assert isinstance(out, tf.IndexedSlices) and out._dense_shape == (3, 2)
    assert_same(out, tf.constant([[2.0, 2.0], [0.0, 0.0], [2.0, 2.0]]))
    f(tf.IndexedSlices(tf.zeros([2, 2]), tf.constant([1, 1]), (3, 2)))
    assert f.experimental_get_tracing_count() == 1


def test_the_graph_can_be_read():
    f = graph(lambda x: tf.exp(x) * 2.0)
    with pytest.raises(ValueError, match="has not been traced"):
        f.graph
    f(tf.constant([1.0, 2.0]))
    text = str(f.graph)
    assert "exp" in text and "float32[2]" in text and "# line" in text
    assert [n.p.name for n in f.graph.nodes] == ["exp", "multiply"]


# -- nesting, recursion, threads, eager mode -------------------------------------------------------------------------------------


def test_traced_functions_call_traced_functions():
    inner = graph(lambda x: x * x)
    outer = graph(lambda x: inner(x) + inner(x + 1.0))
    assert float(outer(tf.constant(2.0))) == 13.0
    assert inner.experimental_get_tracing_count() == 1
    assert len([n for n in outer.graph.nodes if n.p.name == "multiply"]) == 2


def test_recursion_over_python_values():
    @function(autograph=False)
    def power(x, n):
        return x if n == 0 else x * power(x, n - 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetraceWarning)
        assert float(power(tf.constant(2.0), 5)) == 64.0
    assert power.experimental_get_tracing_count() == 6


def test_endless_recursion_leaves_no_trace_behind():
    @function(autograph=False)
    def f(x):
        return f(x)

    with pytest.raises(RecursionError):
        f(tf.constant(1.0))
    assert state.trace is None and state.tapes == ()


def test_the_first_call_from_many_threads_traces_once():
    traced = []

    def f(x):
        traced.append(threading.get_ident())
        return x * v

    v = tf.Variable(2.0)
    g = graph(f)
    start = threading.Barrier(8)
    results, errors = [], []

    def work(k):
        try:
            start.wait()
            results.append((k, float(g(tf.constant(float(k))))))
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and len(traced) == 1
    assert sorted(results) == [(k, 2.0 * k) for k in range(8)]


def test_tracing_in_one_thread_does_not_disturb_eager_work_in_another():
    v = tf.Variable(1.0)
    inside, done = threading.Event(), threading.Event()

    def slow(x):
        inside.set()
        assert done.wait(10)
        return x * v

    t = threading.Thread(target=lambda: graph(slow)(tf.constant(1.0)))
    t.start()
    assert inside.wait(10)
    with tf.GradientTape() as tape:
        y = v * v
    v.assign(5.0)
    done.set()
    t.join()
    assert float(tape.gradient(y, v)) == 2.0 and float(v) == 5.0


def test_running_functions_eagerly():
    seen = []
    f = graph(lambda x: seen.append(x.numpy()) or x * 2)
    run_functions_eagerly(True)
    try:
        assert functions_run_eagerly()
        assert float(f(tf.constant(1.0))) == 2.0
        f(tf.constant(3.0))
    finally:
        run_functions_eagerly(False)
    assert seen == [1.0, 3.0] and not functions_run_eagerly()
    assert f.experimental_get_tracing_count() == 0


def test_a_function_that_is_dropped_is_freed():
    v = tf.Variable([1.0, 2.0])
    f = graph(lambda: v * 2.0)
    f()
    with tf.GradientTape() as tape:
        y = f()
    tape.gradient(y, v)
    ref = weakref.ref(f)
    del f, y, tape
    gc.collect()
    assert ref() is None


def test_results_are_tensors_of_their_own():
    c, x = tf.constant([2.0]), tf.constant([1.0])
    a, b, d = graph(lambda x: (x, x, c))(x)
    assert a is not x and a is not b and d is not c
    assert arrays([a, b, d]) == [1.0, 1.0, 2.0]


def test_a_method_has_the_signature_of_a_method():
    import inspect

    class Model:
        @tf.function
        def call(self, x, training=False):
            return x

    assert str(inspect.signature(Model().call)) == "(x, training=False)"
    assert str(inspect.signature(Model.call)) == "(self, x, training=False)"
