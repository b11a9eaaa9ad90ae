"""``tape.explain`` names the cause of a gradient that is None, zero or not finite, and the user's line."""

import linecache
import textwrap

import numpy as np
import pytest

import gradtape as tf

# Each program stands between the marks of its cause: the line that is to be named ends with the mark, if there is one.
NONE = {
    "not_watched": """
        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            z = tf.constant(1.0)
            y = x * x  #!
    """,
    "variable_not_watched": """
        x = tf.Variable(3.0)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            y = x * x  #!
    """,
    "not_trainable": """
        x = tf.Variable(3.0, trainable=False)
        with tf.GradientTape() as tape:
            a = tf.constant(1.0)
            y = tf.sin(x) + a  #!
    """,
    "integer_source": """
        x = tf.constant(3)
        with tf.GradientTape() as tape:
            y = tf.cast(x, tf.float32) ** 2  #!
    """,
    "replaced": """
        x = tf.Variable(2.0)
        for epoch in range(2):
            with tf.GradientTape() as tape:
                y = x + 1.0
            tape.gradient(y, x)
            if epoch == 0:
                x = x + 1.0  #!
    """,
    "replaced in the block": """
        x = tf.Variable(2.0)
        with tf.GradientTape() as tape:
            y = x * 3.0
            x = x - 0.1  #!
    """,
    "numpy": """
        x = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
        with tf.GradientTape() as tape:
            x2 = x ** 2
            m = np.mean(x2, axis=0)  #!
            y = tf.reduce_mean(m, axis=0)
    """,
    "numpy by float()": """
        x = tf.Variable(3.0)
        w = tf.Variable(5.0)
        with tf.GradientTape() as tape:
            a = x * x
            b = float(a)  #!
            y = b * w
    """,
    "numpy_target": """
        x = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            a = x * x
            y = a.numpy().sum()  #!
    """,
    "integer": """
        x = tf.Variable([1.0, 2.5])
        with tf.GradientTape() as tape:
            n = tf.cast(x, tf.int32)  #!
            y = tf.reduce_sum(tf.cast(n, tf.float32))
    """,
    "not_differentiable": """
        x = tf.Variable([1.0, 2.5])
        with tf.GradientTape() as tape:
            a = x * 2.0
            best = tf.argmax(a)  #!
            y = tf.cast(best, tf.float32) * 3.0
    """,
    "not_differentiable round": """
        x = tf.Variable(1.4)
        with tf.GradientTape() as tape:
            y = tf.square(
                tf.round(x)  #!
            )
    """,
    "not_differentiable comparison": """
        x = tf.Variable([1.0, -2.5])
        with tf.GradientTape() as tape:
            positive = x > 0.0  #!
            y = tf.reduce_mean(tf.cast(positive, tf.float32))
    """,
    "stop_gradient": """
        x = tf.Variable(1.4)
        with tf.GradientTape() as tape:
            a = tf.exp(x)
            b = tf.stop_gradient(a)  #!
            y = b * 2.0
    """,
    "state": """
        x = tf.Variable(3.0)
        v = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            v.assign_add(x)  #!
            y = v * v
    """,
    "state by assign": """
        x = tf.Variable(3.0)
        v = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            a = x * x
            v.assign(a)  #!
            y = v * v
    """,
    "state by a new variable": """
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            a = x * x
            v = tf.Variable(a)  #!
            y = v * v
    """,
    "constant_target": """
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = tf.numpy_function(lambda a: a * a, [x], tf.float32)
    """,
    "outside_tape before": """
        x = tf.Variable(3.0)
        a = x * x  #!
        with tf.GradientTape() as tape:
            y = a + 1.0
    """,
    "outside_tape after": """
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            a = x * x
        y = a + 1.0  #!
    """,
    "recording_stopped": """
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            a = x * x
            with tape.stop_recording():
                b = tf.sin(a)  #!
            y = b * x - b
            y = b * 2.0
            z = x * 2.0
    """,
    "watched_late": """
        x = tf.constant(3.0)
        w = tf.Variable(1.0)
        with tf.GradientTape() as tape:
            z = w * 2.0
            y = x * x  #!
            tape.watch(x)
    """,
    "no_dependence": """
        x = tf.Variable(3.0)
        w = tf.Variable(5.0)
        with tf.GradientTape() as tape:
            a = x * x
            y = w * w  #!
    """,
    "custom_gradient": """
        x = tf.Variable(3.0)
        @tf.custom_gradient
        def f(a):
            return a * 2.0, lambda g: None
        with tf.GradientTape() as tape:
            y = f(x)  #!
    """,
    "not_differentiable in a function": """
        x = tf.Variable(3.0)
        @tf.function
        def f(a):
            b = a * 2.0
            c = tf.round(b)  #!
            return c + 1.0
        with tf.GradientTape() as tape:
            y = f(x)
    """,
    "stop_gradient in a function": """
        x = tf.Variable(3.0)
        @tf.function
        def f(a):
            return tf.stop_gradient(a) + 1.0  #!
        with tf.GradientTape() as tape:
            y = 2.0 * f(x * x)
    """,
}  # fmt: skip

