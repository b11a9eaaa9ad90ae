"""The workloads as a PyTorch user writes them who wants them fast.

Chosen by measurement, where PyTorch offers several ways: `torch.autograd.grad` over `backward()` (equal or
faster here), `addmm` for a layer (one operation instead of two), the fused `mse_loss`, updates in place under
`no_grad`.
See tape_workloads.py for what an entry of `workloads` is.
"""

from functools import partial

import numpy as np
import problems
import torch
from torch.nn.functional import mse_loss


def numbers(result) -> list[np.ndarray]:
    return [tensor.detach().numpy() for tensor in result]


def parameter(value) -> torch.Tensor:
    return torch.tensor(value, requires_grad=True)


def workloads() -> dict:
    def scalar_gradient():
        x1, x2 = parameter(2.0), parameter(3.0)

        def step():
            z = (x1 + 5) * x2**2
            return torch.autograd.grad(z, [x1, x2])

        return step

    def descent():
        def step():
            x = parameter(-0.1)
            for _ in range(100):
                (gradient,) = torch.autograd.grad(torch.cos(x), x)
                with torch.no_grad():
                    x.sub_(gradient, alpha=0.01)
            return [x]

        return step

    def training(forward, sizes, batch):
        values, x, y = problems.mlp(sizes, batch)
        parameters = [parameter(value) for value in values]
        x, y = torch.tensor(x), torch.tensor(y)

        def step():
            loss = mse_loss(forward(x, *parameters), y)
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, gradient in zip(parameters, gradients):
                    p.sub_(gradient, alpha=problems.LEARNING_RATE)
            return [loss, *parameters]

        return step

    def one_hidden_layer(x, w1, b1, w2, b2):
        return torch.addmm(b2, torch.relu(torch.addmm(b1, x, w1)), w2)

    def two_hidden_layers(x, w1, b1, w2, b2, w3, b3):
        h = torch.relu(torch.addmm(b1, x, w1))
        h = torch.relu(torch.addmm(b2, h, w2))
        return torch.addmm(b3, h, w3)

    def small_mlp(batch=32):
        return training(one_hidden_layer, [8, 128, 1], batch)

    def large_mlp(batch=128):
        return training(two_hidden_layers, [784, 512, 512, 10], batch)

    def elementwise():
        v = parameter(problems.vector(1_000_000))

        def step():
            z = (torch.tanh(v) * torch.exp(-(v**2)) + torch.log1p(v**2)).sum()
            return torch.autograd.grad(z, v)

        return step

    def chain(length):
        x = parameter(1.0)

        def step():
            y = x
            for _ in range(length):
                y = y * 0.99999
            return [y, *torch.autograd.grad(y, x)]

        return step

    def op_scalar_add():
        a, b = torch.tensor(2.0), torch.tensor(3.0)
        return lambda: (a + b,)

    def op_add():
        a, b = torch.tensor(problems.matrix(32, 128)), torch.tensor(problems.matrix(32, 128, seed=3))
        return lambda: (a + b,)

    def op_relu():
        a = torch.tensor(problems.matrix(32, 128))
        return lambda: (torch.relu(a),)

    def op_matmul():
        a, b = torch.tensor(problems.matrix(32, 8)), torch.tensor(problems.matrix(8, 128))
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
