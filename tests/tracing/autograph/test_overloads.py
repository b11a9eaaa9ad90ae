"""Built-in functions of staged values, and of Python values, in converted code."""

import io

import pytest

from gradtape.tracing.autograph import convert, overloads

from .stages import STAGES, S, check


@pytest.mark.parametrize("value", [3, -2.5, True, 0])
def test_casts_and_reductions(value):
    def f(x):
        return float(x), int(x), bool(x), abs(x), max(x, 2), min(2, x), not x

    check(f, S(value))


def test_len_and_reductions_of_tensors():
    def f(xs):
        return len(xs) + max(xs) + min(xs) + sum(xs), any(xs), all(xs)

    for xs in ((1, 2), (0, 0, 3)):
        for stage in STAGES:
            assert stage().run(f, S(xs)) == list(f(xs))


def test_keyword_arguments_go_to_python():
    def f(xs):
        return max(xs, key=lambda v: -v) + int("12", base=8) + sum([1, 2], start=3)

    assert convert(f)([4, 2, 9]) == f([4, 2, 9])


def test_print_of_python_values(capsys):
    def f(file):
        print("a", 1, sep="|", end="!\n")
        print("b", file=file, flush=True)
        print()

    file = io.StringIO()
    convert(f)(file)
    assert capsys.readouterr().out == "a|1!\n\n" and file.getvalue() == "b\n"


def test_range_zip_and_enumerate_of_python_values_are_pythons():
    def f():
        return range(3), type(zip([1], [2], strict=True)), type(enumerate([1], 5)), range(1, 9, 2)[1:]

    assert convert(f)() == f()

    def wrong():
        return range(1.5)

    with pytest.raises(TypeError, match="integer"):
        convert(wrong)()

    def uneven():
        return list(zip([1], [], strict=True))

    with pytest.raises(ValueError, match="zip"):
        convert(uneven)()


def test_python_loop_over_an_enumeration_from_a_staged_number():
    def f(k):
        return [(i, v) for i, v in enumerate("ab", k)]

    for stage in STAGES:
        assert stage().run(f, S(5)) == [[5, "a"], [6, "b"]]


def test_an_iteration_is_no_sequence():
    steps = overloads.Range(0, 3, 1)
    for use in (list, len, lambda s: s[0], lambda s: 1 in s, lambda s: list(reversed(s))):
        with pytest.raises(ValueError, match="has no items while a function is traced"):
            use(steps)


@pytest.mark.parametrize(
    ("start", "limit", "delta"), [(0, 5, 1), (2, 9, 3), (9, 2, -3), (5, 5, 1), (3, 0, 1), (0, 3, -1)]
)
def test_the_number_of_steps(start, limit, delta):
    def f(start, limit, delta, xs):
        n = 0
        for _ in zip(range(start, limit, delta), xs):
            n = n + 1
        return n

    def g(start, limit, delta):
        n = 0
        for i in range(start, limit, delta):
            n = n * 3 + i
        return n

    xs = tuple(range(20))
    for marks in range(1, 8):
        args = [S(a) if marks >> k & 1 else a for k, a in enumerate((start, limit, delta))]
        for stage in STAGES:
            assert stage().run(f, *args, S(xs)) == len(range(start, limit, delta))
        check(g, *args)
