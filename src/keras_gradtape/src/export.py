"""Exporting Keras models from gradtape: refused, with a word on what does work."""

from __future__ import annotations

from typing import Any


def _refused(what: str) -> NotImplementedError:
    return NotImplementedError(
        f"{what} only currently supports the tensorflow, jax and torch backends. With gradtape, save the model with model.save('model.keras'), which "
        "these backends load and export; or save a tf.function of it with gradtape.saved_model.save."
    )


class GradtapeExportArchive:
    """What ``model.export`` and ``keras.export.ExportArchive`` use."""

    def track(self, resource: Any) -> None:
        """Not supported."""
        raise _refused("`track`")

    def add_endpoint(self, name: str, fn: Any, input_signature: Any = None, **kwargs: Any) -> None:
        """Not supported."""
        raise _refused("`add_endpoint`")

    def track_and_add_endpoint(self, name: str, resource: Any, input_signature: Any, **kwargs: Any) -> None:
        """Not supported."""
        raise _refused("`export_saved_model`")
