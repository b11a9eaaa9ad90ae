"""Repeated blocks are found, the longest first."""

from hypothesis import given
from hypothesis import strategies as st

from gradtape.explain.folding import Repeat, repeats


def test_a_loop_is_found():
    assert repeats("xy" + "abc" * 5 + "z") == [Repeat(2, 3, 5)]


def test_short_repetitions_are_left():
    assert repeats("ababab") == []
    assert repeats("ab" * 2) == []


def test_a_constant_run_has_blocks_of_one():
    assert repeats("a" * 30) == [Repeat(0, 1, 30)]


def test_the_outer_loop_comes_first():
    assert repeats(("a" + "b" * 4) * 6) == [Repeat(0, 5, 6)]


def test_two_loops():
    assert repeats("ab" * 10 + "cde" * 7) == [Repeat(0, 2, 10), Repeat(20, 3, 7)]


@given(st.lists(st.sampled_from("ab"), max_size=80))
def test_what_is_found_is_there(items):
    last = 0
    for r in repeats(items):
        assert r.start >= last and r.stop <= len(items) and r.times >= 3
        block = items[r.start : r.start + r.length]
        assert items[r.start : r.stop] == block * r.times
        last = r.stop
