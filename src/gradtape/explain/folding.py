"""Repeated blocks in a sequence: the turns of a loop, the layers of a network."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

LONGEST = 200  # operations in a block that is looked for
FEWEST = 3  # repetitions worth folding
SMALLEST = 12  # operations in all worth folding


class Repeat(NamedTuple):
    """``times`` blocks of ``length`` items each, from ``start`` on."""

    start: int
    length: int
    times: int

    @property
    def stop(self) -> int:
        """The end."""
        return self.start + self.length * self.times


def repeats(items: Sequence[Hashable]) -> list[Repeat]:
    """Where the same block stands several times in a row, from left to right; each time the block that covers most, the shortest of those."""
    found: list[Repeat] = []
    i, n = 0, len(items)
    while i < n:
        best: Repeat | None = None
        for length in range(1, min(LONGEST, (n - i) // FEWEST) + 1):
            if items[i] != items[i + length]:
                continue
            j = i
            while j + length < n and items[j] == items[j + length]:
                j += 1
            times = (j - i) // length + 1
            if (
                times >= FEWEST
                and times * length >= SMALLEST
                and (best is None or times * length > best.stop - best.start)
            ):
                best = Repeat(i, length, times)
                if best.stop == n:
                    break
        if best is None:
            i += 1
        else:
            found.append(best)
            i = best.stop
    return found
