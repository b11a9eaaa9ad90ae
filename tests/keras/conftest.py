"""Keras, run by gradtape, for the tests of this folder; they are skipped where it is not installed."""

import os

import pytest

os.environ["KERAS_BACKEND"] = "gradtape"

from keras_gradtape import hook

hook.install()
pytest.importorskip("keras", reason="Keras is not installed")
