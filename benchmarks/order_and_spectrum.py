"""Sorting, the largest few and Fourier transforms of a million numbers, beside PyTorch, in turns.

    TORCH_PYTHON=... python benchmarks/order_and_spectrum.py [rounds]

Each library has a process of its own, which waits on its input while the other runs. A figure is the best of its rounds: what
disturbs a measurement only ever adds to it. `workloads(library)` is what run.py would need: name -> a maker of a step.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

N = 1_000_000
TARGETS = {  # the time at most, as a multiple of PyTorch's
    "sort": 1.5, "sort_gradient": 1.5, "top_k": 1.5, "top_k_gradient": 1.5, "fft": 1.2, "fft_gradient": 1.2,
}  # fmt: skip


def real() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(N).astype(np.float32)


def complex_signal() -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.standard_normal(1 << 20) + 1j * rng.standard_normal(1 << 20)).astype(np.complex64)


def tensorflow_like(tf) -> dict:
    """The steps for TensorFlow's interface: gradtape, or TensorFlow itself."""

    def gradient(f, value):
        x = tf.constant(value)

        def step():
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(f(x))
            return tape.gradient(y, x)

        return step

    def forward(f, value):
        x = tf.constant(value)
        return lambda: f(x)

    top = lambda x: tf.math.top_k(x, 100)[0]
    return {
        "sort": lambda: forward(tf.sort, real()),
        "sort_gradient": lambda: gradient(tf.sort, real()),
        "top_k": lambda: forward(top, real()),
        "top_k_gradient": lambda: gradient(top, real()),
        "fft": lambda: forward(tf.signal.fft, complex_signal()),
        "fft_gradient": lambda: gradient(lambda x: tf.math.real(tf.signal.fft(x)), complex_signal()),
    }


def pytorch(torch) -> dict:
    def gradient(f, value):
        x = torch.from_numpy(value).requires_grad_()
        return lambda: torch.autograd.grad(f(x).sum(), x)[0]

    def forward(f, value):
        x = torch.from_numpy(value)
        return lambda: f(x)

    sort, top = (lambda x: torch.sort(x)[0]), (lambda x: torch.topk(x, 100)[0])
    return {
        "sort": lambda: forward(sort, real()),
        "sort_gradient": lambda: gradient(sort, real()),
        "top_k": lambda: forward(top, real()),
        "top_k_gradient": lambda: gradient(top, real()),
        "fft": lambda: forward(torch.fft.fft, complex_signal()),
        "fft_gradient": lambda: gradient(lambda x: torch.fft.fft(x).real, complex_signal()),
    }


def workloads(library: str) -> dict:
    if library == "torch":
        import torch

        return pytorch(torch)
    module = __import__(library)
    return tensorflow_like(module)


def serve(library: str) -> None:
    """Answer each name on stdin by the seconds of one step and a few of its results."""
    steps = {}
    makers = workloads(library)
    for line in sys.stdin:
        name = line.strip()
        if name not in steps:
            steps[name] = makers[name]()
            steps[name]()
        start = time.perf_counter()
        result = steps[name]()
        seconds = time.perf_counter() - start
        flat = np.asarray(result.detach().numpy() if library == "torch" else result.numpy()).ravel()
        some = flat[np.linspace(0, flat.size - 1, 50).astype(int)]
        print(json.dumps([seconds, some.real.tolist(), some.imag.tolist()]), flush=True)


def main(rounds: int) -> None:
    here = Path(__file__).resolve()
    path = os.pathsep.join(filter(None, [str(here.parent.parent / "src"), os.environ.get("PYTHONPATH")]))
    pythons = {"gradtape": sys.executable, "torch": os.environ.get("TORCH_PYTHON", sys.executable)}
    workers = {
        name: subprocess.Popen(
            [python, str(here), "--serve", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | ({"PYTHONPATH": path} if name == "gradtape" else {}),
        )
        for name, python in pythons.items()
    }  # fmt: skip
    best: dict = {}
    for _ in range(rounds):
        for name in TARGETS:
            results = {}
            for library, worker in workers.items():
                print(name, file=worker.stdin, flush=True)
                seconds, *results[library] = json.loads(worker.stdout.readline())
                key = name, library
                best[key] = min(best.get(key, seconds), seconds)
            np.testing.assert_allclose(results["gradtape"], results["torch"], rtol=1e-3, atol=1e-1, err_msg=name)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    print(f"{'':16}{'gradtape':>12}{'PyTorch':>12}{'ratio':>8}{'target':>8}")
    for name, target in TARGETS.items():
        mine, theirs = best[name, "gradtape"], best[name, "torch"]
        print(f"{name:16}{1e3 * mine:9.2f} ms{1e3 * theirs:9.2f} ms{mine / theirs:8.2f}{target:8.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 20)
