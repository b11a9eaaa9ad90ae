"""One function, one point, all ways to differentiate it: values, errors, time and work side by side."""

from __future__ import annotations

import functools
import html
import inspect
import math
import textwrap
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.tensor import Tensor, constant, convert
from ..gradient.functions import grad, hessian, jacfwd, jacrev
from ..ground.dtypes import as_dtype, float64
from ..ground.errors import invalid
from . import differences
from .sampling import Sampled

SHOWN = 4  # columns of values
EXACT = ("reverse", "forward", "forward over reverse", "symbolic", "compiled", "complex step")


class Way(NamedTuple):
    """One way to differentiate: the derivatives, flat, and what they took. ``error`` is relative to the largest of the best ones; ``estimate`` is the
    way's own estimate of it. Where the way does not apply, ``why`` says so and the rest is None."""

    name: str
    values: np.ndarray | None = None
    error: float | None = None
    estimate: float | None = None
    seconds: float | None = None
    evaluations: str = ""
    why: str = ""


class Comparison:
    """The result of ``compare``: ``ways``, ``best`` (the derivatives that errors are measured against); ``str()`` of it is a table."""

    def __init__(
        self, f: Callable, point: tuple, names: list[str], order: int, value: float, dtype: str, labels: list[str]
    ):
        self.f, self.point, self.names, self.order, self.value, self.dtype, self.labels = (
            f, point, names, order, value, dtype, labels,
        )  # fmt: skip
        self.ways: list[Way] = []
        self.best: np.ndarray = np.zeros(0)
        self.formulas: list[str] = []  # the symbolic derivatives
        self.notes: list[str] = []

    def _below(self) -> list[str]:
        """What stands below the table."""
        left_out = [f"{w.name}: {w.why}" for w in self.ways if w.values is None]
        short = [f"{n} = {d}" for n, d in zip(self.labels, self.formulas) if len(self.labels) <= SHOWN and len(d) <= 80]
        return left_out + self.notes + short

    def way(self, name: str) -> Way:
        """The way of that name."""
        for w in self.ways:
            if w.name == name:
                return w
        raise KeyError(f"{name!r} is none of {[w.name for w in self.ways]}.")

    @property
    def title(self) -> str:
        title = getattr(self.f, "__name__", "f")
        args = ", ".join([f"{n} = {_short(p)}" for n, p in zip(self.names, self.point, strict=True)])
        return f"{'f' if title == '<lambda>' else title} at {args}"

    def rows(self) -> list[tuple[str, ...]]:
        """The table as text, the heads first."""
        shown = min(len(self.labels), SHOWN)
        more = ["..."] if len(self.labels) > shown else []
        rows: list[tuple[str, ...]] = [
            ("way", *self.labels[:shown], *more, "error", "estimated", "evaluations", "time")
        ]
        for w in self.ways:
            if w.values is None:
                continue
            digits = (
                15
                if not w.error or not math.isfinite(w.error)
                else min(15, max(3, 2 - math.floor(math.log10(w.error))))
            )
            rows.append((
                w.name, *[f"{v:.{digits}g}" for v in w.values[:shown]], *more, _size(w.error), _size(w.estimate), w.evaluations, _duration(w.seconds),
            ))  # fmt: skip
        return rows

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max([len(r[i]) for r in rows]) for i in range(len(rows[0]))]
        lines = [f"{self.title}: {self.value:.15g} ({self.dtype})", ""]
        for row in rows:
            cells = [row[0].ljust(widths[0]), *[c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]]
            lines.append("  ".join(cells).rstrip())
        below = self._below()
        return "\n".join(lines + [""] * bool(below) + below)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = self.rows()

        def line(row: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join([f"<{tag}>{html.escape(c)}</{tag}>" for c in row]) + "</tr>"

        below = "<br>".join([html.escape(t) for t in self._below()])
        return (
            f"<p>{html.escape(self.title)}: {self.value:.15g} ({self.dtype})</p><table>{line(head, 'th')}"
            + "".join([line(r, "td") for r in rows])
            + f"</table><p>{below}</p>"
        )

    def errors_by_step(self, steps: Sequence[float] | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The errors of the ways that have a step, for each of many steps.

        Args:
            steps: relative to the size of x; by default three in each power of ten from 1 to 1e-17.

        Returns:
            The steps, and the relative errors by name of the way.
        """
        hs = np.logspace(0, -17, 52) if steps is None else np.asarray(steps, np.float64)
        methods = {"forward difference": "forward", "central difference": "central"}
        if self.order == 1 and self.way("complex step").values is not None:
            methods["complex step"] = "complex"
        size = np.max([np.max(np.abs(np.asarray(p, np.float64)), initial=1.0) for p in self.point])
        args = _tensors(self.point, self.dtype)
        take = differences.gradient if self.order == 1 else differences.hessian
        found = {name: np.zeros(hs.size) for name in methods}
        for name, method in methods.items():
            for i, h in enumerate(hs):
                try:
                    got = _flat(take(self.f, args, method=method, step=float(h * size)))
                except (ValueError, ArithmeticError):  # too short to change x, or out of the domain
                    got = np.full(self.best.shape, np.nan)
                found[name][i] = _error(got, self.best)
        return hs, found

    def plot(self, path: Any = None) -> Any:
        """Draw the errors against the step size.

        Args:
            path: a file to write, .png, .svg or .pdf; None leaves that out.

        Returns:
            The matplotlib figure.

        Raises:
            ModuleNotFoundError: matplotlib is missing.
        """
        from .plotting import draw

        figure = draw(self)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def compare(f: Callable, *at: Any, order: int = 1, dtype: Any = None) -> Comparison:
    """Differentiate one function at one point in all ways that apply.

    These are the tape, forward mode, the symbolic derivative, the compiled tape, a complex step, extrapolated, central and forward differences, and
    ``scipy.differentiate``.

    Args:
        f: a function of tensors with one number for a result.
        *at: its arguments: numbers, lists or arrays.
        order: 1 for the gradient, 2 for the Hessian.
        dtype: "float64", or "float32"; by default the first of them that ``f`` takes.

    Returns:
        A ``Comparison``: print it for the table, ``plot`` it for the errors against the step size.

    Raises:
        InvalidArgumentError: ``f`` does not give one number.

    >>> import gradtape as tf
    >>> c = tf.numeric.compare(lambda x, y: x * x * y + y + 2, 3.0, 4.0)
    >>> c.way("reverse").values.tolist(), c.way("reverse").error
    ([24.0, 10.0], 0.0)
    >>> c.way("central difference").error < 1e-10 < c.way("forward difference").error
    True
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, but is {order!r}.")
    if not at:
        raise TypeError("compare needs a point: give the function's arguments behind it.")
    point = tuple([np.asarray(a, np.float64) for a in at])
    name, value = _dtype(f, point, dtype)
    if value.size != 1:
        raise invalid(
            f"compare is for functions with one number for a result, but this one gave shape {list(value.shape)}: take one element, or tf.reduce_sum."
        )
    names = _names(f, len(point))
    c = Comparison(
        f,
        tuple([p if p.ndim else float(p) for p in point]),
        names,
        order,
        value.item(),
        name,
        _labels(names, point, order),
    )
    args = _tensors(point, name)
    for label, run in _ways(f, args, names, order):
        way, formulas = _taken(label, run)
        c.ways.append(way)
        c.formulas = formulas or c.formulas
    c.best = _best(c.ways, f, point, order, name)
    c.ways = [w if w.values is None else w._replace(error=_error(w.values, c.best)) for w in c.ways]
    scale = float(np.max(np.abs(c.best), initial=0.0)) or 1.0
    c.ways = [w if w.estimate is None else w._replace(estimate=w.estimate / scale) for w in c.ways]
    _judge(c)
    return c


class _Counted:
    """A function that counts its calls."""

    def __init__(self, f: Callable) -> None:
        self.f, self.calls = f, 0
        functools.update_wrapper(self, f, updated=())

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        y = self.f(*args)
        return convert(y) if isinstance(y, Tensor) and y.shape == () else _one_number(y)


def _one_number(y: Any) -> Any:
    """A result of shape (1,) and the like as one of shape ()."""
    from ..primitives import structure as st

    t = convert(y, None, float64) if isinstance(y, float) else convert(y)
    return st.reshape(t, shape=()) if t.shape.rank else t


def _ways(f: Callable, args: tuple, names: list[str], order: int) -> list[tuple[str, Callable[[], tuple]]]:
    """(name, function that gives the values, evaluations, error estimate, a function to be timed)."""
    every = tuple(range(len(args)))

    def exact(derivative: Callable[[Callable], Callable], work: str) -> Callable[[], tuple]:
        def run() -> tuple:
            counted = _Counted(f)
            timed = functools.partial(derivative(counted), *args)
            return _flat(timed()), f"{counted.calls}{work}", None, timed

        return run

    def by_values(method: str) -> Callable[[], tuple]:
        take = differences.gradient if order == 1 else differences.hessian

        def run() -> tuple:
            estimate = take(f, args, method=method, full=True)
            timed = functools.partial(take, f, args, method=method)
            counted = _Counted(f)
            take(counted, args, method=method)
            return _flat(estimate.value), str(counted.calls), float(np.max(np.abs(_flat(estimate.error)))), timed

        return run

    def compiled() -> tuple:
        from ..tracing.function import function

        inner = function(f)  # for itself, so that its branches and loops are staged
        program = function(_reverse(lambda *xs: _one_number(inner(*xs)), every, order), autograph=False)
        timed = functools.partial(program, *args)
        return _flat(timed()), "compiled", None, timed

    def symbolic() -> tuple:
        return _symbolic(f, args, names, order)

    size = sum([math.prod(a.shape) for a in args])
    ways: list[tuple[str, Callable[[], tuple]]] = [
        ("reverse", exact(lambda g: _reverse(g, every, order), " + back" if order == 1 else " + back, twice")),
        (
            "forward",
            exact(
                lambda g: _forward(g, every, order),
                f" with {size if order == 1 else size * size} tangent{'s' if size > 1 else ''}",
            ),
        ),
    ]
    if order == 2:
        ways.append(
            (
                "forward over reverse",
                exact(lambda g: hessian(g, every), f" + back with {size} tangent{'s' if size > 1 else ''}"),
            )
        )
    return ways + [
        ("symbolic", symbolic),
        ("compiled", compiled),
        ("complex step", by_values("complex")),
        ("Richardson", by_values("richardson")),
        ("scipy.differentiate", by_values("adaptive")),
        ("central difference", by_values("central")),
        ("forward difference", by_values("forward")),
    ]


def _reverse(f: Callable, every: tuple[int, ...], order: int) -> Callable:
    return grad(f, every) if order == 1 else jacrev(grad(f, every), every)


def _forward(f: Callable, every: tuple[int, ...], order: int) -> Callable:
    return jacfwd(f, every) if order == 1 else jacfwd(jacfwd(f, every), every)


def _symbolic(f: Callable, args: tuple, names: list[str], order: int) -> tuple:
    """Values, and with the function that is timed also the formulas."""
    from .. import symbolic

    dtype = args[0].dtype
    shaped = [
        symbolic.Var(n, dtype=dtype) if not a.shape.rank else symbolic.variables([n], shape=tuple(a.shape))
        for n, a in zip(names, args, strict=True)
    ]
    variables = [v for s in shaped for v in (np.ravel(s) if isinstance(s, np.ndarray) else [s])]
    numbers = [v.item() for a in args for v in np.ravel(np.asarray(a))]
    e = symbolic.trace(lambda *xs: _one_number(f(*xs)), *shaped, dtype=dtype)
    found: Any = symbolic.gradient(e, variables) if order == 1 else symbolic.hessian(e, variables)
    flat: list[Any] = list(found) if order == 1 else [d for row in found for d in row]
    timed = functools.partial(symbolic.evaluate, flat, dict(zip(variables, numbers, strict=True)))
    return np.asarray([float(v) for v in timed()]), "none", None, timed, [d.pretty() for d in flat]


def _taken(name: str, run: Callable[[], tuple]) -> tuple[Way, list[str]]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # what is not finite is there to be seen
        try:
            values, work, estimate, timed, *formulas = run()
        except Exception as problem:
            text = textwrap.shorten(str(problem).strip().split("\n")[0], 160, placeholder=" ...")
            return Way(name, why=text or type(problem).__name__), []
        return Way(name, values, None, estimate, _seconds(timed), work), formulas[0] if formulas else []


def _seconds(run: Callable[[], Any]) -> float:
    best, until = math.inf, time.perf_counter() + 0.02
    for _ in range(200):
        start = time.perf_counter()
        run()
        end = time.perf_counter()
        best = min(best, end - start)
        if end > until:
            break
    return best


def _best(ways: list[Way], f: Callable, point: tuple, order: int, dtype: str) -> np.ndarray:
    """The median of the ways that are exact but for rounding and of the extrapolated differences; for lower precisions in float64 if that works."""
    if dtype != "float64":
        try:
            return _flat(_reverse(_Counted(f), tuple(range(len(point))), order)(*_tensors(point, "float64")))
        except Exception:
            pass
    by_rules = [w.values for w in ways if w.values is not None and w.name in EXACT[:-1]]
    if by_rules and not any([np.all(np.isfinite(v)) for v in by_rules]):
        return by_rules[0]
    exact = [w.values for w in ways if w.values is not None and w.name in (*EXACT, "Richardson")]
    exact = [v for v in exact if np.all(np.isfinite(v))] or exact
    exact = [
        v for v in exact if np.any(v)
    ] or exact  # where some are not 0, the others did not see the way to the result
    if not exact:
        exact = [w.values for w in ways if w.values is not None]
    if not exact:
        raise invalid("None of the ways applies:\n" + "\n".join([f"  {w.name}: {w.why}" for w in ways]))
    best = np.median(np.stack(exact), axis=0)
    return exact[0] if len(exact) % 2 == 0 and np.allclose(best, exact[0], rtol=1e-12, atol=0) else best


def _judge(c: Comparison) -> None:
    """A word where ways that should agree do not."""
    if not math.isfinite(c.value):
        c.notes.append("The function is infinite or undefined here, so it has no derivative.")
        return
    if not np.all(np.isfinite(c.best)):
        c.notes.append("The derivative is infinite or undefined here; tape.explain says why.")
        return
    if c.order == 1 and _sides(c):
        return
    by_values = c.way("Richardson")
    if by_values.values is None or by_values.estimate is None:
        return
    scale = float(np.max(np.abs(c.best), initial=0.0)) or 1.0
    eps = float(np.finfo(as_dtype(c.dtype).as_numpy_dtype).eps)
    if not by_values.estimate < 0.01 * scale + eps**0.5:
        c.notes.append(
            "Differences do not settle here: a jump or a kink is near, the domain ends, or the function is noisy."
        )
        return
    for w in c.ways:
        if w.values is None or w.name not in EXACT:
            continue
        gap = float(np.max(np.abs(w.values - by_values.values))) / scale
        if not gap <= 4 * by_values.estimate + eps**0.75:
            zero = (
                ""
                if np.any(w.values)
                else ", for it gives 0: were tensors turned into numbers, or is it constant here?"
            )
            c.notes.append(
                f"{w.name} is not what differences say{zero or ': a kink, or a wrong derivative rule? tf.test.check_gradients shows where.'}"
            )


def _sides(c: Comparison) -> bool:
    """A word where the slopes to the left and to the right differ."""
    args = _tensors(c.point, c.dtype)
    try:
        left, right = [differences.gradient(c.f, args, method=m, full=True) for m in ("backward", "forward")]
    except (TypeError, ValueError, ArithmeticError):
        return False
    a, b = _flat(left.value), _flat(right.value)
    allowed = 4 * (_flat(left.error) + _flat(right.error)) + 1e-3 * np.maximum(np.abs(a), np.abs(b))
    apart = np.flatnonzero(np.abs(a - b) > allowed)
    if apart.size:
        k = int(apart[0])
        c.notes.append(
            f"{c.labels[k]} is {a[k]:.6g} to the left and {b[k]:.6g} to the right: the function has no derivative here, and each way gives what its rules or steps say."
        )
    return bool(apart.size)


def _dtype(f: Callable, point: tuple, dtype: Any) -> tuple[str, np.ndarray]:
    """The name of the dtype with which ``f`` is run, and its value."""
    if dtype is not None:
        name = as_dtype(dtype).name
        return name, Sampled(f, _tensors(point, name)).y0
    try:
        return "float64", Sampled(f, _tensors(point, "float64")).y0
    except (TypeError, ValueError) as problem:
        try:
            return "float32", Sampled(f, _tensors(point, "float32")).y0
        except (TypeError, ValueError):
            raise problem from None


def _tensors(point: tuple, dtype: str) -> tuple:
    return tuple([constant(p, dtype) for p in point])


def _flat(found: Any) -> np.ndarray:
    """Derivatives as one vector; of a Hessian in blocks, by rows."""
    if isinstance(found, tuple | list) and found and isinstance(found[0], tuple | list):
        rows = []
        for row in found:
            rows.append([np.asarray(b, np.float64) for b in row])
        sizes = [math.isqrt(rows[i][i].size) for i in range(len(rows))]  # those on the diagonal are square
        return np.concatenate(
            [
                np.concatenate([b.reshape(sizes[i], sizes[j]) for j, b in enumerate(row)], axis=1).ravel()
                for i, row in enumerate(rows)
            ]
        )
    parts = found if isinstance(found, tuple | list) else [found]
    return np.concatenate([np.asarray(p, np.float64).ravel() for p in parts])


def _error(got: np.ndarray, best: np.ndarray) -> float:
    finite = np.isfinite(best)
    scale = float(np.max(np.abs(best[finite]), initial=0.0)) or 1.0
    with np.errstate(all="ignore"):
        gaps = np.where(got == best, 0.0, np.abs(got - best))  # an infinite derivative is met or missed
    return float(np.max(np.where(np.isnan(gaps) & ~np.isnan(got), np.inf, gaps), initial=0.0)) / scale


def _names(f: Callable, n: int) -> list[str]:
    try:
        ps = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        ps = []
    names = [p.name for p in ps if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    return names if len(names) == n else ["x"] if n == 1 else [f"x{i}" for i in range(n)]


def _labels(names: list[str], point: tuple, order: int) -> list[str]:
    """df/dx, df/dv[0] ...; of order 2 d2f/dxdy."""
    each = []
    for name, p in zip(names, point, strict=True):
        each += [name + (f"[{','.join(map(str, at))}]" if p.ndim else "") for at in np.ndindex(p.shape)]
    if order == 1:
        return [f"df/d{n}" for n in each]
    return [f"d²f/d{a}²" if a == b else f"d²f/d{a}d{b}" for a in each for b in each]


def _short(p: Any) -> str:
    return (
        f"{p:.6g}"
        if isinstance(p, float)
        else np.array2string(p, precision=4, threshold=6, separator=", ").replace("\n", "")
    )


def _size(v: float | None) -> str:
    return "" if v is None else "0" if v == 0 else f"{v:.1e}"


def _duration(s: float | None) -> str:
    if s is None:
        return ""
    return f"{s * 1e6:.3g} µs" if s < 1e-3 else f"{s * 1e3:.3g} ms" if s < 1 else f"{s:.3g} s"
