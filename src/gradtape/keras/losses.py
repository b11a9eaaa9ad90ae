"""Keras's losses with their short names."""

from __future__ import annotations

import functools
from typing import Any

import gradtape as tf

from . import _keras

SHORT = {
    "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error", "MAE": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "MAPE": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error", "bce": "binary_crossentropy", "BCE": "binary_crossentropy", "kld": "kl_divergence",
    "KLD": "kl_divergence", "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh", "huber_loss": "huber",
}  # fmt: skip


class Reduction:
    """How the losses of a batch become one."""

    AUTO = "sum_over_batch_size"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Those that there are."""
        return cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE


def _broadcasting(name: str, formula: Any) -> Any:
    """Keras's function where both tensors have one rank. Else, as in Keras 2, they broadcast: an accident more often than not, of which the tape warns."""
    modern = getattr(_keras.losses, name)

    @functools.wraps(modern)
    def loss(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
        pred = _keras.ops.convert_to_tensor(y_pred)
        true = _keras.ops.convert_to_tensor(y_true, dtype=pred.dtype.name)
        if len(true.shape) == len(pred.shape) or args or kwargs:
            return modern(true, pred, *args, **kwargs)
        return tf.reduce_mean(formula(true, pred), axis=-1)

    return loss


def _log(x: Any) -> Any:
    return tf.math.log(tf.maximum(x, _keras.backend.epsilon()) + 1.0)


mean_squared_error = _broadcasting("mean_squared_error", lambda t, p: tf.math.squared_difference(p, t))
mean_absolute_error = _broadcasting("mean_absolute_error", lambda t, p: tf.abs(p - t))
mean_absolute_percentage_error = _broadcasting(
    "mean_absolute_percentage_error",
    lambda t, p: 100.0 * tf.abs((t - p) / tf.maximum(tf.abs(t), _keras.backend.epsilon())),
)
mean_squared_logarithmic_error = _broadcasting(
    "mean_squared_logarithmic_error", lambda t, p: tf.math.squared_difference(_log(p), _log(t))
)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    name = SHORT.get(name, name)
    return globals()[name] if name in globals() else getattr(_keras.losses, name)


def __dir__() -> list[str]:
    return [*dir(_keras.losses), *SHORT, "Reduction"]