NONE.update({
    "recording_stopped first": """
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            with tape.stop_recording():
                b = x * x  #!
            y = b + 1.0
    """,
    "outside_tape in a later block": """
        x = tf.Variable(3.0)
        with tf.GradientTape() as other:
            with other.stop_recording():
                a = tf.sin(2.0)
        b = x * x  #!
        with tf.GradientTape() as tape:
            y = b + a
    """,
    "custom_gradient in a function": """
        @tf.custom_gradient
        def double(x):
            return x * 2.0, lambda dy: None

        @tf.function
        def f(x):
            return tf.sin(double(x * 3.0))  #!
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = f(x)
    """,
})  # fmt: skip

ZERO = {
    "relu": """
        x = tf.Variable([-1.0, -2.0])
        with tf.GradientTape() as tape:
            a = x * 3.0
            h = tf.nn.relu(a)  #!
            y = tf.reduce_sum(h)
    """,
    "saturated": """
        x = tf.Variable(40.0)
        with tf.GradientTape() as tape:
            p = tf.sigmoid(x)  #!
            y = (p - 0.5) ** 2
    """,
    "times_zero": """
        x = tf.Variable(40.0)
        mask = tf.constant(0.0)
        with tf.GradientTape() as tape:
            y = tf.sin(x) * mask  #!
    """,
    "branch": """
        x = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            s = x * x
            y = tf.where(x < 0.0, s, tf.zeros_like(s))  #!
    """,
    "not_selected": """
        x = tf.Variable([1.0, 2.0])
        w = tf.Variable([3.0])
        with tf.GradientTape() as tape:
            a = tf.concat([x, w], 0)
            y = tf.reduce_max(tf.stack([tf.reduce_sum(x), 9.0]))  #!
    """,
    "clipped": """
        x = tf.Variable(40.0)
        with tf.GradientTape() as tape:
            y = tf.minimum(x * 2.0, 6.0)  #!
    """,
    "flat": """
        x = tf.Variable(40.0)
        with tf.GradientTape() as tape:
            y = tf.sign(x)  #!
    """,
    "stationary square": """
        x = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            a = 3.0 * x
            y = a * a + 1.0  #!
    """,
    "underflow of exp": """
        x = tf.Variable(-200.0)
        with tf.GradientTape() as tape:
            y = tf.exp(x)  #!
    """,
    "custom_zero in a function": """
        @tf.custom_gradient
        def double(x):
            return x * 2.0, lambda dy: dy * 0.0

        @tf.function
        def f(x):
            return double(x * 3.0) + 1.0  #!
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = f(x)
    """,
    "relu in a loop in a function": """
        @tf.function
        def f(x):
            for i in tf.range(3):
                if i > 1:
                    x = tf.nn.relu(x)  #!
                else:
                    x = x - 2.0
            return x
        x = tf.Variable(3.0)
        with tf.GradientTape() as tape:
            y = f(x)
    """,
    "stationary": """
        x = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            y = tf.cos(x)  #!
    """,
    "cancels": """
        x = tf.Variable(2.0)
        with tf.GradientTape() as tape:
            a = tf.exp(x)  #!
            y = a - a
    """,
}  # fmt: skip

