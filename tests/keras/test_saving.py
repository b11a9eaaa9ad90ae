"""Saving: whole models, weights and configs; between backends; files that are not what they should be."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
WORDS = np.random.default_rng(1).integers(0, 20, (6, 12))
Y = np.random.default_rng(2).normal(size=(6, 2)).astype("float32")

# also run in processes of other backends
MODEL = """
def build(keras):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    a, b = keras.Input((8, 8, 3)), keras.Input((12,), dtype="int32")
    h = layers.MaxPooling2D()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(a)))
    e = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(layers.Embedding(20, 6)(b))
    e = layers.GRU(4)(layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(e, e)))
    z = layers.Dropout(0.3)(layers.Concatenate()([layers.Flatten()(h), e]))
    model = keras.Model([a, b], layers.Dense(2, kernel_regularizer="l2")(z))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model
"""
exec(MODEL)


@pytest.fixture(scope="module")
def trained():
    model = build(keras)  # noqa: F821
    model.fit([IMAGES, WORDS], Y, epochs=2, verbose=0)
    return model


def predictions(model):
    return model.predict([IMAGES, WORDS], verbose=0)


def test_a_whole_model(trained, tmp_path):
    trained.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(predictions(again), predictions(trained))
    assert int(again.optimizer.iterations) == 2
    for u, v in zip(again.optimizer.variables, trained.optimizer.variables, strict=True):
        np.testing.assert_array_equal(u, v)


def test_weights_and_config(trained, tmp_path):
    trained.save_weights(tmp_path / "m.weights.h5")
    other = keras.models.model_from_json(trained.to_json())
    assert not np.array_equal(predictions(other), predictions(trained))
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(predictions(other), predictions(trained))
    assert keras.Model.from_config(trained.get_config()).count_params() == trained.count_params()


def test_the_old_format(trained, tmp_path):
    trained.save(tmp_path / "m.h5")
    again = keras.saving.load_model(tmp_path / "m.h5", compile=False)
    np.testing.assert_array_equal(predictions(again), predictions(trained))


def test_training_goes_on_where_it_was(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(2, 64, 3)).astype("float32")
    whole = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    whole.compile("adam", "mse")
    whole.fit(x, y, epochs=1, verbose=0, shuffle=False)
    whole.save(tmp_path / "half.keras")
    whole.fit(x, y, epochs=1, verbose=0, shuffle=False)
    half = keras.saving.load_model(tmp_path / "half.keras")
    half.fit(x, y, epochs=1, verbose=0, shuffle=False)
    for u, v in zip(whole.get_weights(), half.get_weights(), strict=True):
        np.testing.assert_array_equal(u, v)


@pytest.mark.parametrize("peer", ["tensorflow", "jax", "torch"])
def test_between_backends(trained, peer, tmp_path):
    """A file of gradtape's predicts the same there, and one of theirs the same here."""
    code = f"""
import numpy as np, sys
import keras
{MODEL}
rng = np.random.default_rng
x = [rng(0).normal(size=(6, 8, 8, 3)).astype("float32"), rng(1).integers(0, 20, (6, 12))]
ours = keras.saving.load_model("ours.keras", compile={peer != "torch"})
np.save("there.npy", ours.predict(x, verbose=0))
theirs = build(keras)
theirs.fit(x, rng(2).normal(size=(6, 2)).astype("float32"), verbose=0)
theirs.save("theirs.keras")
theirs.save_weights("theirs.weights.h5")
np.save("theirs.npy", theirs.predict(x, verbose=0))
"""
    environment = {**os.environ, "KERAS_BACKEND": peer, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if subprocess.run([sys.executable, "-c", f"import {peer}"], env=environment, capture_output=True).returncode:
        pytest.skip(f"{peer} is not installed")
    trained.save(tmp_path / "ours.keras")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_allclose(np.load(tmp_path / "there.npy"), predictions(trained), atol=2e-6)
    # a file of the torch backend names that backend's own optimizer, which no other has
    theirs = keras.saving.load_model(tmp_path / "theirs.keras", compile=peer != "torch")
    np.testing.assert_allclose(np.load(tmp_path / "theirs.npy"), predictions(theirs), atol=2e-6)
    fresh = build(keras)  # noqa: F821
    fresh.load_weights(tmp_path / "theirs.weights.h5")
    np.testing.assert_allclose(np.load(tmp_path / "theirs.npy"), predictions(fresh), atol=2e-6)


# -- what goes wrong ------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("here")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def changed(path, to, **parts):
    """A copy of a .keras file with other parts."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            data = parts[name.split(".")[0]](old.read(name)) if name.split(".")[0] in parts else old.read(name)
            if data is not None:
                new.writestr(name, data)


@pytest.fixture
def saved(tmp_path):
    model = keras.Sequential([keras.Input((3,)), Doubled(), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_a_registered_layer(saved):
    assert isinstance(keras.saving.load_model(saved).layers[0], Doubled)


def test_an_unknown_layer(saved, tmp_path):
    changed(
        saved,
        tmp_path / "x.keras",
        config=lambda data: data.replace(b"here>Doubled", b"there>Tripled").replace(b'"Doubled"', b'"Tripled"'),
    )
    with pytest.raises(TypeError, match="Could not locate class 'Tripled'"):
        keras.saving.load_model(tmp_path / "x.keras")


def test_a_file_that_was_tampered_with(saved, tmp_path):
    changed(saved, tmp_path / "a.keras", config=lambda data: None)
    with pytest.raises((ValueError, KeyError), match=r"config.json"):
        keras.saving.load_model(tmp_path / "a.keras")
    changed(saved, tmp_path / "b.keras", model=lambda data: data[: len(data) // 2])
    with pytest.raises((OSError, ValueError)):
        keras.saving.load_model(tmp_path / "b.keras")
    (tmp_path / "c.keras").write_bytes(saved.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"accessible `.keras` zip file"):
        keras.saving.load_model(tmp_path / "c.keras")
    narrower = lambda data: data.replace(b'"units": 2', b'"units": 5')
    changed(saved, tmp_path / "d.keras", config=narrower)
    with pytest.raises(ValueError, match=r"(?s)shape.*\(3, 5\)|\(3, 5\).*shape"):
        keras.saving.load_model(tmp_path / "d.keras")


def test_a_lambda_in_a_file_is_not_run(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="safe_mode"):
        keras.saving.load_model(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_array_equal(loaded(np.zeros((1, 3), "float32")), np.ones((1, 3)))


def test_the_config_is_plain_json(trained):
    config = json.loads(trained.to_json())
    assert config["class_name"] == "Functional" and "gradtape" not in json.dumps(config)
