"""The workloads in TensorFlow's words: one program for TensorFlow and for gradtape.

Every entry of `workloads` makes its inputs when it is called and returns a step without arguments, which is
what is timed. A step returns what it computed; `numbers` turns that into NumPy arrays, for the comparison
across libraries.
"""

from functools import partial

import numpy as np
import problems


def numbers(result) -> list[np.ndarray]:
    return [np.asarray(tensor) for tensor in result]


def workloads(tf) -> dict:
    def scalar_gradient():
        x1, x2 = tf.Variable(2.0), tf.Variable(3.0)

        def step():
            with tf.GradientTape() as tape:
                z = (x1 + 5) * x2**2
            return tape.gradient(z, [x1, x2])

        return step

    def descent():
        def step():
            x = tf.Variable(-0.1)
            for _ in range(100):
                with tf.GradientTape() as tape:
                    y = tf.cos(x)
                x.assign_sub(0.01 * tape.gradient(y, x))
            return [x]

        return step

    def training(forward, sizes, batch):
        parameters, x, y = problems.mlp(sizes, batch)
        variables = [tf.Variable(value) for value in parameters]
        x, y = tf.constant(x), tf.constant(y)

        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(forward(x, *variables) - y))
            gradients = tape.gradient(loss, variables)
            for variable, gradient in zip(variables, gradients):
                variable.assign_sub(problems.LEARNING_RATE * gradient)
            return [loss, *variables]

        return step

    def one_hidden_layer(x, w1, b1, w2, b2):
        return tf.nn.relu(x @ w1 + b1) @ w2 + b2

    def two_hidden_layers(x, w1, b1, w2, b2, w3, b3):
        h = tf.nn.relu(x @ w1 + b1)
        h = tf.nn.relu(h @ w2 + b2)
        return h @ w3 + b3

    def small_mlp(batch=32):
        return training(one_hidden_layer, [8, 128, 1], batch)

    def large_mlp(batch=128):
        return training(two_hidden_layers, [784, 512, 512, 10], batch)

    def elementwise():
        v = tf.Variable(problems.vector(1_000_000))

        def step():
            with tf.GradientTape() as tape:
                z = tf.reduce_sum(tf.tanh(v) * tf.exp(-(v**2)) + tf.math.log1p(v**2))
            return [tape.gradient(z, v)]

        return step

    def chain(length):
        x = tf.Variable(1.0)

        def step():
            with tf.GradientTape() as tape:
                y = x
                for _ in range(length):
                    y = y * 0.99999
            return [y, tape.gradient(y, x)]

        return step

    def op_scalar_add():
        a, b = tf.constant(2.0), tf.constant(3.0)
        return lambda: (a + b,)

    def op_add():
        a, b = tf.constant(problems.matrix(32, 128)), tf.constant(problems.matrix(32, 128, seed=3))
        return lambda: (a + b,)

    def op_relu():
        a = tf.constant(problems.matrix(32, 128))
        return lambda: (tf.nn.relu(a),)

    def op_matmul():
        a, b = tf.constant(problems.matrix(32, 8)), tf.constant(problems.matrix(8, 128))
        return lambda: (a @ b,)

    chains = {f"chain_{length}": partial(chain, length) for length in (1_000, 10_000, 100_000)}
    steps = (
        scalar_gradient,
        descent,
        small_mlp,
        large_mlp,
        elementwise,
        op_scalar_add,
        op_add,
        op_relu,
        op_matmul,
    )
    return {make.__name__: make for make in steps} | chains
