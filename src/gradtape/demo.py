"""A first training run: a small network learns house prices, with a hand-written loop and with Keras.

The network has one hidden layer, ``relu(x @ w1 + b1) @ w2 + b2``. It learns the California housing data
(20,640 blocks of the 1990 census: eight numbers describe a block, the ninth is its median house value in
100,000 dollars) by gradient descent on small batches, and is then compared with linear least squares on the
same rows. The heart of it is `train_step`. Where Keras is installed, its `fit` then does the same from the
same first weights on the same batches (`train_with_keras`), and the two results are compared. With
``import tensorflow as tf`` for its import line, this file is a TensorFlow program.

    gradtape demo                       # or: python -m gradtape.demo
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import importlib.util
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

import gradtape as tf

HIDDEN_UNITS = 128


# --- The network and its training -------------------------------------------------------------------------


class Network:
    """``relu(x @ w1 + b1) @ w2 + b2``: one hidden layer and a linear output."""

    def __init__(self, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray):
        self.w1 = tf.Variable(w1)
        self.b1 = tf.Variable(b1)
        self.w2 = tf.Variable(w2)
        self.b2 = tf.Variable(b2)
        self.variables = [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.relu(x @ self.w1 + self.b1)
        return hidden @ self.w2 + self.b2


def new_network(features: int, rng: np.random.Generator) -> Network:
    """Return a network with Glorot-normal weights (Glorot & Bengio 2010) and zero biases."""

    def weights(inputs: int, outputs: int) -> np.ndarray:
        return rng.normal(0.0, np.sqrt(2 / (inputs + outputs)), (inputs, outputs)).astype(np.float32)

    return Network(
        w1=weights(features, HIDDEN_UNITS),
        b1=np.zeros(HIDDEN_UNITS, np.float32),
        w2=weights(HIDDEN_UNITS, 1),
        b2=np.zeros(1, np.float32),
    )


def mean_squared_error(prediction: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(prediction - y))


def train_step(network: Network, x: tf.Tensor, y: tf.Tensor, learning_rate: float) -> None:
    """Take one step of gradient descent on the loss of one batch."""
    with tf.GradientTape() as tape:
        loss = mean_squared_error(network(x), y)
    gradients = tape.gradient(loss, network.variables)
    for variable, gradient in zip(network.variables, gradients, strict=True):
        variable.assign_sub(learning_rate * gradient)


def train(
    network: Network,
    data: Data,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    rng: np.random.Generator,
    quiet: bool = False,
) -> tuple[list[float], list[float]]:
    """Train for `epochs` passes over ``data.train``; return the training and the validation error after each.

    The learning rate falls in a straight line from `learning_rate` to zero, so that the noise of the batches
    settles.

    Raises:
        FloatingPointError: the error is no longer finite, because the learning rate is too high.
    """
    from tqdm import tqdm

    train_mse, validation_mse = [], []
    step, last_step = 0, epochs * -(-len(data.train) // batch_size)
    with tqdm(total=last_step, unit="step", disable=quiet) as bar:
        for epoch in range(1, epochs + 1):
            for x, y in shuffled_batches(data.train, batch_size, rng):
                train_step(network, x, y, learning_rate * (1 - step / last_step))
                step += 1
                bar.update()

            train_mse.append(evaluate(network, data.train))
            validation_mse.append(evaluate(network, data.validation))
            if not np.isfinite(train_mse[-1]):
                raise FloatingPointError(
                    f"the training error is {train_mse[-1]} after epoch {epoch}: the learning rate "
                    f"{learning_rate} is too high for this data; try {learning_rate / 10:g}"
                )
            if not quiet:
                bar.write(f"epoch {epoch:2d}   train MSE {train_mse[-1]:.4f}   val MSE {validation_mse[-1]:.4f}")
    return train_mse, validation_mse


def evaluate(network: Network, rows: Rows) -> float:
    """Return the network's mean squared error over all of `rows`."""
    return float(mean_squared_error(network(tf.constant(rows.x)), tf.constant(rows.y)))


# --- The same with Keras ----------------------------------------------------------------------------------


