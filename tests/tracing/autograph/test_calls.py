"""What is converted when it is called, what goes as it is, and what the caches keep."""

import functools
import gc
import json
import math
import os
import sys
import textwrap
import types
import weakref

import pytest

from gradtape.tracing.autograph import calls, conversion, convert, experimental, to_code

from .programs import compiled
from .stages import STAGES, LeakError, S


def sign(x):
    if x > 0:
        return 1
    return -1


class Model:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return self.layer(x) if x > 0 else self.k

    def layer(self, x):
        if x > self.k:
            x = x - self.k
        return x

    @property
    def parameter(self):
        return self.k

    @classmethod
    def make(cls, x):
        if x > 0:
            return 5
        return 6

    @staticmethod
    def helper(x):
        if x > 0:
            return 7
        return 8


def test_functions_are_converted_when_called():
    model = Model(2)
    partial = functools.partial(Model.layer, model)
    cases = [
        lambda x: sign(x),
        lambda x: model(x),
        lambda x: model.layer(x) + model.parameter,
        lambda x: Model.make(x) + model.make(x),
        lambda x: Model.helper(x),
        lambda x: partial(x),
        lambda x: functools.partial(sign, x)(),
        lambda x: (lambda y: sign(y))(x),
        lambda x: [f(x) for f in (sign, model)][1],
        lambda x: {"f": sign}["f"](x),
        lambda x: max(sign(x), key=lambda f: 1) if x is None else sign(x),
    ]
    for f in cases:
        for x in (-1, 1, 3):
            for stage in STAGES:
                assert stage().run(f, S(x)) == f(x)


def test_functions_that_are_passed_on_are_converted_where_they_are_defined():
    def f(x):
        def g(y):
            if y > x:
                return y
            return x

        return list(map(g, [x, x + 1])) + list(map(lambda y: 1 if y > 0 else 2, [x]))  # noqa: C417

    for x in (-1, 1):
        for stage in STAGES:
            assert stage().run(f, S(x)) == f(x)


def test_libraries_go_as_they_are():
    for f in (
        math.sin,
        json.dumps,
        len,
        print,
        str.upper,
        [].append,
        os.path.join,
        functools.reduce,
        dict,
        Model,
        ValueError,
        functools.lru_cache(sign),
        pytest.raises,
    ):
        if f is len:
            assert calls.call(f) is not f and not calls.as_is(f)
        else:
            assert calls.call(f) is f or calls.call(f) == f
            assert calls.as_is(f)
    assert calls.call(convert) is convert and calls.call(textwrap.dedent) is textwrap.dedent
    np = pytest.importorskip("numpy")
    assert all(calls.call(f) is f for f in (np.sin, np.mean, np.linalg.norm, np.array))


def test_a_library_function_is_converted_when_that_is_asked_for():
    assert convert(textwrap.dedent) is not textwrap.dedent
    assert convert(textwrap.dedent)("  a\n   b") == "a\n b"


def test_what_cannot_be_called_is_left_to_python():
    def f(x):
        return x(1)

    with pytest.raises(TypeError, match="'int' object is not callable"):
        convert(f)(3)


def test_library_functions_stand_unwrapped_in_the_text():
    def f(x):
        return math.sin(x) + len([x]) + sign(x) + isinstance(x, int) + "a".count("b")

    text = to_code(f)
    assert (
        "math.sin(x)" in text
        and "ag__.len([x])" in text
        and "ag__.call(sign)(x)" in text
        and " isinstance(x, int)" in text
    )


def test_rebinding_a_name_is_seen():
    f = compiled("def f(x):\n    return g(x)\ndef g(x): return 1 if x else 2\n", "f")
    h = convert(f)
    assert h(1) == 1
    f.__globals__["g"] = lambda x: 9
    assert h(1) == 9


# -- do_not_convert ---------------------------------------------------------------------------------------------------------


@experimental.do_not_convert
def plain_sign(x):
    if x > 0:
        return 1
    return -1


@experimental.do_not_convert()
def plain_too(x):
    return 1 if x > 0 else 2


def test_do_not_convert():
    assert convert(plain_sign) is plain_sign
    assert convert(plain_too) is plain_too
    with pytest.raises(LeakError):
        STAGES[0]().run(lambda x: plain_sign(x), S(1))
    model = Model(1)
    marked = experimental.do_not_convert(model)
    assert marked(5) == 4 and calls.call(marked) is marked
    bound = experimental.do_not_convert(types.MethodType(lambda self, x: x if x else self, 3))
    assert calls.call(bound) is bound and bound(0) == 3


