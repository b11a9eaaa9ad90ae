"""gradtape.keras: the spellings of TensorFlow 2.0 and Keras 2, on objects that are Keras 3's and save as such."""

import copy
import json
import pickle
import warnings
import zipfile

import keras as stock
import numpy as np
import pytest

import gradtape as tf
from gradtape import keras
from gradtape.ground.errors import NoneGradientError

both = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "function"])


def maybe(f, compiled):
    return tf.function(f) if compiled else f


# -- names ----------------------------------------------------------------------------------------------------------------


def test_imports_of_every_form():
    from gradtape.keras import backend as K
    from gradtape.keras.callbacks import EarlyStopping
    from gradtape.keras.layers import Dense
    from gradtape.keras.optimizers.schedules import ExponentialDecay

    assert EarlyStopping is stock.callbacks.EarlyStopping
    assert Dense is keras.layers.Dense
    assert ExponentialDecay is stock.optimizers.schedules.ExponentialDecay
    assert K.epsilon() == 1e-7


def test_stock_classes_are_untouched():
    with pytest.raises(ValueError, match="not recognized"):
        stock.optimizers.SGD(lr=0.1)
    assert not hasattr(stock.optimizers.SGD, "lr") and not hasattr(stock.metrics.Mean, "reset_states")
    assert keras.optimizers.SGD is not stock.optimizers.SGD


def test_instances_and_subclasses_either_way():
    assert isinstance(keras.optimizers.SGD(), stock.optimizers.SGD) and isinstance(
        stock.optimizers.SGD(), keras.optimizers.SGD
    )
    assert issubclass(stock.layers.Dense, keras.layers.Layer) and not isinstance(
        stock.layers.Dense(1), keras.layers.Conv2D
    )

    class Mine(keras.layers.Dense):
        pass

    assert isinstance(Mine(1), keras.layers.Dense) and isinstance(Mine(1), stock.layers.Dense)
    assert not isinstance(keras.layers.Dense(1), Mine)


def test_short_names_of_losses():
    assert keras.losses.MSE([1.0, 2.0], [3.0, 5.0]).numpy() == 6.5
    assert keras.losses.mae([[1.0]], [[3.0]]).numpy().tolist() == [2.0]
    assert keras.metrics.MSE([1.0], [3.0]).numpy() == 4.0
    assert keras.losses.Reduction.NONE == "none" and "sum" in keras.losses.Reduction.all()
    loss = keras.losses.MeanSquaredError(reduction=keras.losses.Reduction.SUM)
    assert loss([[1.0], [2.0]], [[3.0], [5.0]]).numpy() == 13


def test_losses_broadcast_as_they_did():
    true, pred = np.zeros(3, "float32"), np.ones((3, 1), "float32")
    assert keras.losses.mean_squared_error(true, pred).shape == (3,)


# -- optimizers -----------------------------------------------------------------------------------------------------------


def test_the_learning_rate():
    optimizer = keras.optimizers.SGD(lr=0.25)
    assert float(optimizer.lr) == float(optimizer.learning_rate) == 0.25
    optimizer.lr = 0.5
    assert float(optimizer.learning_rate) == 0.5
    optimizer.lr.assign(0.125)
    assert float(optimizer.learning_rate) == 0.125
    assert float(keras.optimizers.SGD(1).lr) == 1.0
    with pytest.raises(TypeError, match="give one of them"):
        keras.optimizers.SGD(0.1, lr=0.2)


@both
def test_decay(compiled):
    optimizer, v = keras.optimizers.SGD(lr=0.1, decay=0.5), tf.Variable(0.0)
    step = maybe(lambda: optimizer.apply_gradients([(tf.constant(1.0), v)]), compiled)
    for _ in range(3):
        step()
    np.testing.assert_allclose(v.numpy(), -(0.1 + 0.1 / 1.5 + 0.1 / 2), rtol=1e-6)
    optimizer.lr = 1.0
    before = v.numpy()
    step()
    np.testing.assert_allclose(v.numpy() - before, -1 / 2.5, rtol=1e-6)
    rate = optimizer.get_config()["learning_rate"]
    assert (rate["class_name"], rate["config"]["initial_learning_rate"]) == ("InverseTimeDecay", 1.0)


