"""Convolutions and pooling, forwards and backwards, beside PyTorch: medians of interleaved rounds, and their ratios.

    TORCH_PYTHON=... python benchmarks/convolutions.py [--rounds N] [--threads N]

PyTorch runs each workload in both of its layouts, as it prefers one or the other by size; the ratio is to the better one. Each library
has a process of its own, which sleeps while another measures.
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
PAUSE = 0.3  # seconds: the threads of the library that was measured before may spin for a while
# batch, height and width, channels, filters, window, stride
CONVOLUTIONS = {
    "32 of 32x32x16, 32 filters 3x3": (32, 32, 16, 32, 3, 1),
    "8 of 224x224x3, 64 filters 7x7, stride 2": (8, 224, 3, 64, 7, 2),
    "8 of 28x28x128, 128 filters 3x3": (8, 28, 128, 128, 3, 1),
    "8 of 14x14x256, 512 filters 1x1": (8, 14, 256, 512, 1, 1),
}
DEPTHWISE = {"8 of 56x56x64, depthwise 3x3": (8, 56, 64, 3)}
POOLS = {"maxima of 32 of 32x32x16, 2x2": (32, 32, 16, 2, 2), "maxima of 8 of 112x112x64, 3x3, stride 2": (8, 112, 64, 3, 2), "means of 8 of 112x112x64, 2x2": (8, 112, 64, 2, 2)}  # fmt: skip
NAMES = [*CONVOLUTIONS, *DEPTHWISE, *POOLS]


def numbers(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def gradtape_workload(name, layout):
    import gradtape as tf

    if name in POOLS:
        n, h, c, k, s = POOLS[name]
        pool = tf.nn.max_pool2d if name.startswith("maxima") else tf.nn.avg_pool2d
        inputs, forward = [tf.constant(numbers(n, h, h, c))], lambda x: pool(x, k, s, "VALID")
    elif name in DEPTHWISE:
        n, h, c, k = DEPTHWISE[name]
        inputs = [tf.constant(numbers(n, h, h, c)), tf.constant(numbers(k, k, c, 1))]
        forward = lambda x, w: tf.nn.depthwise_conv2d(x, w, 1, [(0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)])
    else:
        n, h, c, f, k, s = CONVOLUTIONS[name]
        inputs = [tf.constant(numbers(n, h, h, c)), tf.constant(numbers(k, k, c, f))]
        forward = lambda x, w: tf.nn.conv2d(x, w, s, [(0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)])

    def step():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = forward(*inputs)
            loss = tf.reduce_sum(y)
        return [g.numpy() for g in tape.gradient(loss, inputs)]

    return step


def torch_workload(name, layout):
    import torch
    from torch.nn import functional

    memory = torch.channels_last if layout == "channels last" else torch.contiguous_format

    def tensor(a, perm):
        return torch.tensor(a.transpose(perm)).contiguous(memory_format=memory).requires_grad_()

    if name in POOLS:
        n, h, c, k, s = POOLS[name]
        pool = functional.max_pool2d if name.startswith("maxima") else functional.avg_pool2d
        inputs, forward = [tensor(numbers(n, h, h, c), (0, 3, 1, 2))], lambda x: pool(x, k, s)
    elif name in DEPTHWISE:
        n, h, c, k = DEPTHWISE[name]
        inputs = [tensor(numbers(n, h, h, c), (0, 3, 1, 2)), tensor(numbers(k, k, c, 1), (2, 3, 0, 1))]
        forward = lambda x, w: functional.conv2d(x, w, padding=k // 2, groups=c)
    else:
        n, h, c, f, k, s = CONVOLUTIONS[name]
        inputs = [tensor(numbers(n, h, h, c), (0, 3, 1, 2)), tensor(numbers(k, k, c, f), (3, 2, 0, 1))]
        forward = lambda x, w: functional.conv2d(x, w, stride=s, padding=k // 2)

    def step():
        gradients = torch.autograd.grad(forward(*inputs).sum(), inputs)
        perms = [(0, 2, 3, 1), (2, 3, 0, 1) if name in DEPTHWISE else (2, 3, 1, 0)]
        return [g.numpy().transpose(p) for g, p in zip(gradients, perms, strict=False)]

    return step


def serve(library: str) -> None:
    """Answer requests, a line of JSON each: seconds of one step, or sums of its results."""
    make = {"gradtape": gradtape_workload, "torch": torch_workload}[library]
    steps = {}
    for line in sys.stdin:
        ask = json.loads(line)
        key = ask["name"], ask["layout"]
        if key not in steps:
            steps[key] = make(*key)
        step = steps[key]
        if ask["what"] == "sums":
            print(json.dumps([[float(np.abs(a).sum()), float(a.sum()), *a.shape] for a in step()]), flush=True)
            continue
        step()
        start = time.perf_counter()
        for _ in range(ask["times"]):
            step()
        print(json.dumps((time.perf_counter() - start) / ask["times"]), flush=True)


def start(library: str, python: str, threads: int | None) -> subprocess.Popen:
    environment = dict(os.environ)
    if library == "gradtape":
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(HERE.parent / "src"), environment.get("PYTHONPATH")])
        )
    if threads:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GRADTAPE_NUM_THREADS"), str(threads))
    return subprocess.Popen(
        [python, __file__, "--serve", library],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def ask(process: subprocess.Popen, **request):
    print(json.dumps(request), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--times", type=int, default=4, help="steps in a measurement")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait for others to be quiet, in all")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    torch = os.environ.get("TORCH_PYTHON")
    if not torch:
        raise SystemExit("TORCH_PYTHON must name an interpreter that has PyTorch.")
    ours, theirs = start("gradtape", sys.executable, options.threads), start("torch", torch, options.threads)
    columns = [
        ("gradtape", ours, "channels last"),
        ("torch, channels last", theirs, "channels last"),
        ("torch, channels first", theirs, "channels first"),
    ]
    quiet = Quiet(options.patience, [ours.pid, theirs.pid])
    print(
        "| forwards and backwards, ms | gradtape | PyTorch, channels last | PyTorch, channels first | ratio |\n|---|---|---|---|---|"
    )
    for name in [n for n in NAMES if options.only in n]:
        results = [np.array(ask(p, what="sums", name=name, layout=layout)) for _, p, layout in columns]
        for other in results[1:]:
            np.testing.assert_allclose(results[0], other, rtol=1e-3, atol=1e-2 * results[0].max() ** 0.5, err_msg=name)
        times = {title: [] for title, _, _ in columns}
        for _ in range(options.rounds):
            for title, p, layout in columns:
                once = partial(ask, p, what="time", name=name, layout=layout, times=options.times)
                time.sleep(PAUSE)
                times[title].append(quiet.measure(once))
        middle = [1e3 * statistics.median(v) for v in times.values()]
        print(f"| {name} | {' | '.join(f'{m:.2f}' for m in middle)} | {middle[0] / min(middle[1:]):.2f} |", flush=True)
    print(f"{quiet.disturbed} of {quiet.taken} measurements were disturbed by other processes.", file=sys.stderr)
    for p in (ours, theirs):
        p.stdin.close()
        p.wait()


if __name__ == "__main__":
    main()