def train_with_keras(
    weights: list[np.ndarray],
    data: Data,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    rng: np.random.Generator,
    quiet: bool = False,
) -> tuple[Any, list[float]]:
    """Train the network that starts from `weights` with Keras's `fit`; return the model and each validation error.

    It gets the batches that `train` gets with an `rng` in the same state, and the learning rate falls alike.
    """
    keras = tf.keras
    steps = -(-len(data.train) // batch_size)
    rate = keras.optimizers.schedules.PolynomialDecay(learning_rate, epochs * steps, end_learning_rate=0.0)
    model = keras.Sequential(
        [
            keras.Input(shape=(data.train.x.shape[1],)),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.set_weights(weights)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse")

    def batches() -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        for _ in range(epochs):
            yield from shuffled_batches(data.train, batch_size, rng)

    validation = data.validation.x, data.validation.y
    history = model.fit(
        batches(),
        epochs=epochs,
        steps_per_epoch=steps,
        validation_data=validation,
        validation_batch_size=len(data.validation),
        shuffle=False,  # they are shuffled
        verbose=0 if quiet else "auto",
    )
    return model, history.history["val_loss"]


# --- The data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Inputs of shape (rows, features) and targets of shape (rows, 1), both float32."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Data:
    """The three parts of a data set: one to learn from, one to watch meanwhile, one for the last word."""

    train: Rows
    validation: Rows
    test: Rows


def load_data() -> tuple[str, np.ndarray, np.ndarray, str]:
    """Return (name, inputs, targets, notice): California housing where it can be had.

    It comes from scikit-learn's cache (the folder that SCIKIT_LEARN_DATA names) or is downloaded into it.
    Failing that, the small diabetes data that scikit-learn carries stands in, and the notice, else empty,
    says so.
    """
    from sklearn import datasets

    try:
        x, y = datasets.fetch_california_housing(return_X_y=True)
    except (OSError, http.client.HTTPException) as err:
        notice = (
            f"California housing is not in scikit-learn's cache and could not be downloaded ({err}).\n"
            "Training on scikit-learn's diabetes data instead: its errors are not those of house prices."
        )
        x, y = datasets.load_diabetes(return_X_y=True)
        return "diabetes", x, y / 100, notice  # / 100: of order one, as the house prices are
    return "California housing", x, y, ""


def prepare(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Data:
    """Shuffle the rows, split them 60/20/20, standardise the inputs by the training rows' mean and deviation.

    Inputs beyond five deviations are moved to five: a few blocks report a thousand people to a household, a
    hundred deviations from the mean, and one such row in a batch throws plain gradient descent off for good.
    """
    order = rng.permutation(len(x))
    train, validation, test = np.split(order, [len(x) * 6 // 10, len(x) * 8 // 10])
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
    x = np.clip((x - mean) / deviation, -5, 5).astype(np.float32)
    y = y.astype(np.float32).reshape(-1, 1)  # a column, as the network's output is
    return Data(*(Rows(x[part], y[part]) for part in (train, validation, test)))


def shuffled_batches(rows: Rows, size: int, rng: np.random.Generator) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Go through all rows once, in a new random order, `size` at a time (the last batch may be smaller)."""
    order = rng.permutation(len(rows))
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        yield tf.constant(rows.x[batch]), tf.constant(rows.y[batch])


def least_squares(data: Data) -> tuple[float, float]:
    """Fit ``y = x @ w + b`` to the training rows; return its mean squared error on validation and test."""

    def with_ones(x: np.ndarray) -> np.ndarray:
        return np.column_stack([x, np.ones(len(x))])

    w, *_ = np.linalg.lstsq(with_ones(data.train.x), data.train.y)
    validation, test = (np.mean((with_ones(rows.x) @ w - rows.y) ** 2) for rows in (data.validation, data.test))
    return float(validation), float(test)


# --- What is written --------------------------------------------------------------------------------------


def writable_folder(out: str | os.PathLike[str]) -> Path:
    """Make the folder if need be and try it with a file: a bad path fails now, not after the training."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as err:
        message = f"the demo cannot write into {str(out)!r} ({err.strerror}); give it another `out`"
        raise type(err)(err.errno, message) from err
    return folder


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` once it is whole; after a failure `path` is what it was."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def save_weights(network: Network, path: Path) -> None:
    with replacing(path) as file:
        np.savez(file, **{name: getattr(network, name).numpy() for name in ("w1", "b1", "w2", "b2")})


def load_network(path: Path) -> Network:
    with np.load(path) as weights:
        return Network(**weights)


def draw_curves(
    train_mse: list[float],
    validation_mse: list[float],
    linear_mse: float,
    title: str,
    path: Path,
    keras_mse: list[float] | None = None,
) -> None:
    """Draw the errors of each epoch as a PNG, without pyplot: it would choose a backend for the process."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    epochs = range(1, len(train_mse) + 1)
    dot = "o" if len(epochs) == 1 else None  # a line needs two points
    axes.plot(epochs, train_mse, marker=dot, label="network, training")
    axes.plot(epochs, validation_mse, marker=dot, label="network, validation")
    if keras_mse:
        axes.plot(epochs, keras_mse, "o", markersize=4, color="black", label="Keras fit, validation")
    axes.axhline(linear_mse, color="gray", linestyle="--", label="least squares, validation")
    axes.set(title=title, xlabel="epoch", ylabel="mean squared error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    with replacing(path) as file:
        FigureCanvasAgg(figure).print_png(file)


# --- The whole run ----------------------------------------------------------------------------------------


def require_extras() -> None:
    """Raise ModuleNotFoundError, with the line that installs it, where a package is missing."""
    packages = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "tqdm": "tqdm"}
    missing = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ModuleNotFoundError(f"the demo needs {', '.join(missing)}: pip install gradtape[demo]")


def without_keras() -> str:
    """Why the demo cannot show Keras, with what to do; else empty."""
    try:
        tf.keras  # noqa: B018
    except ImportError as err:
        return str(err)
    return ""


def main(
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 0.03,
    out: str | os.PathLike[str] = "gradtape-demo",
    seed: int = 42,
    quiet: bool = False,
) -> dict[str, Any]:
    """Train the network, compare it with Keras and least squares, write ``curves.png`` and ``weights.npz`` into `out`.

    Args:
        epochs: passes over the training rows, at least 1.
        batch_size: rows in a step, at least 1.
        learning_rate: that of the first step; it falls to zero over the run.
        out: the folder to write into, made if it is not there.
        seed: decides the split, the first weights and the order of the rows.
        quiet: print nothing.

    Returns:
        What was measured: ``dataset``, ``train_mse`` and ``validation_mse`` (one number an epoch),
        ``test_mse``, ``least_squares_validation_mse``, ``least_squares_test_mse``, ``seconds`` (of training),
        and the paths ``curves`` and ``weights``. With Keras also ``keras_validation_mse``, ``keras_test_mse``,
        ``keras_seconds`` and ``largest_difference`` (between two weights of the two networks); else they are None.

    Raises:
        ModuleNotFoundError: scikit-learn, matplotlib or tqdm is missing.
        OSError: `out` cannot be written into. Raised before the training.
        ValueError: `epochs` or `batch_size` is below 1.
        FloatingPointError: the learning rate is too high.
    """
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, not {epochs} and {batch_size}")
    require_extras()
    folder = writable_folder(out)
    say = print if not quiet else lambda *_: None

    name, x, y, notice = load_data()
    if notice:
        say(notice)
    rng = np.random.default_rng(seed)
    data = prepare(x, y, rng)
    parts = f"{len(data.train)} rows to train on, {len(data.validation)} to validate, {len(data.test)} to test"
    say(f"{name}: {parts}")

    network = new_network(x.shape[1], rng)
    first_weights, same_rng = [v.numpy() for v in network.variables], copy.deepcopy(rng)
    say("\nA hand-written loop with GradientTape:")
    start = time.perf_counter()
    train_mse, validation_mse = train(
        network, data, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, rng=rng, quiet=quiet
    )
    seconds = time.perf_counter() - start

    keras_mse = keras_test_mse = keras_seconds = difference = None
    missing = without_keras()
    if not missing:
        say("\nKeras, from the same first weights on the same batches:")
        start = time.perf_counter()
        model, keras_mse = train_with_keras(
            first_weights,
            data,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            rng=same_rng,
            quiet=quiet,
        )
        keras_seconds = time.perf_counter() - start
        keras_test_mse = float(model.evaluate(data.test.x, data.test.y, batch_size=len(data.test), verbose=0))
        pairs = zip(model.get_weights(), network.variables, strict=True)
        difference = max(float(np.abs(w - v.numpy()).max()) for w, v in pairs)

    test_mse = evaluate(network, data.test)
    linear_validation_mse, linear_test_mse = least_squares(data)
    say(f"\n{'mean squared error':20s} {'validation':>10s} {'test':>8s}")
    say(f"{'least squares':20s} {linear_validation_mse:10.4f} {linear_test_mse:8.4f}")
    say(f"{'hand-written loop':20s} {validation_mse[-1]:10.4f} {test_mse:8.4f}   ({epochs} epochs in {seconds:.1f} s)")
    if keras_mse:
        took = f"({epochs} epochs in {keras_seconds:.1f} s)"
        say(f"{'Keras fit':20s} {keras_mse[-1]:10.4f} {keras_test_mse:8.4f}   {took}")
        steps = epochs * -(-len(data.train) // batch_size)
        say(f"\nBoth roads made the same {steps} steps: no two weights differ by more than {difference:.1e}")
        say("(float32 rounds a little differently in each, and every step enlarges that).")
    else:
        say(f"\nThe same with Keras's fit is not shown: {missing}")

    curves, weights = folder / "curves.png", folder / "weights.npz"
    draw_curves(train_mse, validation_mse, linear_validation_mse, name, curves, keras_mse)
    save_weights(network, weights)
    if evaluate(load_network(weights), data.test) != test_mse:
        raise RuntimeError(f"the weights read back from {weights} do not predict what the trained network predicts")
    say(f"\nThe curves are in {curves}, the weights in {weights} (read back: same predictions).")

    return {
        "dataset": name,
        "train_mse": train_mse,
        "validation_mse": validation_mse,
        "test_mse": test_mse,
        "least_squares_validation_mse": linear_validation_mse,
        "least_squares_test_mse": linear_test_mse,
        "seconds": seconds,
        "keras_validation_mse": keras_mse,
        "keras_test_mse": keras_test_mse,
        "keras_seconds": keras_seconds,
        "largest_difference": difference,
        "curves": str(curves),
        "weights": str(weights),
    }


if __name__ == "__main__":
    main()
