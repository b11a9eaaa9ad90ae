"""fit, evaluate and predict on gradtape: the numbers, the ways to run, the data they take, the callbacks, what goes wrong."""

import keras
import numpy as np
import pytest

import gradtape as tf
from keras_gradtape.src import steps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(103, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.1 * RNG.normal(size=(103, 1))).astype("float32")


def network(optimizer="adam", metrics=("mae",), dropout=0.0, **options):
    """A small model, the same each time."""
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dense(8, activation="tanh"), keras.layers.BatchNormalization()]
    layers += [keras.layers.Dropout(dropout)] if dropout else []
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=list(metrics), **options)
    return model


def same(a, b):
    return all(np.array_equal(u, v) for u, v in zip(a.get_weights(), b.get_weights(), strict=True))


# -- the numbers ----------------------------------------------------------------------------------------------------------


def test_a_step_is_what_it_should_be():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    w, b = (a.astype(np.float64) for a in model.get_weights())
    model.fit(X, Y, batch_size=len(X), epochs=2, verbose=0, shuffle=False)
    for _ in range(2):
        error = X @ w + b - Y
        w, b = w - 0.1 * 2 * X.T @ error / len(X), b - 0.1 * 2 * error.mean(0)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[1], b, rtol=1e-4)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), np.mean((X @ w + b - Y) ** 2), rtol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), X @ w + b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "data", [{}, {"shuffle": False}, {"sample_weight": np.abs(Y)}, {"batch_size": 7}, {"validation_split": 0.25}]
)
def test_blocks_of_steps_give_what_single_steps_give(data, monkeypatch):
    """To the last bit: weights, the history, the random numbers of dropout, the validation."""
    models, histories = [], []
    for worth in (10**9, 0):
        monkeypatch.setattr(steps, "WORTH", worth)
        monkeypatch.setattr(steps, "SHORT", 10.0)
        monkeypatch.setattr(steps, "BLOCK_SECONDS", 10.0)
        model = network(dropout=0.2)
        histories.append(model.fit(X, Y, epochs=4, verbose=0, **{"batch_size": 8, **data}).history)
        models.append(model)
        assert (model.train_function.blocks > 0) == (worth == 0)
    assert same(*models) and histories[0] == histories[1]


@pytest.mark.parametrize("n", [2, 5, 100])
def test_steps_per_execution(n):
    """The results of single steps, in one native call for n of them."""
    one, many = network(), network(steps_per_execution=n)
    seen = []
    look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, sorted(logs))))
    a = one.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False).history
    blocks = []
    block = many.make_train_function().block
    many.train_function.block = lambda batches: (blocks.append(len(batches)), block(batches))[1]
    b = many.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False, callbacks=[look]).history
    assert same(one, many) and a == b
    assert blocks == 2 * {2: [2] * 6, 5: [5, 5, 2], 100: [12]}[n]  # of twelve whole batches; the last has seven rows
    assert [batch for batch, _ in seen] == 2 * list(range(n - 1, 13 + n - 1, n))
    assert all(names == ["loss", "mae"] for _, names in seen)
    np.testing.assert_array_equal(one.predict(X, batch_size=8, verbose=0), many.predict(X, batch_size=8, verbose=0))
    assert one.evaluate(X, Y, batch_size=8, verbose=0) == many.evaluate(X, Y, batch_size=8, verbose=0)


def test_run_eagerly_gives_the_same():
    compiled, eager = network(), network(run_eagerly=True)
    for model in (compiled, eager):
        model.fit(X, Y, batch_size=16, epochs=1, verbose=0, shuffle=False)
    for u, v in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(u, v, rtol=2e-4, atol=1e-5)


