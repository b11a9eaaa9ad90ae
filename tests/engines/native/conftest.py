"""The tests compile into a cache of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: Any) -> Iterator[None]:
    before = os.environ.get("GRADTAPE_CACHE_DIR")
    os.environ["GRADTAPE_CACHE_DIR"] = str(tmp_path_factory.mktemp("native"))
    yield
    if before is None:
        del os.environ["GRADTAPE_CACHE_DIR"]
    else:
        os.environ["GRADTAPE_CACHE_DIR"] = before
