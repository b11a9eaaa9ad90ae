"""Raw ``tf.Variable`` attributes of layers and models are weights: counted, trained, saved."""

import keras
import numpy as np
import pytest

import gradtape as tf


class Scaled(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = tf.Variable(tf.ones((3,)))
        self.shifts = [tf.Variable(1.0), tf.Variable(2.0, trainable=False)]
        self.named = {"a": tf.Variable(0.5)}
        self.own = self.add_weight(shape=(), name="own")

    def call(self, x):
        return x * self.scale + self.shifts[0] + self.shifts[1] + self.named["a"] + self.own


def test_they_are_weights():
    layer = Scaled()
    layer(np.ones((1, 3), "float32"))
    assert [v.name for v in layer.trainable_variables] == ["scale", "shifts", "named", "own"]
    assert [v.name for v in layer.non_trainable_variables] == ["shifts"]
    assert layer.trainable_variables[0].handle is layer.scale


def test_those_that_come_later_too():
    layer = Scaled()
    layer(np.ones((1, 3), "float32"))
    layer.late = tf.Variable(1.0)
    assert layer.trainable_variables[-1].handle is layer.late
    other = tf.Variable(2.0)
    layer.late = other
    assert [v.handle for v in layer.trainable_variables if v.name == "late"] == [other]
    layer.late = other
    assert len([v for v in layer.trainable_variables if v.name == "late"]) == 1


@pytest.mark.parametrize("eagerly", [False, True])
def test_they_are_trained(eagerly):
    layer = Scaled()
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 3), "float32")
    h = (
        1 + 1 + 2 + 0.5 + float(layer.own)
    )  # the mean squared error's gradient with respect to each output is 2 h / 3 / 4 rows
    own = float(layer.own)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    np.testing.assert_allclose(layer.scale, 1 - 0.1 * 2 * h / 3, rtol=1e-5)
    np.testing.assert_allclose(layer.named["a"], 0.5 - 0.1 * 2 * h, rtol=1e-5)
    np.testing.assert_allclose(float(layer.own), own - 0.1 * 2 * h, rtol=1e-5, atol=1e-6)
    assert layer.shifts[1].numpy() == 2


def test_of_models_as_well_and_by_hand():
    class Line(keras.Model):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(1.0)
            self.b = tf.Variable(0.0)

        def call(self, x):
            return self.w * x + self.b

    model = Line()
    assert len(model.trainable_variables) == 2
    optimizer = keras.optimizers.SGD(0.5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.constant([[2.0]])))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    assert (model.w.numpy(), model.b.numpy()) == (0.0, -0.5)


def test_they_are_saved(tmp_path):
    a, b = (keras.Sequential([keras.Input((3,)), Scaled()]) for _ in range(2))
    a.layers[0].scale.assign([3.0, 4.0, 5.0])
    a.save_weights(tmp_path / "x.weights.h5")
    b.load_weights(tmp_path / "x.weights.h5")
    assert b.layers[0].scale.numpy().tolist() == [3, 4, 5]
    assert b.layers[0].own.numpy() == a.layers[0].own.numpy()
