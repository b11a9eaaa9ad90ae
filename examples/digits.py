"""A convolutional network learns to read handwritten digits.

The data come with scikit-learn: 1,797 images of 8 × 8 pixels (E. Alpaydin and C. Kaynak, 1998). A fifth of them are kept for the
test. The picture shows how the training went, and the test images that were read wrongly.

    pip install gradtape[demo]
    python digits.py --picture digits.png

With ``import tensorflow as tf`` for its import line, this file is a TensorFlow program.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import gradtape as tf

keras = tf.keras


def load_data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images (rows, 8, 8, 1) between 0 and 1 and their digits, to train on and to test with."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(seed).permutation(len(images))
    train, test = np.split(order, [len(order) * 4 // 5])
    return images[train], digits[train], images[test], digits[test]


def new_model() -> Any:
    """Two convolutions, the second on half the resolution, and a softmax over the ten digits."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def draw(history: dict[str, list[float]], images: np.ndarray, digits: np.ndarray, read: np.ndarray, path: str) -> None:
    """Draw the accuracy of each epoch, and up to fifteen images that were read wrongly."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subfigures(1, 2)
    axes = left.add_subplot()
    epochs = range(1, len(history["accuracy"]) + 1)
    axes.plot(epochs, history["accuracy"], "o-", markersize=3, label="training, with dropout")
    axes.plot(epochs, history["val_accuracy"], "o-", markersize=3, label="test")
    axes.set(xlabel="epoch", ylabel="accuracy", title="Digits read correctly")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()

    wrong = np.flatnonzero(digits != read)
    right.suptitle(f"{len(wrong)} of {len(digits)} test images were read wrongly")
    for place in range(15):
        axes = right.add_subplot(3, 5, place + 1)
        axes.axis("off")
        if place < len(wrong):
            i = wrong[place]
            axes.imshow(images[i, :, :, 0], cmap="gray_r")
            axes.set_title(f"{digits[i]}, read as {read[i]}", fontsize=8)
    FigureCanvasAgg(figure).print_png(path)


def main(arguments: list[str] | None = None) -> float:
    """Train, test and draw; return the accuracy on the test images."""
    parser = argparse.ArgumentParser(description="Train a convolutional network on scikit-learn's handwritten digits.")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training images (default: 20)")
    parser.add_argument("--batch-size", type=int, default=32, help="images in a step (default: 32)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is random (default: 0)")
    parser.add_argument("--picture", default="digits.png", help="the PNG to write (default: digits.png)")
    options = parser.parse_args(arguments)
    if not Path(options.picture).resolve().parent.is_dir():
        parser.error(f"there is no folder for the picture {options.picture}")

    keras.utils.set_random_seed(options.seed)
    images, digits, test_images, test_digits = load_data(options.seed)
    model = new_model()
    model.summary()
    history = model.fit(
        images,
        digits,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_data=(test_images, test_digits),
    ).history

    read = model.predict(test_images, verbose=0).argmax(axis=1)
    accuracy = float(np.mean(read == test_digits))
    draw(history, test_images, test_digits, read, options.picture)
    print(f"\nOf {len(read)} test images {accuracy:.1%} are read correctly. The picture is {options.picture}.")
    return accuracy


if __name__ == "__main__":
    main()
