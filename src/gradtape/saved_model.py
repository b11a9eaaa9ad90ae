"""``tf.saved_model``: objects with their traced functions, saved so that they load without their Python source."""

from .saving.export import (
    DEFAULT_SERVING_SIGNATURE_DEF_KEY,
    SERVING,
    LoadOptions,
    SaveOptions,
    contains_saved_model,
    load,
    save,
)

__all__ = [
    "DEFAULT_SERVING_SIGNATURE_DEF_KEY",
    "SERVING",
    "LoadOptions",
    "SaveOptions",
    "contains_saved_model",
    "load",
    "save",
]