def test_weights_of_classes_and_samples():
    labels = (Y[:, 0] > 0).astype("int32")
    weight = {0: 1.0, 1: 3.0}
    by_class, by_sample = (
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax", kernel_initializer="ones")])
        for _ in range(2)
    )
    for model, options in (
        (by_class, {"class_weight": weight}),
        (by_sample, {"sample_weight": np.where(labels, 3.0, 1.0)}),
    ):
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(X, labels, epochs=2, verbose=0, shuffle=False, **options)
    assert same(by_class, by_sample)
    plain = keras.models.clone_model(by_class)
    plain.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    plain.fit(X, labels, epochs=2, verbose=0, shuffle=False)
    assert not same(plain, by_class)


def test_on_batches():
    a, b = network(), network()
    for i in range(3):
        logs = a.train_on_batch(X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8], return_dict=True)
    b.fit(X[:24], Y[:24], batch_size=8, verbose=0, shuffle=False)
    assert same(a, b) and set(logs) == {"loss", "mae"}
    np.testing.assert_allclose(a.test_on_batch(X, Y), b.evaluate(X, Y, batch_size=len(X), verbose=0), rtol=1e-6)
    np.testing.assert_array_equal(a.predict_on_batch(X[:8]), b.predict(X[:8], verbose=0))
    with pytest.raises(ValueError, match="cannot be specified at the same time"):
        a.train_on_batch(X, Y, sample_weight=Y, class_weight={0: 1.0})