def test_loop_options_are_accepted():
    def f(n):
        for i in range(n):
            experimental.set_loop_options(
                parallel_iterations=1, swap_memory=True, maximum_iterations=3, shape_invariants=[(i, None)]
            )
        return n

    for stage in STAGES:
        assert stage().run(f, S(2)) == 2


# -- caches -----------------------------------------------------------------------------------------------------------------


def test_a_code_object_is_converted_once(monkeypatch):
    counted = []
    original = conversion._compile
    monkeypatch.setattr(conversion, "_compile", lambda f: counted.append(f) or original(f))
    make = lambda k: lambda x: k if x else -k
    fs = [make(k) for k in range(5)]
    assert [convert(f)(0) for f in fs] == [0, -1, -2, -3, -4]
    assert len(counted) == 1
    assert convert(fs[0]) is convert(fs[0])


def test_a_replaced_code_object_is_seen():
    def f(x):
        return 1 if x else 2

    assert convert(f)(1) == 1
    f.__code__ = (lambda x: 3 if x else 4).__code__
    assert convert(f)(1) == 3


def test_nothing_is_kept_alive():
    class Big:
        pass

    big = Big()

    def make(big):
        def f(n):
            return big if n <= 0 else f(n - 1)

        return f

    f = make(big)
    assert convert(f)(2) is big
    function, code, value = weakref.ref(f), weakref.ref(f.__code__), weakref.ref(big)
    del f, big
    gc.collect()
    assert function() is None and value() is None
    assert code() is not None  # of a function that is still there

    g = compiled("def g(x): return 1 if x else 2\n", "g")
    convert(g)
    before, code = len(conversion._templates), weakref.ref(g.__code__)
    del g
    gc.collect()
    assert code() is None and len(conversion._templates) < before


def test_no_cycles_are_left_by_calls():
    class Big:
        pass

    def f(x, big):
        y = 0
        for i in range(3):
            if x:
                y = y + i
        return y

    g = convert(f)
    gc.collect()
    gc.disable()
    try:
        for staged in (False, True):
            big = Big()
            ref = weakref.ref(big)
            STAGES[0]().run(f, S(1), big) if staged else g(1, big)
            del big
            assert ref() is None
    finally:
        gc.enable()


def test_threads_convert_together():
    import threading

    f = compiled(
        "def f(x):\n    y = 0\n    for i in range(5):\n        if i > x:\n            y += g(i)\n    return y\ndef g(i): return i if i else -1\n",
        "f",
    )
    expected = [f(x) for x in range(6)]
    results = []
    threads = [threading.Thread(target=lambda: results.append([convert(f)(x) for x in range(6)])) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [expected] * 8


# -- the text ---------------------------------------------------------------------------------------------------------------


def test_to_code():
    def f(x):
        if x > 0:
            y = x
        else:
            y = -x
        return y

    assert to_code(f) == (
        "def f(x):\n"
        "    if ag__.staged((ag__1 := (x > 0))):\n\n"
        "        def ag__then():\n            nonlocal y\n            y = x\n\n"
        "        def ag__else():\n            nonlocal y\n            y = -x\n"
        "        ag__.if_(ag__1, ag__then, ag__else, lambda: (y,), (('y',), ('y',)))\n"
        "    elif ag__1:\n        y = x\n    else:\n        y = -x\n    return y"
    )


def test_to_code_of_methods_decorated_and_wrapped_functions():
    assert to_code(Model(1).layer).startswith("def layer(self, x):")
    assert to_code(plain_sign).startswith("def plain_sign(x):")
    wrapper = types.SimpleNamespace(python_function=sign)
    assert to_code(wrapper) == to_code(sign)
    with pytest.raises(ValueError, match="takes a Python function"):
        to_code(3)
    env = {}
    exec("def f(x): return x", env)
    with pytest.raises(ValueError, match=r"source (is not available|has changed)"):
        to_code(env["f"])


def test_text_is_valid_python():
    for f in (
        sign,
        Model.layer,
        Model.__call__,
        compiled.__wrapped__ if hasattr(compiled, "__wrapped__") else compiled,
    ):
        compile(to_code(f), "text", "exec")


def test_importing_needs_the_standard_library_only():
    import subprocess

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(calls.__file__))))
    code = (
        "import sys, types\n"
        "for name, path in (('gradtape', sys.argv[1]), ('gradtape.tracing', sys.argv[1] + '/tracing')):\n"
        "    p = types.ModuleType(name); p.__path__ = [path]; sys.modules[name] = p\n"
        "import gradtape.tracing.autograph\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'gradtape', '__main__'}), 'inspect' in sys.modules, 'dataclasses' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code, package], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["[]", "False", "False"]
