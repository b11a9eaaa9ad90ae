"""Gradients of matrix decompositions: a forward and a backward pass of 200 x 200 matrices, gradtape beside PyTorch.

    TORCH_PYTHON=... python benchmarks/linalg_workloads.py [--rounds N]

Each library runs in a process of its own and answers one measurement at a time (its best of several steps), in turn:
what disturbs the machine meets both. `workloads(module)` and `torch_workloads()` give name -> maker of a step, as the
other workload modules do; the losses do not depend on the signs of singular and eigenvectors, so that results compare.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

N = 200
NAMES = ("cholesky", "solve", "solve_vector", "svd", "svd_values", "eigh", "qr", "inv", "det")


def matrices(dtype: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(N, N))
    q, _ = np.linalg.qr(a)
    made = {
        "general": a / np.sqrt(N) + np.eye(N),
        "apart": (q * np.linspace(1, 3, N)) @ np.linalg.qr(rng.normal(size=(N, N)))[0],  # singular values well apart
        "positive": (q * np.linspace(1, 3, N)) @ q.T,
        "weights": rng.normal(size=(N, N)),
        "vector": rng.normal(size=(N, 1)),
        "scale": np.linspace(1, 2, N),
    }
    return {name: value.astype(dtype) for name, value in made.items()}


# name -> (the input, the loss of (x, weights, vector, scale) in terms of a linalg namespace and a few functions)
def losses(lib, total, turned) -> dict:
    def svd(x, w, v, c):
        s, p, q = lib["svd"](x)
        return total((p * c) @ turned(q) * w) + total(s * c)

    def eigh(x, w, v, c):
        e, p = lib["eigh"](x)
        return total((p * c) @ turned(p) * w) + total(e * c)

    def qr(x, w, v, c):
        q, r = lib["qr"](x)
        return total((q * c) @ turned(q) * w) + total(r * r)

    return {
        "cholesky": ("positive", lambda x, w, v, c: total(lib["cholesky"](x) * w)),
        "solve": ("general", lambda x, w, v, c: total(lib["solve"](x, w) * w)),
        "solve_vector": ("general", lambda x, w, v, c: total(lib["solve"](x, v) * v)),
        "svd": ("apart", svd),
        "svd_values": ("apart", lambda x, w, v, c: total(lib["svdvals"](x) * c)),
        "eigh": ("positive", eigh),
        "qr": ("general", qr),
        "inv": ("general", lambda x, w, v, c: total(lib["inv"](x) * w)),
        "det": ("general", lambda x, w, v, c: lib["slogdet"](x)[1]),
    }


def workloads(tf) -> dict:
    """For gradtape or TensorFlow: name -> maker of a step that gives the gradient."""
    la = tf.linalg
    lib = {
        "svd": la.svd, "eigh": la.eigh, "qr": la.qr, "cholesky": la.cholesky, "solve": la.solve, "inv": la.inv,
        "slogdet": la.slogdet, "svdvals": lambda x: la.svd(x, compute_uv=False),
    }  # fmt: skip

    def maker(which: str, loss, dtype: str):
        def make():
            given = {name: tf.constant(value) for name, value in matrices(dtype).items()}
            x, fixed = given[which], (given["weights"], given["vector"], given["scale"])

            def step():
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = loss(x, *fixed)
                return tape.gradient(y, x)

            return step

        return make

    found = losses(lib, tf.reduce_sum, la.matrix_transpose)
    return {f"{n}_{d}": maker(*found[n], d) for n in NAMES for d in ("float64", "float32")}


def torch_workloads() -> dict:
    """For PyTorch: name -> maker of a step that gives the gradient."""
    import torch

    la = torch.linalg

    def svd(x):
        u, s, vh = la.svd(x, full_matrices=False)
        return s, u, vh.mT

    lib = {
        "svd": svd, "eigh": la.eigh, "qr": la.qr, "cholesky": la.cholesky, "solve": la.solve, "inv": la.inv,
        "slogdet": la.slogdet, "svdvals": la.svdvals,
    }  # fmt: skip

    def maker(which: str, loss, dtype: str):
        def make():
            given = {name: torch.tensor(value) for name, value in matrices(dtype).items()}
            x, fixed = given[which].requires_grad_(), (given["weights"], given["vector"], given["scale"])
            return lambda: torch.autograd.grad(loss(x, *fixed), x)[0]

        return make

    found = losses(lib, torch.sum, lambda x: x.mT)
    return {f"{n}_{d}": maker(*found[n], d) for n in NAMES for d in ("float64", "float32")}


def serve(library: str) -> None:
    """Answer names on stdin: [the best time of a step, the norm of the gradient and some of its elements]."""
    if library == "torch":
        makers = torch_workloads()
    else:
        import importlib

        makers = workloads(importlib.import_module(library))
    steps = {}
    for line in sys.stdin:
        name = line.strip()
        step = steps.get(name) or steps.setdefault(name, makers[name]())
        result = np.asarray(step())
        if name.startswith("eigh"):  # gradtape's is that of the lower triangle, as TensorFlow's, PyTorch's that of both
            result = result + result.T
        best, deadline = float("inf"), time.perf_counter() + 0.3
        while time.perf_counter() < deadline:
            start = time.perf_counter()
            step()
            best = min(best, time.perf_counter() - start)
        print(json.dumps([best, float(np.linalg.norm(result)), *result[:3, :3].ravel().tolist()]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve")
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve)
    pythons = {"gradtape": sys.executable, "torch": os.environ["TORCH_PYTHON"]}
    workers = {
        library: subprocess.Popen([python, __file__, "--serve", library], stdin=-1, stdout=-1, text=True)
        for library, python in pythons.items()
    }
    print(f"{'workload':24}{'gradtape':>10}{'torch':>10}{'ratio':>8}")
    for name in (f"{n}_{d}" for n in NAMES for d in ("float64", "float32")):
        times = {library: [] for library in workers}
        for _ in range(args.rounds):
            seen = []
            for library, worker in workers.items():
                worker.stdin.write(name + "\n")
                worker.stdin.flush()
                best, *numbers = json.loads(worker.stdout.readline())
                times[library].append(best)
                seen.append(numbers)
            if not np.allclose(*seen, rtol=1e-2 if "32" in name else 1e-8, atol=1e-3 if "32" in name else 1e-8):
                sys.exit(f"{name}: the libraries do not compute the same: {seen}")
        ours, theirs = (statistics.median(times[library]) for library in ("gradtape", "torch"))
        print(f"{name:24}{ours * 1e3:8.3f}ms{theirs * 1e3:8.3f}ms{ours / theirs:8.2f}", flush=True)
    for worker in workers.values():
        worker.stdin.close()
    return None


if __name__ == "__main__":
    main()
