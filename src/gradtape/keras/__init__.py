"""Keras on gradtape, in the spelling of TensorFlow 2.0 and Keras 2 as well as in today's: ``from gradtape import keras``.

Everything here is Keras 3, run by gradtape (``keras_gradtape``). Where Keras 3 dropped a spelling, thin subclasses take it: ``SGD(lr=...)``,
``opt.lr``, ``decay``, ``opt.minimize(f, vars)``, ``metric.reset_states()``, ``losses.MSE``, ``batch_input_shape``. Keras's own classes stay as they are,
objects are instances of them, and what is saved loads as them anywhere.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

_INSTALL = "pip install 'gradtape[keras]'"


def _load() -> Any:
    """Keras with the gradtape backend.

    Raises:
        ImportError: Keras is not installed, or was imported with another backend.
    """
    from keras_gradtape import hook

    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = hook.NAME
        hook.install()
    try:
        import keras
    except ImportError as error:
        if error.name == "keras":
            raise ImportError(f"gradtape.keras needs Keras 3: {_INSTALL}") from None
        raise
    if keras.backend.backend() != hook.NAME:
        raise ImportError(
            f"Keras was already imported with the backend {keras.backend.backend()!r}, and keeps it. Import gradtape.keras first (from gradtape import "
            "keras), or start Python with KERAS_BACKEND=gradtape."
        )
    return keras


_keras = _load()

# `from gradtape.keras.callbacks import EarlyStopping` as well as `from gradtape.keras import callbacks`
for _name in [n for n in sys.modules if n.startswith("keras.") and not n.startswith(("keras.src", "keras._"))]:
    if not os.path.exists(os.path.join(os.path.dirname(__file__), _name.split(".")[1] + ".py")) or _name.count(".") > 1:
        sys.modules.setdefault(f"{__name__}{_name.removeprefix('keras')}", sys.modules[_name])

# namespaces with old spellings; all others are Keras's own
_OWN = ("backend", "layers", "losses", "metrics", "models", "optimizers")
_NAMES = {"Model": "models", "Sequential": "models", "Layer": "layers", "Optimizer": "optimizers"}


def __getattr__(name: str) -> Any:
    if name in _OWN:
        return importlib.import_module(f"{__name__}.{name}")
    value = (
        getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
        if name in _NAMES
        else getattr(_keras, name)
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_keras), *_OWN, *_NAMES})