@both
@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "AdamW", "Lion", "Adafactor"]
)
def test_minimize(name, compiled):
    optimizer = getattr(keras.optimizers, name)(lr=0.01)
    v, w = tf.Variable(3.0), tf.Variable([1.0, 2.0])
    loss = lambda: v**2 + tf.reduce_sum(w**2)
    start = float(loss())
    step = maybe(lambda: optimizer.minimize(loss, [v, w]), compiled)
    for _ in range(5):
        step()
    assert float(loss()) < start and int(optimizer.iterations) == 5


def test_minimize_gives_the_same_as_the_stock_optimizer():
    ours, v = keras.optimizers.Adam(lr=0.1), tf.Variable([1.0, -2.0])
    theirs, u = stock.optimizers.Adam(0.1), stock.Variable([1.0, -2.0])
    theirs.build([u])
    for _ in range(4):
        ours.minimize(lambda: tf.reduce_sum(v**2), lambda: [v])
        theirs.apply([2 * u])
    np.testing.assert_allclose(v.numpy(), u.numpy(), rtol=1e-6)


def test_minimize_with_a_tape():
    optimizer, v = keras.optimizers.SGD(lr=0.5), tf.Variable(1.0)
    with tf.GradientTape() as tape:
        loss = v * v
    optimizer.minimize(loss, [v], tape=tape)
    assert v.numpy() == 0.0
    with pytest.raises(ValueError, match="`tape` is required"):
        optimizer.minimize(loss, [v])


@both
@pytest.mark.parametrize("name", ["SGD", "Adam", "Nadam", "Adafactor"])
def test_variables_may_come_later(name, compiled):
    """What the optimizer keeps for the others stays: the first variable moves as if it were alone."""
    options = {"momentum": 0.9} if name == "SGD" else {}
    alone, together = (getattr(keras.optimizers, name)(lr=0.1, **options) for _ in range(2))
    a, b, c = tf.Variable(1.0), tf.Variable(1.0), tf.Variable([1.0, 2.0])
    one = maybe(lambda: alone.apply_gradients([(tf.constant(0.5), a)]), compiled)
    first = maybe(lambda: together.apply_gradients([(tf.constant(0.5), b)]), compiled)
    two = maybe(lambda: together.apply_gradients([(tf.constant(0.5), b), (tf.ones(2), c)]), compiled)
    for step in (first, first, two, first, two):
        one()
        step()
    np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-6)
    assert np.all(c.numpy() < [1.0, 2.0])
    assert len({id(v) for v in together.variables}) == len(together.variables)


def test_no_gradient_at_all():
    optimizer, v = keras.optimizers.SGD(), tf.Variable(1.0, name="speed")
    with pytest.raises(NoneGradientError, match=r"no gradient for speed:0.*was the source watched"):
        optimizer.apply_gradients([(None, v)])
    with pytest.raises(NoneGradientError, match=r"(?s)no variable has a gradient.*is None: "):
        optimizer.minimize(lambda: tf.constant(1.0), [v])
    with pytest.raises(ValueError, match=r"no \(gradient, variable\) pairs"):
        optimizer.apply_gradients([])


def test_some_without_a_gradient():
    optimizer, v, w = keras.optimizers.SGD(lr=1.0), tf.Variable(1.0, name="v"), tf.Variable(1.0, name="w")
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['w:0'\]"):
        optimizer.apply_gradients([(tf.constant(1.0), v), (None, w)])
    with pytest.warns(UserWarning, match="(?s)have no gradient.*w is None: "):
        optimizer.minimize(lambda: v * 1.0, [v, w])
    assert (v.numpy(), w.numpy()) == (-1.0, 1.0)


def test_legacy_and_names():
    assert float(keras.optimizers.legacy.Adam(lr=0.5).lr) == 0.5
    assert float(keras.optimizers.get("sgd").lr) == np.float32(0.01)
    mine = stock.optimizers.SGD()
    assert keras.optimizers.get(mine) is mine and type(mine) is stock.optimizers.SGD


# -- layers and models ----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
def test_layers_are_stock_ones_with_old_arguments():
    layer = keras.layers.Dense(4, batch_input_shape=(None, 3), weights=[np.ones((3, 4)), np.arange(4)])
    assert type(layer) is stock.layers.Dense
    model = keras.models.Sequential([layer])
    assert model.input_shape == (None, 3)
    np.testing.assert_array_equal(model(np.ones((1, 3), "float32")), [[3, 4, 5, 6]])
    assert keras.layers.InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)

    class Mine(keras.layers.Dense):
        pass

    assert keras.Sequential([Mine(2, batch_input_shape=(None, 5))]).input_shape == (None, 5)


