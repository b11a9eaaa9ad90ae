"""Why a gradient is zero or not finite: the step of the backward pass at which it becomes so."""

from __future__ import annotations

from typing import Any

import numpy as np

from .account import Account, Step, brief, dense, local
from .causes import Finding

# rows whose slope is zero somewhere, and why
_ZERO = {
    "relu": "relu", "relu6": "clipped", "relu_grad": "relu", "sign": "flat", "multiply": "times_zero", "matmul": "times_zero", "einsum": "times_zero",
    "multiply_no_nan": "times_zero", "conv": "times_zero", "select": "branch", "maximum": "not_selected", "minimum": "not_selected", "max": "not_selected",
    "min": "not_selected", "max_pool": "not_selected", "gather": "not_selected", "gather_nd": "not_selected", "strided_slice": "not_selected",
    "top_k": "not_selected", "segment_max": "not_selected", "segment_min": "not_selected", "sigmoid": "saturated", "tanh": "saturated", "softmax": "saturated",
    "log_softmax": "saturated", "softmax_xent": "saturated", "sparse_softmax_xent": "saturated", "sigmoid_xent": "saturated", "erf": "saturated",
    "elu": "saturated", "selu": "saturated", "gelu": "saturated", "softplus": "saturated", "softsign": "saturated", "exp": "underflow",
    "keep_where": "dropped", "divide": "underflow", "zeros_like": "flat", "floormod": "flat",
}  # fmt: skip
_LOGS = {"log": 0.0, "log1p": -1.0, "xlogy": 0.0}
_ROOTS = ("sqrt", "rsqrt", "pow")
_DIVISIONS = ("divide", "reciprocal", "xdivy", "floormod", "truncatemod")
_GROW = (
    "exp",
    "expm1",
    "sinh",
    "cosh",
    "square",
    "pow",
    "multiply",
    "matmul",
    "sum",
    "prod",
    "lgamma",
    "add",
    "cumprod",
    "cumsum",
)


def _all_zero(g: Any) -> bool:
    return g is not None and not np.any(dense(g))


def _finite(g: Any) -> bool:
    a = dense(g)
    return a is None or bool(np.all(np.isfinite(a)))


def zero(account: Account, sources: set[int]) -> list[Finding]:
    """Why the adjoints of ``sources`` are zero: the steps at which nothing more flows back, the last in the program first."""
    below, found = account.below(sources), []
    for s in reversed(account.steps):
        if all([g is None or _all_zero(g) for g in s.cotangents]):
            continue
        for i in s.tracked:
            if s.in_keys[i] in below and s.parts[i] is not None and _all_zero(s.parts[i]):
                found.append(_zero_step(*_behind(account, s, i)))
    if not found:  # nothing is cut off: then contributions cancel
        for k in (k for s in account.steps for k in s.out_keys):
            if k in below and account.adjoints.get(k) is not None and _all_zero(account.adjoints[k]):
                found.append(Finding("cancels", account.makers[k].place))
        if not found:
            uses = [s for s in account.steps if not sources.isdisjoint(s.in_keys)]
            found.append(Finding("cancels", uses[0].place if uses else None))
    return _once(found)


def _users(s: Step) -> str:
    """What an operation is called whose gradient the user wrote; empty for others."""
    return s.name if not hasattr(s.p, "kernel") else "the function" if s.name == "custom_gradient" else ""


_JOINS = ("stack", "concat", "pack", "pad", "broadcast_to", "tile")


def _behind(account: Account, s: Step, i: int) -> tuple[Step, int]:
    """Where tensors are only put together, the zero for one of them comes from behind: the step that uses the whole."""
    while s.name in _JOINS:
        users = [(t, j) for t in account.steps[s.number :] for j in t.tracked if t.in_keys[j] in s.out_keys and t.parts[j] is not None]  # fmt: skip
        if not users:
            break
        s, i = users[-1]
    return s, i


