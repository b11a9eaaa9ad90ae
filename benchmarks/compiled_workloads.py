"""The compiled workloads in TensorFlow's words: one program for gradtape's and TensorFlow's `function`, with or without XLA.

See tape_workloads.py for what an entry is. The first call of a step traces and compiles.
"""

import problems


def workloads(tf, xla: bool) -> dict:
    function = tf.function(jit_compile=True) if xla else tf.function

    def compiled_scalar_gradient():
        x1, x2 = tf.constant(2.0), tf.constant(3.0)

        @function
        def gradient(x1, x2):
            with tf.GradientTape() as tape:
                tape.watch([x1, x2])
                z = (x1 + 5) * x2**2
            return tape.gradient(z, [x1, x2])

        return lambda: gradient(x1, x2)

    def compiled_descent():
        start = tf.constant(-0.1)

        @function
        def descend(x):
            for _ in tf.range(problems.STEPS):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = tf.cos(x)
                x = x - 0.01 * tape.gradient(y, x)
            return x

        return lambda: [descend(start)]

    def compiled_quadratic():
        start = tf.constant(0.0)

        @function
        def descend(x):
            for _ in tf.range(problems.STEPS):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = 3.0 * x**2 + 2.0 * x - 1.0
                x = x - 0.001 * tape.gradient(y, x)
            return x

        return lambda: [descend(start)]

    def training(forward, sizes, batch):
        parameters, x, y = problems.mlp(sizes, batch)
        variables = [tf.Variable(value) for value in parameters]
        x, y = tf.constant(x), tf.constant(y)

        @function
        def train(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(forward(x, *variables) - y))
            gradients = tape.gradient(loss, variables)
            for variable, gradient in zip(variables, gradients):
                variable.assign_sub(problems.LEARNING_RATE * gradient)
            return loss

        return lambda: [train(x, y), *variables]

    def one_hidden_layer(x, w1, b1, w2, b2):
        return tf.nn.relu(x @ w1 + b1) @ w2 + b2

    def two_hidden_layers(x, w1, b1, w2, b2, w3, b3):
        h = tf.nn.relu(x @ w1 + b1)
        h = tf.nn.relu(h @ w2 + b2)
        return h @ w3 + b3

    def compiled_small_mlp():
        return training(one_hidden_layer, [8, 128, 1], 32)

    def compiled_large_mlp():
        return training(two_hidden_layers, [784, 512, 512, 10], 128)

    def compiled_elementwise():
        v = tf.constant(problems.vector(1_000_000))

        @function
        def gradient(v):
            with tf.GradientTape() as tape:
                tape.watch(v)
                z = tf.reduce_sum(tf.tanh(v) * tf.exp(-(v**2)) + tf.math.log1p(v**2))
            return tape.gradient(z, v)

        return lambda: [gradient(v)]

    def compiled_hessian():
        x = tf.constant(problems.vector(50))

        @function
        def hessian(x):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    y = tf.reduce_sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)
                gradient = inner.gradient(y, x)
            return outer.jacobian(gradient, x)

        return lambda: [hessian(x)]

    def compiled_call():
        a, b, c = (tf.constant(problems.vector(4)) for _ in range(3))

        @function
        def f(a, b, c):
            return a * b + c

        return lambda: [f(a, b, c)]

    def compiled_unrolled():
        x = tf.constant(0.5)

        @function
        def f(x):
            for k in range(1_000):
                x = tf.sin(x) * (1.0 + k * 1e-6) + 0.25 - x / 3.0
            return x

        return lambda: [f(x)]

    def compiled_unrolled_arrays():
        x = tf.constant(problems.matrix(32, 32) / 8)
        w = tf.constant(problems.matrix(32, 32, seed=3) / 8)

        @function
        def f(x, w):
            for k in range(500):
                x = tf.tanh(x @ w + x) * (1.0 + k * 1e-6)
            return x

        return lambda: [f(x, w)]

    def compiled_shapes():
        @function
        def f(x):
            return x * 2.0

        return lambda index: f(tf.zeros([index + 1]))

    steps = (
        compiled_scalar_gradient,
        compiled_descent,
        compiled_quadratic,
        compiled_small_mlp,
        compiled_large_mlp,
        compiled_elementwise,
        compiled_hessian,
        compiled_call,
        compiled_unrolled,
        compiled_unrolled_arrays,
        compiled_shapes,
    )
    return {make.__name__: make for make in steps}
