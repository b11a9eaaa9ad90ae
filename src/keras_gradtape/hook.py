"""Names gradtape where Keras 3 chooses its backend.

Keras picks its backend by if/elif chains in a few of its modules. The finder below loads just those modules with one more ``elif``, and a few with
small changes of the same kind (``changes``), in memory: no file and no bytecode cache of Keras's is touched. What is changed must be found exactly
as it is known, else it is an ImportError, so a Keras that has changed is noticed at once. Installing the hook changes nothing for other backends.

This file is read at the start of Python where ``KERAS_BACKEND=gradtape``, and imports little.
"""

from __future__ import annotations

import importlib.machinery
import marshal
import os
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

NAME = "gradtape"
MODULES = {
    "keras.src.backend",
    "keras.src.callbacks.tensorboard",
    "keras.src.export.saved_model",
    "keras.src.layers.core.embedding",
    "keras.src.layers.layer",
    "keras.src.models.model",
    "keras.src.optimizers.optimizer",
    "keras.src.saving.serialization_lib",
    "keras.src.utils.backend_utils",
}
SOURCES = [os.path.join(os.path.dirname(__file__), "changes.py")]  # code that is kept holds while these are unchanged


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one of Keras's modules with its changes. The code is kept where gradtape keeps what it compiles."""

    def get_code(self, fullname: str) -> CodeType:
        from gradtape.engines.native import cache

        path = self.get_filename(fullname)
        stamp = [path, sys.implementation.cache_tag, sys.flags.optimize]
        stamp += [n for s in map(os.stat, (*SOURCES, path)) for n in (s.st_mtime_ns, s.st_size)]
        key = cache.key(repr(stamp), fullname)
        kept = cache.load(key)
        if kept is not None:
            return marshal.loads(kept)
        from . import changes

        code = compile(changes.changed(self.get_data(path), path, fullname), path, "exec", dont_inherit=True)
        cache.store(key, marshal.dumps(code))
        return code


class Finder:
    """Finds the modules in which Keras chooses its backend."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """The spec of one of the modules, with the loader that changes it; None for others."""
        if fullname not in MODULES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return spec
        spec.loader = _Loader(fullname, spec.origin)
        return spec


def install() -> None:
    """Put the finder in place; once is enough."""
    if not any(isinstance(f, Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def wanted() -> bool:
    """Whether the environment asks for Keras on gradtape."""
    return os.environ.get("KERAS_BACKEND") == NAME