def _zero_step(s: Step, i: int) -> Finding:
    name, place = s.name, s.place
    if _users(s):
        return Finding("custom_zero", place, op=_users(s))
    cause = _ZERO.get(name, "zero_here")
    x = None if s.xs[i] is None else np.asarray(s.xs[i]._a)
    if name in ("relu",) and x is not None:
        return Finding(
            "relu", place, v=f"all {x.size} inputs" if x.size > 1 else "the input", are="are" if x.size > 1 else "is"
        )
    if name in ("maximum", "minimum") and x is not None and s.xs[1 - i] is not None and np.size(s.xs[1 - i]._a) == 1:
        return Finding("clipped", place, op=f"tf.{name} with {brief(s.xs[1 - i]._a)}")
    if name in ("multiply", "matmul") and s.in_keys[0] == s.in_keys[1]:
        return Finding("stationary", place, op="the square")
    if name == "exp" and s.outs[0] is not None and not np.any(np.asarray(s.outs[0]._a)):
        return Finding("underflow", place, op="tf.exp")
    if name == "multiply" and s.xs[1 - i] is not None and np.any(np.asarray(s.xs[1 - i]._a)):
        cause = "underflow" if not np.any(np.asarray(s.xs[1 - i]._a) == 0) else "times_zero"
    d = local(s, i)
    slope = None if d is None or d.value is None else np.asarray(d.value)
    if slope is not None and not np.any(slope) and cause in ("zero_here", "underflow"):
        cause = "stationary"
    elif slope is not None and np.all(slope) and cause in ("zero_here", "saturated", "underflow"):
        cause = "underflow"
    return Finding(cause, place, op=f"tf.{name}")


def _once(found: list[Finding]) -> list[Finding]:
    out: list[Finding] = []
    for f in found:
        if not any([f.cause == g.cause and f.place == g.place for g in out]):
            out.append(f)
    return out


# -- NaN and infinities -----------------------------------------------------------------------------------------------------
def not_finite(account: Account, sources: set[int]) -> list[Finding]:
    """Where NaN or infinities come up: in the backward pass from finite cotangents, else in the values."""
    above = account.above(account.targets)
    below = account.below(sources)
    backward, forward = [], []
    for s in reversed(account.steps):
        if not all([_finite(g) for g in s.cotangents]):
            continue
        for i in s.tracked:
            if s.in_keys[i] in below and s.parts[i] is not None and not _finite(s.parts[i]):
                backward.append(_backward_step(account, s, i))
    for s in account.steps:
        if above.isdisjoint(s.out_keys) or all([o is None or _fine(o._a) for o in s.outs]):
            continue
        if all([x is None or _fine(x._a) for x in s.xs]):
            forward.append(_forward_step(s))
        else:
            for k, x in zip(s.in_keys, s.xs, strict=True):
                if x is not None and not _fine(x._a) and k not in account.makers:
                    name = account.names.get(k, "an input")
                    forward.append(Finding("not_finite_input", s.place, v=name))
    reached = [s for s in account.steps if not set(account.targets).isdisjoint(s.out_keys)]
    if reached and all([o is None or _fine(o._a) for s in reached for o in s.outs]):
        forward = []  # what is not finite did not get as far as the target
    double = [f for f in backward if f.cause == "double_where"]
    return _once([*double, *forward, *backward])


def _fine(a: Any) -> bool:
    return not isinstance(a, np.ndarray | np.generic) or a.dtype.kind not in "fc" or bool(np.all(np.isfinite(a)))


def _value(a: Any) -> str:
    return brief(np.asarray(a))


