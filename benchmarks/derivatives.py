"""Derivatives of functions: Jacobians beside JAX's, Hessian-vector products in gradients, sparse Hessians. Medians of interleaved rounds.

    JAX_PYTHON=... python benchmarks/derivatives.py [--rounds N] [--threads N]

Each library has a process of its own, which sleeps while another measures. Without JAX_PYTHON gradtape is measured alone.

    jacfwd, jacrev   compiled Jacobians of functions from R^100 to R^100: a network of two layers, and Broyden's tridiagonal function
    hvp              a Hessian-vector product, in gradients of the same function measured in the same rounds: eager, compiled, and eager of a compiled function
    sparse           the Hessian of Rosenbrock's function in 10,000 dimensions: the first call (tracing, pattern, colouring, compiling) and later ones
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from quiet import Quiet

HERE = Path(__file__).resolve().parent
PAUSE = 0.2  # seconds: the threads of the library that was measured before may spin for a while
N, MANY = 100, 10_000
JACOBIANS = [
    f"{way} {f} {d}" for f in ("network", "broyden") for way in ("jacfwd", "jacrev") for d in ("float32", "float64")
]
PRODUCTS = [
    f"{f}, {how}"
    for f in ("mlp 784-512-256-10, 256 rows", "rosenbrock 10000")
    for how in ("eager", "compiled", "of a function")
]
SPARSE = ["first", "later"]


def numbers(*shape, scale=1.0, dtype=np.float64):
    return (np.random.default_rng(0).normal(size=shape) * scale).astype(dtype)


def gradtape_jacobian(name):
    import gradtape as tf

    way, f, dtype = name.split()
    a, b, x = (tf.constant(v.astype(dtype)) for v in (numbers(N, N, scale=0.1), numbers(N, N, scale=-0.1), numbers(N)))
    network = lambda x: tf.tanh(tf.linalg.matvec(b, tf.tanh(tf.linalg.matvec(a, x))))
    none = tf.zeros([1], x.dtype)
    broyden = lambda x: (3 - 2 * x) * x - tf.concat([none, x[:-1]], 0) - 2 * tf.concat([x[1:], none], 0) + 1
    jacobian = tf.function(getattr(tf.autodiff, way)({"network": network, "broyden": broyden}[f]))
    return lambda: jacobian(x).numpy()


def jax_jacobian(name):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    way, f, dtype = name.split()
    a, b, x = (jnp.asarray(v.astype(dtype)) for v in (numbers(N, N, scale=0.1), numbers(N, N, scale=-0.1), numbers(N)))
    network = lambda x: jnp.tanh(b @ jnp.tanh(a @ x))
    none = jnp.zeros(1, x.dtype)
    broyden = lambda x: (3 - 2 * x) * x - jnp.concatenate([none, x[:-1]]) - 2 * jnp.concatenate([x[1:], none]) + 1
    jacobian = jax.jit(getattr(jax, way)({"network": network, "broyden": broyden}[f]))
    return lambda: np.asarray(jacobian(x).block_until_ready())


def gradtape_product(name, what):
    """A gradient, or a Hessian-vector product."""
    import gradtape as tf

    problem, how = name.split(", ")[0].split()[0], name.split(", ")[-1]
    if problem == "rosenbrock":
        f = lambda x: tf.reduce_sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
        xs = [tf.constant(numbers(MANY))]
    else:
        rows, labels = tf.constant(numbers(256, 784, dtype=np.float32)), tf.constant(np.arange(256) % 10)

        def f(w1, b1, w2, b2, w3, b3):
            h = tf.nn.relu(tf.tanh(rows @ w1 + b1) @ w2 + b2)
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=h @ w3 + b3))

        shapes = ((784, 512), (512,), (512, 256), (256,), (256, 10), (10,))
        xs = [tf.constant(numbers(*s, scale=0.05, dtype=np.float32)) for s in shapes]
    f = tf.function(f) if how == "of a function" else f
    if what == "gradient":
        step = tf.autodiff.grad(f, tuple(range(len(xs))))
    else:
        step = lambda *xs: tf.autodiff.hvp(f, xs, xs)
    step = tf.function(step) if how == "compiled" else step
    return lambda: [g.numpy() for g in tf.nest.flatten(step(*xs))]


def gradtape_sparse(name):
    import gradtape as tf

    def rosenbrock(x):
        return tf.reduce_sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = tf.constant(numbers(MANY))
    if name == "later":
        hessian = tf.autodiff.hessian(rosenbrock, sparsity="auto")
        return lambda: hessian(x).data
    return lambda: tf.autodiff.hessian(rosenbrock, sparsity="auto")(x).data


def serve(library: str) -> None:
    """Answer requests, a line of JSON each: seconds of one step, or sums of its results."""
    steps = {}
    for line in sys.stdin:
        ask = json.loads(line)
        key = ask["kind"], ask["name"], ask["part"]
        if key not in steps:
            if key[0] == "jacobian":
                steps[key] = {"gradtape": gradtape_jacobian, "jax": jax_jacobian}[library](key[1])
            else:
                steps[key] = gradtape_sparse(key[1]) if key[0] == "sparse" else gradtape_product(key[1], key[2])
            steps[key]()
        step = steps[key]
        if ask["what"] == "sums":
            out = step()
            print(json.dumps([float(np.abs(a).sum()) for a in (out if isinstance(out, list) else [out])]), flush=True)
            continue
        step()
        start = time.perf_counter()
        for _ in range(ask["times"]):
            step()
        print(json.dumps((time.perf_counter() - start) / ask["times"]), flush=True)


def start(library: str, python: str, threads: int | None) -> subprocess.Popen:
    environment = dict(os.environ)
    if library == "gradtape":
        path = [str(HERE.parent / "src"), environment.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    if threads:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GRADTAPE_NUM_THREADS"), str(threads))
        environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'false' if threads == 1 else 'true'}"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([python, __file__, "--serve", library], env=environment, **pipes)


def ask(process: subprocess.Popen, kind: str, name: str, part: str = "", **request):
    print(json.dumps({"kind": kind, "name": name, "part": part, **request}), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait for others to be quiet, in all")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    jax = os.environ.get("JAX_PYTHON")
    ours = start("gradtape", sys.executable, options.threads)
    theirs = start("jax", jax, options.threads) if jax else None
    workers = [p for p in (ours, theirs) if p]
    quiet = Quiet(options.patience, [p.pid for p in workers])

    def medians(columns: list) -> list[float]:
        """The median seconds of each column (process, kind, name, part, times), measured in turns."""
        times: list[list[float]] = [[] for _ in columns]
        for _ in range(options.rounds):
            for found, (process, kind, name, part, n) in zip(times, columns, strict=True):
                time.sleep(PAUSE)
                found.append(quiet.measure(partial(ask, process, kind, name, part, what="time", times=n)))
        return [statistics.median(t) for t in times]

    print("| Jacobian, µs | gradtape | JAX | ratio |\n|---|---|---|---|")
    for name in JACOBIANS:
        sums = [ask(p, "jacobian", name, what="sums") for p in workers]
        np.testing.assert_allclose(sums[0], sums[-1], rtol=1e-4 if "32" in name else 1e-9, err_msg=name)
        found = medians([(p, "jacobian", name, "", 50) for p in workers])
        other = f"{1e6 * found[1]:.1f} | {found[0] / found[1]:.2f}" if theirs else " | "
        print(f"| {name} | {1e6 * found[0]:.1f} | {other} |", flush=True)
    print("\n| Hessian-vector product, µs | gradient | product | ratio |\n|---|---|---|---|")
    for name in PRODUCTS:
        n = 4 if "mlp" in name else 50
        a, b = medians([(ours, "product", name, part, n) for part in ("gradient", "product")])
        print(f"| {name} | {1e6 * a:.1f} | {1e6 * b:.1f} | {b / a:.2f} |", flush=True)
    print("\n| sparse Hessian of Rosenbrock's function in 10,000 dimensions, ms | |\n|---|---|")
    for name in SPARSE:
        (a,) = medians([(ours, "sparse", name, "", 1 if name == "first" else 20)])
        print(f"| {name} call | {1e3 * a:.2f} |", flush=True)
    print(f"{quiet.disturbed} of {quiet.taken} measurements were disturbed by other processes.", file=sys.stderr)
    for p in workers:
        p.stdin.close()
        p.wait()


if __name__ == "__main__":
    main()