def functional():
    x = keras.Input((3,))
    return keras.Model(x, keras.layers.Dense(2)(x))


def sequential():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


class FunctionalSubclass(keras.Model):
    def __init__(self):
        x = keras.Input((3,))
        super().__init__(inputs=x, outputs=keras.layers.Dense(2)(x))


@pytest.mark.parametrize("make", [functional, sequential, Subclass, FunctionalSubclass])
def test_models_compile_optimizers_with_the_old_spellings(make):
    model = make()
    assert isinstance(model, keras.Model) and isinstance(model, stock.Model)
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.optimizer.lr = 0.5
    assert float(model.optimizer.learning_rate) == 0.5
    assert model(np.ones((1, 3), "float32")).shape == (1, 2)


def test_a_functional_subclass_leaves_the_next_subclass_alone():
    FunctionalSubclass()
    assert len(Subclass().layers) == 1


@pytest.mark.parametrize("make", [functional, sequential])
def test_copies_keep_the_predictions(make):
    model = make()
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other(x), model(x))
    json_again = keras.models.model_from_json(model.to_json())
    assert type(json_again) is type(model) or isinstance(json_again, keras.Model)


def test_what_is_saved_names_stock_classes(tmp_path):
    model = sequential()
    model.compile(
        keras.optimizers.SGD(lr=0.1), keras.losses.MeanSquaredError(), metrics=[keras.metrics.MeanAbsoluteError()]
    )
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "m.keras")
    text = zipfile.ZipFile(tmp_path / "m.keras").read("config.json").decode()
    assert "gradtape" not in text and "keras.src" not in text
    config = json.loads(text)
    assert (config["module"], config["class_name"]) == ("keras", "Sequential")
    assert config["compile_config"]["optimizer"]["module"] == "keras.optimizers"
    plain = stock.saving.load_model(tmp_path / "m.keras")
    assert type(plain) is stock.Sequential and type(plain.optimizer) is stock.optimizers.SGD
    ours = keras.models.load_model(tmp_path / "m.keras")
    ours.optimizer.lr = 0.25
    assert float(ours.optimizer.learning_rate) == 0.25
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(plain(x), ours(x))


# -- metrics --------------------------------------------------------------------------------------------------------------


@both
def test_metrics(compiled):
    metric, like = keras.metrics.MeanSquaredError(), stock.metrics.MeanSquaredError()
    rng = np.random.default_rng(0)
    for _ in range(3):
        y, p, w = rng.normal(size=(3, 4, 2)).astype("float32")[:, :, :1]
        result = maybe(metric, compiled)(y, p, sample_weight=w[:, 0])
        np.testing.assert_allclose(result, like(y, p, sample_weight=w[:, 0]), rtol=1e-6)
    metric.reset_states()
    assert metric.result().numpy() == 0
    assert metric([1.0, 2.0], [3.0, 4.0]).numpy() == 4.0
    metric.update_state([1.0], [1.0])
    np.testing.assert_allclose(metric.result(), 2.0)


def test_a_metric_within_a_tape_is_not_recorded():
    metric, v = keras.metrics.Mean(), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        loss = v * v
        metric(loss)
    assert tape.gradient(loss, v).numpy() == 4.0 and metric.result().numpy() == 4.0