def _forward_step(s: Step) -> Finding:
    """A step that makes NaN or infinities of finite values."""
    name, place = s.name, s.place
    xs = [None if x is None else np.asarray(x._a) for x in s.xs]
    if _users(s):
        return Finding("not_finite", place, op=_users(s))
    if name in _LOGS and xs:
        a, edge = xs[-1] if name == "xlogy" else xs[0], _LOGS[name]
        if a is not None:
            negative = a[a < edge]
            if np.size(negative):
                return Finding("log_of_negative", place, v=_value(negative.min()))
            return Finding("log_of_zero", place, v="0")
    if name in _ROOTS and xs[0] is not None:
        if np.any(xs[0] < 0):
            return Finding("root_of_negative", place, op=f"tf.{name}", v=_value(xs[0].min()))
        if name != "pow" or not np.all(xs[0]):
            return Finding("division_by_zero", place)
    if name in _DIVISIONS:
        divisor = xs[-1]
        if divisor is None or np.any(divisor == 0):
            return Finding("division_by_zero", place)
    if name in _GROW:
        big = [a for a in xs if a is not None and a.size]
        return Finding("overflow", place, op=f"tf.{name}", v=_value(max([np.abs(a).max() for a in big], default=0)))
    if xs and xs[0] is not None:
        return Finding("outside_domain", place, op=f"tf.{name}", v=brief(xs[0]))
    return Finding("not_finite", place, op=f"tf.{name}")


def _backward_step(account: Account, s: Step, i: int) -> Finding:
    """A step that makes NaN or infinities of finite cotangents."""
    name, place = s.name, s.place
    if _users(s):
        return Finding("custom_not_finite", place, op=_users(s))
    part = np.asarray(dense(s.parts[i]))
    g = np.asarray(dense(s.cotangents[0])) if s.cotangents and s.cotangents[0] is not None else None
    nan = np.isnan(part)
    idle = g is not None and g.shape == part.shape and bool(np.any(nan & (g == 0)))
    if idle or (g is not None and g.ndim == 0 and g == 0 and nan.any()):
        where = _not_taken(account, s, nan if idle else None)
        if where is not None:
            f = Finding("double_where", where.place or place, op=_at(s))
            return f
        return Finding("zero_times_infinity", place, op=f"tf.{name}")
    xs = [None if x is None else np.asarray(x._a) for x in s.xs]
    out = s.outs[0]
    if name in _LOGS:
        a = xs[-1] if name == "xlogy" else xs[0]
        if a is not None and np.any(a < _LOGS[name]):
            return Finding("log_of_negative", place, v=_value(a.min()))
        return Finding("log_of_zero", place, v="0")
    if name in _ROOTS and xs[0] is not None:
        if np.any(xs[0] < 0):
            return Finding("root_of_negative", place, op=f"tf.{name}", v=_value(xs[0].min()))
        if (
            name == "pow"
            and i == 0
            and xs[1] is not None
            and not np.any(xs[1][(xs[0] == 0) & nan] if xs[1].shape else xs[1])
        ):
            return Finding("zero_times_infinity", place, op="tf.pow")  # y x^(y-1) for y = 0
        return Finding("root_of_zero", place, op=f"tf.{name}")
    if name == "sqrt" and out is not None:
        return Finding("root_of_zero", place, op="tf.sqrt")
    if name in _DIVISIONS:
        return Finding("division_by_zero", place)
    if out is not None and not _fine(out._a):
        return (
            _forward_step(s)
            if all([a is None or _fine(a) for a in xs])
            else Finding("infinity_minus_infinity", place, op=f"tf.{name}")
        )
    d = local(s, i)
    if d is not None and d.value is not None and not _fine(np.asarray(d.value)):
        return Finding(
            "outside_domain" if np.isnan(d.value).any() else "root_of_zero", place, op=f"tf.{name}", v=brief(xs[i])
        )
    if any([a is not None and not _fine(a) for a in xs]):
        return Finding("infinity_minus_infinity", place, op=f"tf.{name}")
    return Finding("overflow", place, op=f"the derivative of tf.{name}", v=brief(xs[i]))


def _at(s: Step) -> str:
    what = s.place.expression or s.place.code if s.place else ""
    return f"tf.{s.name}" + (f" ({what}, line {s.place.line})" if s.place and what else "")


def _not_taken(account: Account, s: Step, at: np.ndarray | None) -> Step | None:
    """The ``where`` that did not take the value of ``s``: the nearest one among the steps that use it."""
    found = set(s.out_keys)
    for t in account.steps[s.number :]:
        if found.isdisjoint(t.in_keys):
            continue
        if t.name in ("select", "keep_where"):
            return t
        found.update(t.out_keys)
    return None
