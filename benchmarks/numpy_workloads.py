"""The single operations in plain NumPy: what the array library beneath gradtape takes for the same work."""

import numpy as np
import problems


def numbers(result) -> list[np.ndarray]:
    return [np.asarray(array) for array in result]


def workloads() -> dict:
    def op_scalar_add():
        a, b = np.float32(2.0), np.float32(3.0)
        return lambda: (a + b,)

    def op_add():
        a, b = problems.matrix(32, 128), problems.matrix(32, 128, seed=3)
        return lambda: (a + b,)

    def op_relu():
        a = problems.matrix(32, 128)
        return lambda: (np.maximum(a, 0),)

    def op_matmul():
        a, b = problems.matrix(32, 8), problems.matrix(8, 128)
        return lambda: (a @ b,)

    return {make.__name__: make for make in (op_scalar_add, op_add, op_relu, op_matmul)}
