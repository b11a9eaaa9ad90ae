"""Keras's metrics, which also take ``reset_states``; eagerly an update is one compiled call."""

from __future__ import annotations

from typing import Any

from . import _keras, losses
from ._spelling import Namespace
from .losses import SHORT


class _Old:
    """The spelling of Keras 2, before any of Keras's metrics."""

    def reset_states(self) -> None:
        """Start anew."""
        self.reset_state()  # type: ignore[attr-defined]


_get = Namespace(_keras.metrics, _keras.metrics.Metric, _Old)


def __getattr__(name: str) -> Any:
    return getattr(losses, SHORT[name]) if name in SHORT else _get(name)


def __dir__() -> list[str]:
    return [*dir(_keras.metrics), *SHORT]
