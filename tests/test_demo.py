"""The demo: it learns, says what it trained on, writes whole files, and fails early with a clear message."""

import copy
import importlib.util
import os
import urllib.error
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the demo needs scikit-learn")
pytest.importorskip("matplotlib", reason="the demo needs matplotlib")
pytest.importorskip("tqdm", reason="the demo needs tqdm")

from sklearn import datasets

import gradtape as tf
from gradtape import demo


@pytest.fixture
def offline(monkeypatch):
    """California housing cannot be had; the diabetes data that stands in is small, the tests fast."""

    def refuse(**_):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(datasets, "fetch_california_housing", refuse)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- The run ----------------------------------------------------------------------------------------------


def test_diabetes_stands_in_for_california_housing_and_the_output_says_so(offline, tmp_path, capsys):
    result = demo.main(epochs=3, out=tmp_path)
    printed = capsys.readouterr().out
    assert result["dataset"] == "diabetes"
    assert "could not be downloaded" in printed and "no network" in printed
    assert "diabetes data instead" in printed
    for epoch in (1, 2, 3):
        train_mse, validation_mse = result["train_mse"][epoch - 1], result["validation_mse"][epoch - 1]
        assert f"epoch  {epoch}   train MSE {train_mse:.4f}   val MSE {validation_mse:.4f}" in printed
    assert f"{result['least_squares_validation_mse']:.4f}" in printed
    assert f"{result['test_mse']:.4f}" in printed


def test_it_learns(offline, tmp_path):
    result = demo.main(out=tmp_path, quiet=True)
    assert len(result["train_mse"]) == len(result["validation_mse"]) == 20
    assert result["train_mse"][-1] < 0.8 * result["train_mse"][0]
    _, y = datasets.load_diabetes(return_X_y=True)
    assert result["test_mse"] < 0.8 * np.var(y / 100)  # to predict the mean for everyone has the variance for its error


def test_quiet_prints_nothing(offline, tmp_path, capfd):
    demo.main(epochs=1, out=tmp_path, quiet=True)
    assert capfd.readouterr() == ("", "")


def test_the_seed_decides_the_run(offline, tmp_path):
    def errors(seed):
        return demo.main(epochs=2, out=tmp_path, seed=seed, quiet=True)["validation_mse"]

    assert errors(1) == errors(1)
    assert errors(1) != errors(2)


@pytest.mark.parametrize("seed", [42, 0])
def test_california_housing(seed, tmp_path):
    if not Path(datasets.get_data_home(), "cal_housing_py3.pkz").exists():
        pytest.skip("California housing is not in scikit-learn's cache (see SCIKIT_LEARN_DATA)")
    result = demo.main(out=tmp_path, seed=seed, quiet=True)
    assert result["dataset"] == "California housing"
    assert result["validation_mse"][-1] <= 0.40
    assert result["test_mse"] <= 0.40
    assert 0.43 < result["least_squares_validation_mse"] < 0.60


# --- Keras ------------------------------------------------------------------------------------------------

with_keras = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")


@with_keras
def test_keras_does_the_same(offline, tmp_path, capsys):
    result = demo.main(epochs=3, out=tmp_path)
    printed = capsys.readouterr().out
    assert result["largest_difference"] < 1e-6
    np.testing.assert_allclose(result["keras_validation_mse"], result["validation_mse"], rtol=1e-5)
    np.testing.assert_allclose(result["keras_test_mse"], result["test_mse"], rtol=1e-5)
    assert "Epoch 3/3" in printed and "Keras fit" in printed
    assert f"no two weights differ by more than {result['largest_difference']:.1e}" in printed


