"""Exporting Keras models from gradtape."""

from __future__ import annotations

from typing import Any


class GradtapeExportArchive:
    """What ``model.export`` uses."""

    def track(self, resource: Any) -> None:
        """Not supported."""
        raise NotImplementedError(
            "`track` is not implemented in the gradtape backend: save with model.save(...), or export a tf.function with gradtape.saved_model.save."
        )

    def add_endpoint(self, name: str, fn: Any, input_signature: Any = None, **kwargs: Any) -> None:
        """Not supported."""
        raise NotImplementedError(
            "`add_endpoint` is not implemented in the gradtape backend: save with model.save(...), or export a tf.function with gradtape.saved_model.save."
        )
