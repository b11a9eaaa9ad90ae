"""The picture of ``Comparison.plot``: errors against the step size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .comparison import Comparison

# Okabe and Ito's colours, which colour-blind readers can tell apart; each curve also has its own marker.
STYLES = {
    "forward difference": ("#D55E00", "o"),
    "central difference": ("#0072B2", "s"),
    "complex step": ("#009E73", "^"),
}
FLOOR = 1e-17  # where an error of nothing is drawn


def draw(c: Comparison) -> Any:
    """The matplotlib figure for a comparison."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("The plot needs matplotlib: pip install 'gradtape[notebook]'.") from None
    steps, errors = c.errors_by_step()
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    axes = figure.subplots()
    for name, values in errors.items():
        colour, marker = STYLES[name]
        axes.loglog(
            steps,
            np.maximum(values, FLOOR),
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.4,
            label=name,
        )
    for name, dashes in (
        ("reverse", (0, (1, 1))),
        ("Richardson", (0, (5, 2))),
        ("scipy.differentiate", (0, (3, 1, 1, 1))),
    ):
        way = c.way(name)
        if way.error is not None and np.isfinite(way.error):
            axes.axhline(
                max(way.error, FLOOR),
                color="0.35",
                linestyle=dashes,
                linewidth=1.2,
                label=f"{name} (chooses its steps)" if name != "reverse" else "reverse (no step)",
            )
    axes.invert_xaxis()
    axes.set_ylim(FLOOR / 3, 1e3)
    axes.set_xlabel("step, relative to the size of x")
    axes.set_ylabel("error, relative to the derivative" + ("" if c.order == 1 else " of order 2"))
    axes.set_title(c.title)
    axes.grid(True, which="major", color="0.9", linewidth=0.8)
    figure.legend(loc="outside lower center", fontsize="small", frameon=False, ncols=3)
    return figure
