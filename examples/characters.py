"""A recurrent network learns to write as this project's documentation is written, character by character.

The text is the README and what is in docs/; any other can be given. The network reads a character at a time and says how probable each
character is to be the next (A. Graves, 2013). It is compared with two tables of counts: how often each character stands in
the text, and how often each follows each other one. In the end it writes by itself.

    pip install gradtape[demo]
    python characters.py --picture characters.png

With ``import tensorflow as tf`` for its import line, this file is a TensorFlow program.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import gradtape as tf

keras = tf.keras
HERE = Path(__file__).resolve().parent


def load_text(files: list[str]) -> str:
    """The files' text, by default the documentation's, without characters that stand in it fewer than ten times."""
    root = HERE.parent
    paths = [Path(f) for f in files] or [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    text = "\n".join([p.read_text(encoding="utf-8") for p in paths])
    characters, counts = np.unique(list(text), return_counts=True)
    rare = {ord(c): None for c in characters[counts < 10]}
    return text.translate(rare)


def windows(codes: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of ``length`` characters, and for each of their characters the one that follows: both (pieces, length)."""
    pieces = (len(codes) - 1) // length
    cut = pieces * length
    return codes[:cut].reshape(pieces, length), codes[1 : cut + 1].reshape(pieces, length)


def by_counts(train: np.ndarray, test: np.ndarray, kinds: int) -> tuple[float, float]:
    """The cross-entropy on ``test`` of two tables of counts in ``train``: of characters, and of pairs of them."""
    ones = np.bincount(train, minlength=kinds) + 1.0
    pairs = np.full((kinds, kinds), 0.1)
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    p, q = ones / ones.sum(), pairs / pairs.sum(1, keepdims=True)
    return float(-np.log(p[test[1:]]).mean()), float(-np.log(q[test[:-1], test[1:]]).mean())


def new_model(kinds: int, units: int) -> Any:
    """A GRU over embedded characters; its outputs are the logarithms of probabilities, but for a constant."""
    model = keras.Sequential(
        [
            keras.Input(shape=(None,), dtype="int32"),
            keras.layers.Embedding(kinds, 32),
            keras.layers.GRU(units, return_sequences=True),
            keras.layers.Dense(kinds),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.005, clipnorm=1.0), loss=loss, metrics=["accuracy"])
    return model


def written(model: Any, start: np.ndarray, count: int, temperature: float, rng: np.random.Generator) -> list[int]:
    """The ``count`` characters that the network writes behind ``start``, each drawn from what it holds for probable."""
    embedding, gru, dense = model.layers
    state = gru(embedding(start[None, :-1]))[:, -1]

    @tf.function
    def step(character: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        output, [state] = gru.cell(embedding(character), [state])
        return tf.nn.softmax(dense(output) / temperature)[0], state

    out = [int(start[-1])]
    for _ in range(count):
        p, state = step(tf.constant([out[-1]]), state)
        p = p.numpy().astype(np.float64)
        out.append(int(rng.choice(len(p), p=p / p.sum())))
    return out[1:]


def draw(history: dict[str, list[float]], tables: tuple[float, float], path: str) -> None:
    """Draw the cross-entropy of each epoch beside that of the tables, in bits for a character."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    epochs = range(1, len(history["loss"]) + 1)
    axes.plot(epochs, np.divide(history["loss"], np.log(2)), "o-", markersize=3, label="network, training")
    axes.plot(epochs, np.divide(history["val_loss"], np.log(2)), "o-", markersize=3, label="network, test")
    for value, name, style in zip(tables, ("counts of characters", "counts of pairs"), (":", "--"), strict=True):
        axes.axhline(value / np.log(2), color="gray", linestyle=style, label=f"{name}, test")
    axes.set(xlabel="epoch", ylabel="bits for a character", title="How well the next character is foreseen")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    FigureCanvasAgg(figure).print_png(path)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, test, write and draw; return the cross-entropies on the test text, in nats for a character."""
    parser = argparse.ArgumentParser(description="Train a recurrent network to write like a text.")
    parser.add_argument("text", nargs="*", help="text files to learn from (default: this project's documentation)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the text (default: 10)")
    parser.add_argument("--units", type=int, default=128, help="numbers that the network keeps in mind (default: 128)")
    parser.add_argument("--length", type=int, default=64, help="characters in a piece of text (default: 64)")
    parser.add_argument("--batch-size", type=int, default=32, help="pieces in a step (default: 32)")
    parser.add_argument(
        "--temperature", type=float, default=0.6, help="below 1 writes what is more probable (default: 0.6)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything that is random (default: 0)")
    parser.add_argument("--picture", default="characters.png", help="the PNG to write (default: characters.png)")
    options = parser.parse_args(arguments)
    if not Path(options.picture).resolve().parent.is_dir():
        parser.error(f"there is no folder for the picture {options.picture}")

    keras.utils.set_random_seed(options.seed)
    text = load_text(options.text)
    if len(text) < 20 * options.length:
        parser.error(f"the text has {len(text)} characters, and {20 * options.length} are needed")
    alphabet, codes = np.unique(list(text), return_inverse=True)
    codes = codes.astype(np.int32)
    train, test = codes[: len(codes) * 9 // 10], codes[len(codes) * 9 // 10 :]
    print(f"{len(text)} characters of {len(alphabet)} kinds; the last tenth is for the test")

    model = new_model(len(alphabet), options.units)
    history = model.fit(
        *windows(train, options.length),
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_data=windows(test, options.length),
    ).history

    tables = by_counts(train, test, len(alphabet))
    results = {"counts of characters": tables[0], "counts of pairs": tables[1], "network": history["val_loss"][-1]}
    print("\nOn the test text, bits for a character:")
    for name, value in results.items():
        print(f"  {name:20s} {value / np.log(2):6.3f}")
    start = test[: options.length]
    new = written(model, start, 400, options.temperature, np.random.default_rng(options.seed))
    print(f"\nThe next character is foreseen in {history['val_accuracy'][-1]:.1%} of all places. The network writes:\n")
    print("".join(alphabet[start]) + " ⟶ " + "".join(alphabet[new]))
    draw(history, tables, options.picture)
    print(f"\nThe picture is {options.picture}.")
    return results


if __name__ == "__main__":
    main()