def test_mixed_precision_scales_the_loss():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network("adam", metrics=())
        history = model.fit(X, Y, epochs=8, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert history[-1] < history[0]
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"


# -- steps of one's own ---------------------------------------------------------------------------------------------------


class Own(keras.Model):
    """A step written as for TensorFlow."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, kernel_initializer="ones")
        self.traced = 0

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        self.traced += 1
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"squared": loss, "ten": 10.0}


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 4}, {"run_eagerly": True}])
def test_a_train_step_of_ones_own(options):
    own, like = Own(), keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    own.compile(keras.optimizers.SGD(0.1), **options)
    like.compile(keras.optimizers.SGD(0.1), "mse")
    history = own.fit(X[:96], Y[:96], batch_size=8, epochs=2, verbose=0, shuffle=False).history
    like.fit(X[:96], Y[:96], batch_size=8, epochs=2, verbose=0, shuffle=False)
    for u, v in zip(own.get_weights(), like.get_weights(), strict=True):
        np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-6)
    assert history["ten"] == [10.0, 10.0] and history["squared"][1] < history["squared"][0]
    assert own.traced == 24 if "run_eagerly" in options else own.traced <= 2


class Pair(keras.Model):
    """Two networks without a ``call`` of the whole, as generative adversarial networks are written."""

    def __init__(self):
        super().__init__()
        self.maker, self.judge = (
            keras.layers.Dense(3, kernel_initializer="ones"),
            keras.layers.Dense(1, kernel_initializer="ones"),
        )
        self.seen = keras.metrics.Mean(name="seen")

    def compile(self, one, two):
        super().compile()
        self.one, self.two = one, two

    @property
    def metrics(self):
        return [self.seen]

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        for part, optimizer, sign in ((self.judge, self.one, 1.0), (self.maker, self.two, -1.0)):
            with tf.GradientTape() as tape:
                loss = sign * tf.reduce_mean(self.judge(self.maker(x[:, :2])) ** 2)
            optimizer.apply_gradients(zip(tape.gradient(loss, part.trainable_weights), part.trainable_weights))
        self.seen.update_state(loss)
        return {"seen": self.seen.result()}


@pytest.mark.parametrize("data", [(X[:96],), (X[:96], Y[:96])], ids=["x", "x, y"])
def test_a_step_that_never_calls_the_model(data):
    """Its parts are built while it is traced, from what it gives them: two columns, where the data have three."""
    model = Pair()
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.Adam(0.01))
    history = model.fit(*data, batch_size=8, epochs=2, verbose=0).history
    assert len(history["seen"]) == 2 and model.maker.kernel.shape == (2, 3)
    assert int(model.one.iterations) == int(model.two.iterations) == 24


# -- data -----------------------------------------------------------------------------------------------------------------


def batches():
    for i in range(0, 96, 8):
        yield X[i : i + 8], Y[i : i + 8]


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8]


def sources():
    yield "generator", lambda: (batches(),), {}
    yield "PyDataset", lambda: (Sequence(),), {"shuffle": False}
    yield "lists of arrays", lambda: ([X[:96]], [Y[:96]]), {"batch_size": 8, "shuffle": False}
    yield "tensors", lambda: (tf.constant(X[:96]), tf.constant(Y[:96])), {"batch_size": 8, "shuffle": False}
    yield "float64", lambda: (X[:96].astype("float64"), Y[:96].astype("float64")), {"batch_size": 8, "shuffle": False}


@pytest.mark.parametrize("make,options", [pytest.param(m, o, id=n) for n, m, o in sources()])
def test_data_of_every_kind(make, options):
    model, like = network(), network()
    like.fit(X[:96], Y[:96], batch_size=8, verbose=0, shuffle=False)
    model.fit(*make(), verbose=0, **options)
    assert same(model, like)


def test_workers():
    model = network()
    model.fit(Sequence(workers=2), epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 24


def test_pandas():
    pandas = pytest.importorskip("pandas")
    model, like = network(), network()
    like.fit(X, Y, verbose=0, shuffle=False)
    model.fit(pandas.DataFrame(X), pandas.Series(Y[:, 0]), verbose=0, shuffle=False)
    assert same(model, like)
    np.testing.assert_array_equal(model.predict(pandas.DataFrame(X), verbose=0), like.predict(X, verbose=0))


def test_torch_data_loader():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X[:96]), torch.from_numpy(Y[:96]))
    model, like = network(), network()
    like.fit(X[:96], Y[:96], batch_size=8, verbose=0, shuffle=False)
    model.fit(torch.utils.data.DataLoader(data, batch_size=8), verbose=0)
    assert same(model, like)


def test_several_inputs_and_outputs():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    h = keras.layers.Concatenate()([a, b])
    model = keras.Model(
        {"a": a, "b": b}, {"u": keras.layers.Dense(1, name="u")(h), "v": keras.layers.Dense(2, name="v")(h)}
    )
    model.compile("sgd", {"u": "mse", "v": "mae"}, metrics={"u": ["mae"]})
    data = {"a": X, "b": X[:, :2]}
    history = model.fit(data, {"u": Y, "v": np.c_[Y, Y]}, epochs=2, verbose=0).history
    assert {"loss", "u_loss", "v_loss", "u_mae"} <= set(history)
    assert {k: v.shape for k, v in model.predict(data, batch_size=10, verbose=0).items()} == {
        "u": (103, 1),
        "v": (103, 2),
    }


# -- callbacks ------------------------------------------------------------------------------------------------------------


def test_a_callback_that_looks_at_batches_sees_each():
    seen = []
    look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    network().fit(X, Y, batch_size=8, epochs=1, verbose=0, callbacks=[look])
    assert seen == list(range(13))


def test_who_looks():
    CallbackList, callbacks = keras.callbacks.CallbackList, keras.callbacks
    for quiet in (
        callbacks.History(),
        callbacks.EarlyStopping(),
        callbacks.ProgbarLogger(),
        callbacks.CSVLogger("x"),
        callbacks.ModelCheckpoint("x.keras"),
    ):
        assert not steps.observed(CallbackList([quiet]), "train")
    for looking in (
        callbacks.TerminateOnNaN(),
        callbacks.TensorBoard("x"),
        callbacks.ModelCheckpoint("x.keras", save_freq=3),
    ):
        assert steps.observed(CallbackList([looking]), "train")


def test_files_of_callbacks(tmp_path):
    calls = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="val_loss", save_best_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=1),
    ]
    model = network(keras.optimizers.SGD(0.5))
    history = model.fit(X, Y, epochs=40, validation_split=0.3, verbose=0, callbacks=calls).history
    best = keras.saving.load_model(tmp_path / "best.keras")
    assert len((tmp_path / "log.csv").read_text().splitlines()) == len(history["loss"]) + 1 < 41
    split = len(X) * 7 // 10
    np.testing.assert_allclose(best.evaluate(X[split:], Y[split:], verbose=0)[0], min(history["val_loss"]), rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(X[split:], Y[split:], verbose=0)[0], min(history["val_loss"]), rtol=1e-5)


def test_tensorboard_writes_without_tensorflow(tmp_path):
    calls = [keras.callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True, update_freq=2)]
    network().fit(X, Y, epochs=2, validation_split=0.2, verbose=0, callbacks=calls)
    train = b"".join(p.read_bytes() for p in (tmp_path / "train").glob("events.out.tfevents.*"))
    assert all(
        tag in train
        for tag in (b"epoch_loss", b"epoch_mae", b"batch_loss", b"kernel/histogram", b"kernel/image", b"\x89PNG")
    )
    assert any(b"evaluation_loss_vs_iterations" in p.read_bytes() for p in (tmp_path / "validation").glob("events*"))


def test_the_progress_bar_comes_to_its_end(capsys):
    network().fit(X, Y, epochs=2, batch_size=8, validation_split=0.2)
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed and "11/11" in printed and "val_mae" in printed


def test_training_can_be_stopped():
    model = network()
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    assert len(model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop]).history["loss"]) == 2


# -- what goes wrong ------------------------------------------------------------------------------------------------------


def test_wrong_shapes_and_losses():
    model = network()
    with pytest.raises(ValueError, match=r"(?s)incompatible with the layer.*have value 3.*shape .32, 2"):
        model.fit(X[:, :2], Y, verbose=0)
    with pytest.raises(ValueError, match=r"(?i)same.*samples|cardinality"):
        model.fit(X, Y[:50], verbose=0)
    fresh = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"must call `compile..` before using"):
        fresh.fit(X, Y, verbose=0)
    classes = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="softmax")])
    classes.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match="shape"):
        classes.fit(X, np.zeros(len(X), "int32"), verbose=0)


def test_a_loss_that_is_not_a_number_ends_the_training():
    model = network()
    bad = Y.copy()
    bad[50] = np.nan
    calls = [keras.callbacks.TerminateOnNaN()]
    history = model.fit(X, bad, batch_size=8, epochs=3, verbose=0, shuffle=False, callbacks=calls).history
    assert len(history["loss"]) == 1


def test_an_error_in_a_step_names_the_users_line():
    class Wrong(keras.Model):
        def call(self, x):
            return tf.matmul(x, tf.ones((5, 1)))

    model = Wrong()
    model.compile("sgd", "mse")
    with pytest.raises(Exception, match=r"test_trainer.py"):
        model.fit(X, Y, verbose=0)


def test_labels_that_are_no_classes():
    for logits in (False, True):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation=None if logits else "softmax")])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
        for label in (4, -1):
            with pytest.raises(ValueError, match=rf"{label} .*\[0, 4\)"):
                model.fit(X, np.full(len(X), label), verbose=0)


def test_no_data_and_no_output():
    model = network()
    with pytest.raises(ValueError, match="There are no data: the inputs have no rows"):
        model.fit(X[:0], Y[:0], verbose=0)
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        model.predict(X, batch_size=0, verbose=0)

    class Silent(keras.Model):
        def call(self, x):
            self.last = None

    silent = Silent()
    silent.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"Silent.call returned None.*does it lack a `return`"):
        silent.fit(X, Y, verbose=0)


def test_a_layer_whose_call_is_a_function():
    class Doubled(keras.layers.Layer):
        @tf.function
        def call(self, x, training=False):
            if tf.reduce_mean(x) > 0.0:
                return x * 2.0
            return x

    model = keras.Sequential([keras.Input((3,)), Doubled()])
    np.testing.assert_array_equal(model(np.ones((2, 3), "float32")), np.full((2, 3), 2.0))
    np.testing.assert_array_equal(model.predict(-np.ones((2, 3)), verbose=0), -np.ones((2, 3)))
