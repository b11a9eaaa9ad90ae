"""Keras on gradtape, before anything imports Keras."""

import os

os.environ["KERAS_BACKEND"] = "gradtape"

from keras_gradtape import hook

hook.install()