@with_keras
def test_what_differs_is_rounding():
    """In float64 hardly anything does; what is left comes from Keras's learning rate, which is float32."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    data = demo.prepare(x, np.sin(x[:, 0]) + x[:, 1], rng)
    network = demo.new_network(4, rng)
    data = demo.Data(
        *(demo.Rows(r.x.astype("float64"), r.y.astype("float64")) for r in (data.train, data.validation, data.test))
    )
    first = [v.numpy().astype("float64") for v in network.variables]
    network = demo.Network(*first)
    options = {"epochs": 10, "batch_size": 32, "learning_rate": 0.05, "quiet": True}
    config = tf.keras.config
    config.set_floatx("float64")
    config.set_dtype_policy("float64")
    try:
        model, keras_mse = demo.train_with_keras(first, data, rng=copy.deepcopy(rng), **options)
    finally:
        config.set_floatx("float32")
        config.set_dtype_policy("float32")
    _, validation_mse = demo.train(network, data, rng=rng, **options)
    for ours, theirs in zip(network.variables, model.get_weights(), strict=True):
        assert theirs.dtype == np.float64
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-7)
    np.testing.assert_allclose(keras_mse, validation_mse, rtol=1e-6)


def test_without_keras_it_is_said_what_to_install(offline, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "without_keras", lambda: "gradtape.keras needs Keras 3: pip install 'gradtape[keras]'")
    result = demo.main(epochs=1, out=tmp_path)
    printed = capsys.readouterr().out
    assert "The same with Keras's fit is not shown: gradtape.keras needs Keras 3: pip install" in printed
    assert result["largest_difference"] is None and result["test_mse"] > 0 and "Keras fit" not in printed


def test_why_there_is_no_keras(monkeypatch):
    def refuse(name):
        raise ImportError("install this")

    monkeypatch.setattr(demo, "tf", type("Face", (), {"__getattr__": lambda self, name: refuse(name)})())
    assert demo.without_keras() == "install this"


# --- The pieces -------------------------------------------------------------------------------------------


def test_a_step_moves_against_the_gradient():
    rng = np.random.default_rng(0)
    network = demo.new_network(3, rng)
    w1, b1, w2, b2 = (variable.numpy().astype(np.float64) for variable in network.variables)
    x, y = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(5, 1)).astype(np.float32)
    demo.train_step(network, tf.constant(x), tf.constant(y), learning_rate=0.1)

    hidden = np.maximum(x @ w1 + b1, 0)
    d_prediction = 2 / 5 * (hidden @ w2 + b2 - y)
    d_hidden = d_prediction @ w2.T * (hidden > 0)
    expected = [
        w1 - 0.1 * x.T @ d_hidden,
        b1 - 0.1 * d_hidden.sum(0),
        w2 - 0.1 * hidden.T @ d_prediction,
        b2 - 0.1 * d_prediction.sum(0),
    ]
    for variable, value in zip(network.variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-6)


def test_preparation_learns_from_the_training_rows_only():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2)) * [1, 50] + [7, 0]
    x[::100] = 1e6  # rows far out are moved to five deviations
    data = demo.prepare(x, np.arange(1000.0), rng)
    assert [len(rows) for rows in (data.train, data.validation, data.test)] == [600, 200, 200]
    everything = np.concatenate([rows.y for rows in (data.train, data.validation, data.test)])
    assert sorted(everything.ravel()) == list(range(1000))
    assert max(np.abs(rows.x).max() for rows in (data.train, data.validation, data.test)) == 5
    assert data.train.x.dtype == data.train.y.dtype == np.float32
    assert data.train.y.shape == (600, 1)

    clean = demo.prepare(rng.normal(size=(1000, 2)) * [1, 50] + [7, 0], np.arange(1000.0), rng)
    np.testing.assert_allclose(clean.train.x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(clean.train.x.std(0), 1, atol=1e-5)
    assert np.all(clean.test.x.mean(0) != 0)


def test_every_row_is_in_one_batch():
    rows = demo.Rows(np.arange(10.0).reshape(10, 1), np.arange(10.0).reshape(10, 1))
    batches = list(demo.shuffled_batches(rows, 4, np.random.default_rng(0)))
    assert [tuple(x.shape) for x, _ in batches] == [(4, 1), (4, 1), (2, 1)]
    order = np.concatenate([x.numpy().ravel() for x, _ in batches])
    assert sorted(order) == list(range(10)) and list(order) != list(range(10))
    assert all(np.array_equal(x.numpy(), y.numpy()) for x, y in batches)


# --- What is written --------------------------------------------------------------------------------------


def test_the_files(offline, tmp_path):
    out = tmp_path / "made" / "here"
    result = demo.main(epochs=1, out=out, quiet=True)
    assert files_in(out) == ["curves.png", "weights.npz"]
    assert Path(result["curves"]).read_bytes().startswith(b"\x89PNG\r\n")
    with np.load(result["weights"]) as weights:
        assert {name: weights[name].shape for name in weights} == {
            "w1": (10, 128),
            "b1": (128,),
            "w2": (128, 1),
            "b2": (1,),
        }


def test_saved_weights_predict_the_same(tmp_path):
    rng = np.random.default_rng(0)
    network = demo.new_network(4, rng)
    demo.save_weights(network, tmp_path / "weights.npz")
    x = tf.constant(rng.normal(size=(6, 4)).astype(np.float32))
    assert np.array_equal(demo.load_network(tmp_path / "weights.npz")(x).numpy(), network(x).numpy())


def test_a_failure_while_saving_leaves_the_old_weights(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    rng = np.random.default_rng(0)
    demo.save_weights(demo.new_network(4, rng), path)
    old = path.read_bytes()

    def disk_full(file, **_):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", disk_full)
    with pytest.raises(OSError, match="No space left"):
        demo.save_weights(demo.new_network(4, rng), path)
    assert path.read_bytes() == old
    assert files_in(tmp_path) == ["weights.npz"]


def test_the_picture_leaves_the_backend_alone(tmp_path):
    import matplotlib

    before = matplotlib.get_backend()
    matplotlib.use("svg")
    try:
        demo.draw_curves([3.0, 2.0], [3.5, 2.5], 1.0, "title", tmp_path / "curves.png")
        assert matplotlib.get_backend() == "svg"
    finally:
        matplotlib.use(before)


# --- What can go wrong ------------------------------------------------------------------------------------


@pytest.fixture
def no_training(monkeypatch):
    def too_late(*_, **__):
        pytest.fail("the training had begun")

    monkeypatch.setattr(demo, "load_data", too_late)


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_in_the_way_of_out(out, tmp_path, no_training):
    (tmp_path / "file").write_text("here already")
    with pytest.raises(OSError, match=r"the demo cannot write into '.*file.*give it another `out`"):
        demo.main(out=tmp_path / out, quiet=True)
    assert (tmp_path / "file").read_text() == "here already"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path, no_training):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="the demo cannot write into"):
        demo.main(out=tmp_path, quiet=True)


def test_missing_extras_are_named(tmp_path, monkeypatch, no_training):
    find_spec = demo.importlib.util.find_spec
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None if name == "tqdm" else find_spec(name))
    with pytest.raises(ModuleNotFoundError, match=r"the demo needs tqdm: pip install gradtape\[demo\]"):
        demo.main(out=tmp_path)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}])
def test_counts_below_one(wrong, tmp_path, no_training):
    with pytest.raises(ValueError, match="must be at least 1"):
        demo.main(out=tmp_path, **wrong)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_learning_rate_that_is_too_high(offline, tmp_path):
    with pytest.raises(FloatingPointError, match=r"the learning rate 100.0 is too high for this data; try 10"):
        demo.main(learning_rate=100.0, out=tmp_path, quiet=True)
