"""Measure while nothing else runs.

Another process on the machine's processors spoils a timing by far more than its share, because the threads of
a library wait for each other: a small product of matrices was seen to take 16 ms instead of 8 µs.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
STAT = Path("/proc/stat")


def foreign_seconds(workers: list[int]) -> float:
    """Return the processor time, since the machine started, that went neither to us nor to our workers."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, STAT.read_text().split()[1:9])
    ticks = user + nice + system + irq + softirq + steal
    for pid in workers:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks -= int(fields[11]) + int(fields[12])
    return ticks * TICK - sum(os.times()[:4])


class Quiet:
    """Takes measurements again that others disturbed, until that has cost `patience` seconds in all."""

    def __init__(self, patience: float, workers: list[int]):
        self.patience = patience
        self.workers = workers
        self.taken = self.disturbed = 0

    def measure(self, once: Callable):
        """Return what `once()` returns, if possible from a call during which the machine did little else."""
        self.taken += 1
        if not STAT.exists():
            return once()
        while True:
            self.wait()
            value, quiet, seconds = self.observe(once)
            if quiet:
                return value
            if self.patience <= 0:
                self.disturbed += 1
                return value
            self.patience -= seconds

    def wait(self) -> None:
        """Wait until the others have been quiet for a moment."""
        while self.patience > 0:
            _, quiet, seconds = self.observe(lambda: time.sleep(0.1))
            if quiet:
                return
            self.patience -= seconds

    def observe(self, once: Callable):
        """Return (value, whether others took less than a tenth of a processor, seconds it took)."""
        before, start = foreign_seconds(self.workers), time.perf_counter()
        value = once()
        seconds = time.perf_counter() - start
        foreign = foreign_seconds(self.workers) - before
        return value, foreign <= 2 * TICK + 0.1 * seconds, seconds
