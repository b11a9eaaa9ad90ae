"""The matplotlib backend of notebooks: figures are drawn by Agg and handed to the cell that shows them.

matplotlib loads this module by name (``MPLBACKEND=module://gradtape.cli.figures``) when the notebook first
uses pyplot.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

from . import kernel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureCanvas", "png", "show"]


def show(*args: Any, **kwargs: Any) -> None:
    """``plt.show()``: give all open figures that hold something to the running cell, and close them."""
    from matplotlib import pyplot

    try:
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if kernel.running and (figure.axes or figure.texts or figure.images):
                kernel.running.show_figure(figure)
    finally:  # a figure that cannot be drawn fails one cell, not all that follow
        pyplot.close("all")


def png(figure: Figure) -> bytes:
    """The figure as a PNG file, cut to what is drawn."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()
