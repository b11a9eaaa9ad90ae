"""A Python function in every form in which it can be run and differentiated: as it is, traced, with tapes outside, inside, or both."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import gradtape as tf
from gradtape.ground import nest
from gradtape.tracing import interpreter
from gradtape.tracing.function import Function, function


def graph(f: Callable, **options: Any) -> Function:
    """``f`` as a tf.function whose control flow is left as it is."""
    return function(f, autograph=False, **options)


def numpy_graph(f: Callable) -> Function:
    """The same, run by the rows' NumPy kernels: what the native engine must agree with, and eager execution bit for bit."""
    g = graph(f)
    g._compiler = lambda: interpreter.compile  # type: ignore[method-assign]
    return g


def derivative(f: Callable, x: Any, n: int = 1) -> Any:
    """The n-th derivative of the sum of ``f(x)``, with respect to the tensor ``x``, by n tapes."""
    if n == 0:
        return f(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = derivative(f, x, n - 1)
    return tape.gradient(y, x)


def forms(f: Callable, x: Any, n: int) -> Iterator[tuple[str, Any]]:
    """The n-th derivative at ``x`` with all tapes outside of the traced function, all inside, and every split between."""
    for inside in range(n + 1):
        traced = graph(lambda z, k=inside: derivative(f, z, k))
        yield f"{inside} of {n} tapes inside", derivative(traced, x, n - inside)
    traced = graph(f)
    yield "traced in a traced function", derivative(graph(lambda z: traced(z)), x, n)


def arrays(x: Any) -> list[Any]:
    """The leaves of a nest as arrays; None stays."""
    return [None if t is None else np.asarray(tf.convert_to_tensor(t)) for t in nest.flatten(x)]


def assert_same(got: Any, want: Any, rtol: float = 0.0, what: str = "") -> None:
    """Nests of the same arrays: bit for bit where ``rtol`` is 0, and always in shape, dtype and what is None."""
    for a, b in zip(arrays(got), arrays(want), strict=True):
        assert (a is None) == (b is None), what
        if a is None:
            continue
        assert (a.shape, a.dtype) == (b.shape, b.dtype), what
        if rtol:
            np.testing.assert_allclose(a, b, rtol, atol=rtol * (np.abs(b).max() if b.size else 0), err_msg=what)
        else:
            # a scalar keeps its sign of zero and its kind of NaN too
            assert a.tobytes() == b.tobytes(), f"{what}: {a!r} is not {b!r}"


def assert_every_form(f: Callable, x: Any, orders: int = 3, rtol: float = 1e-12, zero_for_none: bool = False) -> None:
    """Values and derivatives up to ``orders - 1``, in every form as in eager execution of the same Python; values bit for bit with the NumPy kernels.

    ``zero_for_none``: traced control flow is one operation, connected to all that it takes, so zeros are right where eager execution has no path.
    """
    assert_same(numpy_graph(f)(x), f(x), what="value")
    assert_same(graph(f)(x), f(x), 1e-14, what="compiled value")
    for n in range(1, orders):
        want = derivative(f, x, n)
        if want is None and zero_for_none:
            want = tf.zeros_like(x)
        for what, got in forms(f, x, n):
            assert_same(got, want, rtol, what)
