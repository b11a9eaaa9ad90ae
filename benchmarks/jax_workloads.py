"""The compiled workloads as a JAX user writes them: pure functions under `jit`, parameters donated.

Every step waits for its results. See tape_workloads.py for what an entry of `workloads` is.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import problems


def numbers(result) -> list[np.ndarray]:
    return [np.asarray(array) for array in result]


def workloads() -> dict:
    def compiled_scalar_gradient():
        x1, x2 = jnp.float32(2.0), jnp.float32(3.0)
        gradient = jax.jit(jax.grad(lambda x1, x2: (x1 + 5) * x2**2, argnums=(0, 1)))
        return lambda: jax.block_until_ready(gradient(x1, x2))

    def compiled_descent():
        start = jnp.float32(-0.1)

        @jax.jit
        def descend(x):
            return jax.lax.fori_loop(0, problems.STEPS, lambda _, x: x - 0.01 * jax.grad(jnp.cos)(x), x)

        return lambda: [descend(start).block_until_ready()]

    def compiled_quadratic():
        start = jnp.float32(0.0)
        slope = jax.grad(lambda x: 3.0 * x**2 + 2.0 * x - 1.0)

        @jax.jit
        def descend(x):
            return jax.lax.fori_loop(0, problems.STEPS, lambda _, x: x - 0.001 * slope(x), x)

        return lambda: [descend(start).block_until_ready()]

    def training(forward, sizes, batch):
        values, x, y = problems.mlp(sizes, batch)
        parameters = [jnp.asarray(value) for value in values]
        x, y = jnp.asarray(x), jnp.asarray(y)

        def loss_of(parameters, x, y):
            return jnp.mean(jnp.square(forward(x, *parameters) - y))

        @partial(jax.jit, donate_argnums=0)
        def train(parameters, x, y):
            loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
            return loss, [p - problems.LEARNING_RATE * g for p, g in zip(parameters, gradients)]

        def step():
            nonlocal parameters
            loss, parameters = jax.block_until_ready(train(parameters, x, y))
            return [loss, *parameters]

        return step

    def one_hidden_layer(x, w1, b1, w2, b2):
        return jax.nn.relu(x @ w1 + b1) @ w2 + b2

    def two_hidden_layers(x, w1, b1, w2, b2, w3, b3):
        h = jax.nn.relu(x @ w1 + b1)
        h = jax.nn.relu(h @ w2 + b2)
        return h @ w3 + b3

    def compiled_small_mlp():
        return training(one_hidden_layer, [8, 128, 1], 32)

    def compiled_large_mlp():
        return training(two_hidden_layers, [784, 512, 512, 10], 128)

    def compiled_elementwise():
        v = jnp.asarray(problems.vector(1_000_000))
        gradient = jax.jit(jax.grad(lambda v: jnp.sum(jnp.tanh(v) * jnp.exp(-(v**2)) + jnp.log1p(v**2))))
        return lambda: [gradient(v).block_until_ready()]

    def compiled_hessian():
        x = jnp.asarray(problems.vector(50))

        @jax.jit
        @jax.hessian
        def hessian(x):
            return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

        return lambda: [hessian(x).block_until_ready()]

    def compiled_call():
        a, b, c = (jnp.asarray(problems.vector(4)) for _ in range(3))
        f = jax.jit(lambda a, b, c: a * b + c)
        return lambda: [f(a, b, c).block_until_ready()]

    def compiled_unrolled():
        x = jnp.float32(0.5)

        @jax.jit
        def f(x):
            for k in range(1_000):
                x = jnp.sin(x) * (1.0 + k * 1e-6) + 0.25 - x / 3.0
            return x

        return lambda: [f(x).block_until_ready()]

    def compiled_unrolled_arrays():
        x = jnp.asarray(problems.matrix(32, 32) / 8)
        w = jnp.asarray(problems.matrix(32, 32, seed=3) / 8)

        @jax.jit
        def f(x, w):
            for k in range(500):
                x = jnp.tanh(x @ w + x) * (1.0 + k * 1e-6)
            return x

        return lambda: [f(x, w).block_until_ready()]

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
    )
    return {make.__name__: make for make in steps}