def test_a_metric_of_ones_own():
    class Last(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.value = self.add_weight(shape=(), initializer="zeros", name="value")
            self.calls = 0

        def update_state(self, x, sample_weight=None):
            self.calls += 1
            self.value.assign(tf.cast(x, "float32"))

        def result(self):
            return self.value * 2

    metric = Last()
    assert [float(metric(float(i))) for i in range(3)] == [0, 2, 4] and metric.calls == 3
    metric.reset_states()
    assert float(metric.result()) == 0


def test_string_metrics_of_a_loop():
    model = sequential()
    metrics = [keras.metrics.MeanAbsoluteError(), keras.metrics.Mean("loss")]
    y = model(np.ones((2, 3), "float32"))
    for m in metrics:
        m(*((y, y) if m is metrics[0] else (y,)))
        m.reset_states()
    assert all(float(m.result()) == 0 for m in metrics)


# -- K --------------------------------------------------------------------------------------------------------------------


def test_the_backend_functions():
    K = keras.backend
    x = np.arange(6.0).reshape(2, 3).astype("float32")
    np.testing.assert_allclose(K.mean(x, axis=1, keepdims=True), [[1], [4]])
    np.testing.assert_allclose(K.dot(x, x.T), x @ x.T)
    assert K.batch_dot(np.ones((2, 3, 4)), np.ones((2, 4, 5))).shape == (2, 3, 5)
    assert K.int_shape(tf.constant(x)) == (2, 3) and K.ndim(tf.constant(x)) == 2 and K.count_params(tf.constant(x)) == 6
    v = K.variable([1.0, 2.0])
    K.set_value(v, [3.0, 4.0])
    K.update_add(v, [1.0, 1.0])
    assert K.get_value(v).tolist() == [4, 5]
    np.testing.assert_allclose(K.hard_sigmoid(np.array([-9.0, 0.0, 9.0])), [0, 0.5, 1])
    assert K.clip(x, 1, 2).numpy().max() == 2 and K.sum(x).numpy() == 15
    assert K.concatenate([tf.constant(x), tf.constant(x)]).shape == (2, 6)
    assert K.switch(tf.constant(True), tf.constant(1.0), tf.constant(2.0)).numpy() == 1
    assert K.arange(3).numpy().tolist() == [0, 1, 2]
    optimizer = keras.optimizers.SGD(lr=0.5)
    K.set_value(optimizer.lr, 0.25)
    assert K.get_value(optimizer.lr) == 0.25
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert K.floatx() == "float32" and K.image_data_format() == "channels_last"


# -- what a program of that time also says --------------------------------------------------------------------------------


def test_metrics_may_come_third():
    a, b = sequential(), sequential()
    a.compile("sgd", "mse", ["mae"])
    b.compile("sgd", "mse", [1.0], metrics=["mae"])
    x, y = np.ones((4, 3)), np.ones((4, 2))
    assert set(a.fit(x, y, verbose=0).history) == {"loss", "mae"} == set(b.fit(x, y, verbose=0).history)


def test_generators_by_their_old_names():
    def batches():
        while True:
            yield np.ones((4, 3), "float32"), np.ones((4, 2), "float32")

    model = sequential()
    model.compile("sgd", "mse")
    assert len(model.fit_generator(batches(), 3, 2, 0, workers=1, max_queue_size=10).history["loss"]) == 2
    assert model.evaluate_generator(batches(), 2) > 0
    assert model.predict_generator(batches(), 2).shape == (8, 2)


def test_the_name_of_a_weight_may_come_first():
    class Line(keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight("w", [shape[-1], 1], initializer="ones")
            self.b = self.add_weight(shape=(1,), initializer="zeros", name="b")

        def call(self, x):
            return x @ self.w + self.b

    class Absolute(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.total = self.add_weight("total", initializer="zeros")

        def update_state(self, y, p, sample_weight=None):
            self.total.assign_add(tf.reduce_sum(tf.abs(y - p)))

        def result(self):
            return self.total + 0

    layer, metric = Line(), Absolute()
    assert layer(np.ones((2, 3), "float32")).numpy().tolist() == [[3.0], [3.0]]
    assert [w.name for w in layer.weights] == ["w", "b"]
    assert metric(tf.constant([1.0, 2.0]), tf.constant([2.0, 4.0])).numpy() == 3
    assert metric.variables[0].name == "total"


def test_an_operation_on_a_symbolic_input_says_what_to_write():
    with pytest.raises(ValueError, match=r"(?s)KerasTensor cannot be used as input.*keras.ops.*class MyLayer"):
        tf.square(keras.Input((3,)))


def test_namespaces_of_keras_in_tf():
    assert tf.optimizers.SGD(lr=0.5).lr.numpy() == 0.5
    assert tf.losses.MSE([[1.0, 3.0]], [[0.0, 0.0]]).numpy().tolist() == [5.0]
    assert tf.metrics.Mean is keras.metrics.Mean and tf.initializers.zeros()([2]).numpy().tolist() == [0.0, 0.0]


def test_shapes_of_weights_are_tensor_shapes():
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    assert [v.shape.as_list() for v in layer.weights] == [[2, 3], [3]]
    assert sum(v.shape.num_elements() for v in layer.trainable_variables) == 9
    assert layer.kernel.shape == (2, 3) and tuple(layer.kernel.shape) == (2, 3)