NOT_FINITE = {
    "root_of_zero in a loop in a function": """
        @tf.function
        def f(x):
            i = 0
            while tf.less(i, 4):
                x = tf.sqrt(x)  #!
                i += 1
            return x + 1.0
        x = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            y = f(x)
    """,
    "double_where in a branch in a function": """
        @tf.function
        def f(x, training):
            if training > 0:
                return tf.reduce_sum(tf.where(x > 0.0, tf.math.log(x), 0.0))  #!
            return tf.reduce_sum(x)
        x = tf.Variable([0.0, 1.0])
        with tf.GradientTape() as tape:
            y = f(x, tf.constant(1))
    """,
    "zero_times_infinity": """
        x = tf.Variable(0.0)
        with tf.GradientTape() as tape:
            y = tf.pow(x, 0.0)  #!
    """,
    "log_of_zero": """
        x = tf.Variable([0.0, 1.0])
        with tf.GradientTape() as tape:
            a = x * 2.0
            b = tf.math.log(a)  #!
            y = tf.reduce_sum(b)
    """,
    "log_of_negative": """
        x = tf.Variable([-1.0, 1.0])
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(
                tf.math.log(x) * x  #!
            )
    """,
    "root_of_zero": """
        x = tf.Variable([0.0, 0.0])
        with tf.GradientTape() as tape:
            s = tf.reduce_sum(x * x)
            y = tf.sqrt(s)  #!
    """,
    "root_of_negative": """
        x = tf.Variable(-2.0)
        with tf.GradientTape() as tape:
            a = tf.sqrt(x)  #!
            y = a * a
    """,
    "division_by_zero": """
        x = tf.Variable([0.0, 1.0])
        with tf.GradientTape() as tape:
            s = tf.reduce_sum(x) - 1.0
            y = x / s  #!
    """,
    "overflow": """
        x = tf.Variable(100.0)
        with tf.GradientTape() as tape:
            e = tf.exp(x)  #!
            y = e / (e + 1.0)
    """,
    "double_where": """
        x = tf.Variable([0.0, 1.0])
        with tf.GradientTape() as tape:
            safe = tf.math.log(x)
            both = tf.where(x > 0.0, safe, 0.0)  #!
            y = tf.reduce_sum(both)
    """,
    "double_where of a quotient": """
        x = tf.Variable([0.0, 1.0])
        with tf.GradientTape() as tape:
            q = tf.sin(x) / x
            y = tf.reduce_sum(2.0 * tf.where(tf.equal(x, 0.0), 1.0, q))  #!
    """,
    "not_finite_input": """
        x = tf.Variable([0.0, 1.0])
        data = tf.constant([float("nan"), 1.0])
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(x * data)  #!
    """,
}  # fmt: skip


def run(text, lines=True):
    """Run a program; the tape, its names and the number of the marked line."""
    text = textwrap.dedent(text)
    file = "<a program>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {"tf": tf, "np": np}
    code = compile(text, file, "exec")
    if lines:
        with tf.debugging.trace_lines():
            exec(code, space)
    else:
        exec(code, space)
    marked = [n for n, line in enumerate(text.splitlines(), 1) if "#!" in line]
    return space, marked[0] if marked else None


def explained(space):
    """The answer, asked for by the program itself, which knows the names."""
    exec("why = tape.explain(y, x)", space)
    return space["why"]


@pytest.mark.parametrize("case", NONE)
def test_none_names_the_cause_and_the_line(case):
    space, line = run(NONE[case])
    why = explained(space)
    assert (why.state, why.cause, why.line) == ("None", case.split()[0], line), str(why)
    y, x = space["y"], space["x"]
    if isinstance(y, tf.Tensor) and "once" not in case and not space["tape"]._used:
        assert space["tape"].gradient(y, x) is None  # what is explained is so
    assert "Cure: " in str(why)
    assert "{" not in str(why)


@pytest.mark.parametrize("case", ZERO)
def test_zero_names_the_cause_and_the_line(case):
    space, line = run(ZERO[case])
    why = explained(space)
    assert (why.state, why.cause, why.line) == ("zero", case.split()[0], line), str(why)
    assert not np.any(space["tape"].gradient(space["y"], space["x"]).numpy())


@pytest.mark.parametrize("case", NOT_FINITE)
def test_not_finite_names_the_cause_and_the_line(case):
    space, line = run(NOT_FINITE[case])
    why = explained(space)
    assert why.state in ("NaN", "infinite")
    assert (why.cause, why.line) == (case.split()[0], line), str(why)
    assert not np.all(np.isfinite(space["tape"].gradient(space["y"], space["x"]).numpy()))


@pytest.mark.parametrize("case", [*NONE, *ZERO, *NOT_FINITE])
def test_it_can_be_asked_after_the_gradient_too(case):
    """A once-only tape has dropped its records then; the journal has them."""
    programs = {**NONE, **ZERO, **NOT_FINITE}
    space, line = run(programs[case])
    if isinstance(space["y"], tf.Tensor) and not space["tape"]._used:
        space["tape"].gradient(space["y"], space["x"])
    why = explained(space)
    assert (why.cause, why.line) == (case.split()[0], line), str(why)


# without lines, what the tape alone can tell
ALONE = {
    "not_watched": "not_watched", "variable_not_watched": "variable_not_watched", "not_trainable": "not_trainable", "integer_source": "integer_source",
    "custom_gradient": "custom_gradient", "stop_gradient": "not_recorded", "outside_tape after": "not_recorded", "numpy": "not_recorded",
}  # fmt: skip


