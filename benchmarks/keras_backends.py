"""Keras on gradtape beside Keras on JAX, TensorFlow and PyTorch: the same Keras code, each backend in a process of its own.

    python benchmarks/keras_backends.py [--backends gradtape jax ...] [--python NAME=INTERPRETER ...] [--rounds N] [--json FILE]

A figure is the best of several repetitions, and the best over the rounds, in which the backends take turns: so a busy moment of the machine does
not fall on one of them alone. Every backend gets the threads that it takes by itself; OMP_NUM_THREADS and the like are passed on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = {
    "import keras": "ms",
    "fit, 8-128-1, SGD, an epoch": "ms",
    "fit, 8-128-1, Adam, an epoch": "ms",
    "fit, 8-128-1, Adam, an epoch, a callback at every batch": "ms",
    "fit, convolutions on digits, an epoch": "ms",
    "fit, LSTM(64) over 100 steps, an epoch": "ms",
    "predict, 32 rows": "ms",
    "hand-written step, eager": "ms",
    "hand-written step, in a function": "ms",
}
# what is asked of gradtape: the share of a peer's time, or of the best peer's
GOALS = {
    "import keras": (0.8, "jax"),
    "fit, 8-128-1, SGD, an epoch": (0.25, "jax"),
    "fit, 8-128-1, Adam, an epoch": (0.25, "jax"),
    "fit, convolutions on digits, an epoch": (1.0, "best"),
    "fit, LSTM(64) over 100 steps, an epoch": (1.0, "best"),
    "predict, 32 rows": (0.5, "best"),
    "hand-written step, eager": (0.2, "tensorflow"),
    "hand-written step, in a function": (0.15, "tensorflow"),
}


def best(f: Callable[[], Any], repeat: int, number: int = 1) -> float:
    """The time of one call in milliseconds, the best of ``repeat`` times ``number`` calls."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(number):
            f()
        times.append((time.perf_counter() - start) / number)
    return min(times) * 1e3


def work(backend: str) -> dict[str, float]:
    """All cases in this process."""
    found: dict[str, float] = {}
    start = time.perf_counter()
    if backend == "gradtape":
        from keras_gradtape import hook

        hook.install()
    import keras

    found["import keras"] = (time.perf_counter() - start) * 1e3
    import numpy as np

    if keras.backend.backend() != backend:
        raise SystemExit(f"Keras runs on {keras.backend.backend()}, not on {backend}")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(11610, 8)).astype("float32")
    y = x.sum(1, keepdims=True)

    def dense(optimizer: str) -> Any:
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(1)])
        model.compile(optimizer, "mse")
        return model

    def epoch(model: Any, *data: Any, repeat: int = 7, **kwargs: Any) -> float:
        run = lambda: model.fit(*data, epochs=1, batch_size=32, verbose=0, **kwargs)
        run(), run()
        return best(run, repeat)

    for name in ("SGD", "Adam"):
        model = dense(name.lower())
        found[f"fit, 8-128-1, {name}, an epoch"] = epoch(model, x, y)
    each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    found["fit, 8-128-1, Adam, an epoch, a callback at every batch"] = epoch(model, x, y, callbacks=[each])
    found["predict, 32 rows"] = best(lambda: model.predict(x[:32], verbose=0), 9, 20)

    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 16).astype("float32")
    model = keras.Sequential([
        keras.Input((8, 8, 1)), keras.layers.Conv2D(16, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    found["fit, convolutions on digits, an epoch"] = epoch(model, images, labels)

    series = rng.normal(size=(320, 100, 8)).astype("float32")
    target = series.mean((1, 2), keepdims=False)[:, None]
    model = keras.Sequential([keras.Input((100, 8)), keras.layers.LSTM(64), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    found["fit, LSTM(64) over 100 steps, an epoch"] = epoch(model, series, target, repeat=5)

    if backend in ("gradtape", "tensorflow"):
        found |= by_hand(backend, keras, x, y)
    return found


def by_hand(backend: str, keras: Any, x: Any, y: Any) -> dict[str, float]:
    """A loop of one's own: model, loss, metric, gradient and update, with a batch drawn at each step."""
    import numpy as np

    if backend == "gradtape":
        import gradtape as tf

        keras = tf.keras
    else:
        import tensorflow as tf
    model = keras.Sequential([keras.layers.Dense(128, activation="relu", input_shape=(8,)), keras.layers.Dense(1)])
    optimizer, metric = keras.optimizers.SGD(), keras.metrics.MeanSquaredError()
    loss_of = keras.losses.mean_squared_error

    def step(xb: Any, yb: Any) -> Any:
        with tf.GradientTape() as tape:
            predicted = model(xb)
            loss = tf.reduce_mean(loss_of(yb, predicted))
            metric(yb, predicted)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss

    def draw_and(f: Callable) -> Callable:
        def run() -> None:
            rows = np.random.randint(0, len(x), size=32)
            f(x[rows], y[rows])

        return run

    compiled = tf.function(step)
    out = {}
    for name, f in (("eager", step), ("in a function", compiled)):
        run = draw_and(f)
        best(run, 1, 20)
        out[f"hand-written step, {name}"] = best(run, 9, 40)
    return out


def table(found: dict[str, dict[str, float]]) -> str:
    """The figures in Markdown, with gradtape's share of its peers' times."""
    backends = list(found)
    lines = ["| ms | " + " | ".join(backends) + " | share | goal |", "|---|" + "---:|" * (len(backends) + 2)]
    for case in CASES:
        row = [found[b].get(case) for b in backends]
        share = goal = ""
        if case in GOALS and "gradtape" in found:
            most, of = GOALS[case]
            peers = [t for b, t in zip(backends, row, strict=True) if t and b != "gradtape" and of in ("best", b)]
            if peers and found["gradtape"].get(case):
                share = f"{found['gradtape'][case] / min(peers):.3f}"
                goal = f"≤ {most} of {of}"
        cells = [f"{t:.3g}" if t and t < 100 else f"{t:.0f}" if t else "" for t in row]
        lines.append(f"| {case} | " + " | ".join(cells) + f" | {share} | {goal} |")
    return "\n".join(lines)


def main() -> None:
    """Run the backends in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["gradtape", "jax", "tensorflow", "torch"])
    parser.add_argument("--python", nargs="*", default=[], metavar="NAME=INTERPRETER", help="by default this one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print("RESULT " + json.dumps(work(given.work)))
        return
    interpreters = dict(item.split("=", 1) for item in given.python)
    found: dict[str, dict[str, float]] = {}
    for _ in range(given.rounds):
        for backend in given.backends:
            paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
            environment = {
                **os.environ,
                "KERAS_BACKEND": backend,
                "PYTHONPATH": os.pathsep.join(paths),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            }
            command = [interpreters.get(backend, sys.executable), __file__, "--work", backend]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            result = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
            if not result:
                raise SystemExit(f"{backend} failed:\n{done.stderr[-3000:]}")
            now = json.loads(result[-1].removeprefix("RESULT "))
            old = found.setdefault(backend, now)
            found[backend] = {case: min(t, old.get(case, t)) for case, t in now.items()}
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    print(table(found))


if __name__ == "__main__":
    main()
