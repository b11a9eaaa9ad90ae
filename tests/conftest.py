"""What all tests share."""

import os

# pytest-xdist starts one worker for each core; a BLAS with threads of its own in each would only make them
# wait.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import pytest
from hypothesis import settings

# A machine that is busy is not a failure; a failing example is printed so that it can be added as a test.
settings.register_profile("gradtape", deadline=None, print_blob=True)
settings.load_profile("gradtape")


@pytest.fixture(autouse=True)
def _quiet():
    """pytest takes the warning filters away that were set at import: see ``dispatch.quiet``."""
    from gradtape.core.dispatch import quiet

    quiet()
