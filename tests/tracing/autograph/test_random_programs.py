"""Random programs give the same, run plainly, converted, and converted with any of their inputs staged."""

import types

import hypothesis
from hypothesis import strategies as st

from gradtape.tracing.autograph import convert

from .programs import compiled, programs
from .stages import STAGES, S


class Log:
    """A context manager that does nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False


def start():
    return {"k": 1}, types.SimpleNamespace(x=2), Log()


integers = st.integers(-4, 9)


# no shrinking: the programs are large, and a failing one takes minutes to shrink
PHASES = [hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate]


@hypothesis.settings(max_examples=80, phases=PHASES, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    source=programs(),
    values=st.tuples(integers, integers, integers),
    staged=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_random_programs(source, values, staged):
    f = compiled(source)
    expected = f(*values, *start())
    assert convert(f)(*values, *start()) == expected
    marked = [S(v) if s else v for v, s in zip(values, staged, strict=True)]
    for stage in STAGES:
        assert stage().run(f, *marked, *start()) == expected, source
