"""A function that is called with ever new shapes keeps a bounded number of traces, and memory that does not grow."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

import gradtape as tf
from gradtape.tracing.function import CACHE_SIZE


def resident() -> int:
    """The bytes of memory that this process takes; 0 where that cannot be read."""
    try:
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@pytest.mark.filterwarnings("ignore::gradtape.tracing.function.RetraceWarning")
@pytest.mark.parametrize(("native", "calls"), [("0", 10_000), ("1", 600)])
def test_memory_is_level(native: str, calls: int, monkeypatch: Any) -> None:
    monkeypatch.setenv("GRADTAPE_NATIVE", native)
    monkeypatch.setenv("GRADTAPE_CACHE", "0")

    @tf.function
    def twice(x: Any) -> Any:
        return x * 2.0

    def call(numbers: range) -> None:
        for i in numbers:
            assert twice(tf.zeros([i % 5000 + 1])).shape == [i % 5000 + 1]
        gc.collect()

    call(range(calls // 2))
    objects, memory = len(gc.get_objects()), resident()
    call(range(calls // 2, calls))
    assert len(twice._traces) == CACHE_SIZE and twice.experimental_get_tracing_count() == calls
    assert len(gc.get_objects()) - objects < 500
    assert resident() - memory < 4 * 2**20
