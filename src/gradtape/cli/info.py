"""``gradtape info``: what this installation consists of, for a reader and for bug reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from typing import Any

# What gradtape uses when it is there, and for what.
OPTIONAL = {
    "scikit-learn": "the demo's data",
    "matplotlib": "the demo's curves, figures in notebooks",
    "tqdm": "progress bars",
}


def lines() -> Iterator[str]:
    """The lines of the report, each ``name: what``."""
    import numpy as np

    import gradtape
    from gradtape._version import __version__
    from gradtape.primitives import complete

    config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]  # its stub says object
    blas = config["Build Dependencies"]["blas"]
    simd = config["SIMD Extensions"]
    features = [*simd.get("baseline", ()), *simd.get("found", ())]  # built for, and found on this processor
    yield f"gradtape: {__version__} ({os.path.dirname(os.path.abspath(gradtape.__file__))})"
    yield f"primitives: {len(complete())}"
    yield f"Python: {platform.python_version()} ({sys.executable})"
    yield f"system: {platform.platform()}, {os.cpu_count()} processors"
    yield f"vector instructions that numpy uses: {' '.join(features) or 'none'}"
    for name in ("numpy", "scipy", "ml_dtypes"):
        yield f"{name}: {importlib.metadata.version(name)}"
    yield f"BLAS of numpy: {blas['name']} {blas.get('version', '')}".rstrip()
    for name, use in OPTIONAL.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        yield f"{name}: {found} (optional, for {use})"