@pytest.mark.parametrize("case", ALONE)
def test_without_lines_it_says_what_the_tape_knows_and_how_to_get_the_rest(case):
    space, _ = run(NONE[case], lines=False)
    why = explained(space)
    assert (why.state, why.cause, why.place) == ("None", ALONE[case], None)
    assert "tf.debugging.trace_lines()" in str(why)


@pytest.mark.parametrize("case", ["relu", "saturated", "times_zero", "branch", "cancels"])
def test_without_lines_zeros_are_explained_while_the_records_are_there(case):
    space, _ = run(ZERO[case], lines=False)
    assert explained(space).cause == case


@pytest.mark.parametrize("case", ["log_of_zero", "double_where", "root_of_zero", "division_by_zero"])
def test_without_lines_nan_is_explained_while_the_records_are_there(case):
    space, _ = run(NOT_FINITE[case], lines=False)
    assert explained(space).state in ("NaN", "infinite")


def test_a_used_up_tape_says_so():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    assert tape.explain(y, x).cause == "gone"


def test_a_gradient_that_is_there_is_fine():
    x = tf.Variable(3.0)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = x * x
    why = tape.explain(y, x)
    assert (why.state, float(why.gradient)) == ("fine", 6.0)
    assert str(why) == "There is nothing to explain: the gradient of y with respect to x is 6.0."
    assert float(tape.gradient(y, x)) == 6.0  # asking does not use the tape up


def test_a_nest_of_sources_has_a_nest_of_explanations():
    x, k = tf.Variable(3.0), tf.constant(2.0)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = x * k
    why = tape.explain(y, {"x": x, "k": [k]})
    assert why["x"].cause == "fine"
    assert why["k"][0].cause == "not_watched"
    assert "tape.watch(k)" in why["k"][0].cure


def test_all_that_stands_in_the_way_is_told():
    x = tf.constant(1.5)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = tf.round(x) * 2.0
    why = tape.explain(y, x)
    assert why.cause == "not_watched"
    assert [a.cause for a in why.also] == ["not_differentiable"]
    assert "And then: the path from x to y goes through tf.round" in str(why)


def test_a_source_that_is_no_tensor():
    x = 3.0
    with tf.GradientTape() as tape:
        y = tf.constant(2.0) * x
    assert tape.explain(y, x).cause == "not_a_tensor"


def test_the_text_has_file_line_code_and_cure():
    x = tf.constant(3.0)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = x * x  # the line
    text = str(tape.explain(y, x))
    assert text.splitlines()[0].startswith(
        "The gradient of y with respect to x is None: x is a tensor that the tape does not watch."
    )
    assert f"at {__file__}:" in text and "y = x * x  # the line" in text
    assert "tape.watch(x)" in text
    assert "tape.watch(x)" in tape.explain(y, x)._repr_html_()


def test_it_explains_the_inner_of_nested_tapes():
    x = tf.Variable(2.0)
    with tf.debugging.trace_lines(), tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.nn.relu(-x)
        g = inner.gradient(y, x)
    assert inner.explain(y, x).cause == "relu"
    assert outer.explain(g, x).state in ("None", "zero")


def test_enable_and_disable():
    x = tf.Variable(2.0)
    tf.debugging.enable_explanations()
    try:
        with tf.GradientTape() as tape:
            y = tf.round(x)
    finally:
        tf.debugging.disable_explanations()
    assert tape.explain(y, x).line is not None
    with tf.GradientTape() as tape:
        y = tf.round(x)
    assert tape.explain(y, x).line is None


def test_the_methods_of_tensors_and_variables_are_as_before_when_no_journal_is_kept():
    before = {n: getattr(c, n) for c in (tf.Tensor, tf.Variable) for n in ("numpy", "__float__", "__array__")}
    assign = tf.Variable.assign
    with tf.debugging.trace_lines():
        assert tf.Variable.assign is not assign
        with tf.debugging.trace_lines():
            pass
        assert tf.Variable.assign is not assign
    assert tf.Variable.assign is assign
    after = {n: getattr(c, n) for c in (tf.Tensor, tf.Variable) for n in ("numpy", "__float__", "__array__")}
    assert before == after


def test_a_training_loop_does_not_gather_its_past():
    import weakref

    x = tf.Variable(2.0)
    kept = []
    with tf.debugging.trace_lines():
        for _ in range(6):
            with tf.GradientTape() as tape:
                y = x * x
            kept.append(weakref.ref(y))
            x.assign_sub(0.1 * tape.gradient(y, x))
    assert [r() is not None for r in kept[:4]] == [False] * 4
    assert tape.explain(y, x).cause == "fine"
