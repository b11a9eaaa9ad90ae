"""One library in a process of its own. run.py starts it and asks it for one measurement at a time.

    worker.py LIBRARY                         answer the requests on stdin, a JSON object a line, on stdout
    worker.py LIBRARY --memory NAME BATCH     print what the training step NAME adds to the process's memory
    worker.py LIBRARY --first NAME            print how long the first call of the compiled step NAME takes
    worker.py LIBRARY --shapes CALLS          print the memory that calls with ever new shapes leave behind

Between two requests it blocks on stdin and takes no processor time, so that the libraries do not disturb each
other.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import sys
import time
from functools import cache
from itertools import repeat
from pathlib import Path

BLOCKS = 5  # a measurement is the median of so many blocks, which shrugs off a pause of the machine


def load(library: str):
    """Return (version, workloads, numbers) of the library."""
    module = importlib.import_module("tensorflow" if library == "tensorflow_xla" else library)
    if library in ("gradtape", "tensorflow", "tensorflow_xla"):
        import compiled_workloads
        import tape_workloads

        compiled = compiled_workloads.workloads(module, xla=library == "tensorflow_xla")
        eager = {} if library == "tensorflow_xla" else tape_workloads.workloads(module)
        return getattr(module, "__version__", "?"), eager | compiled, tape_workloads.numbers
    face = importlib.import_module(f"{library}_workloads")
    return getattr(module, "__version__", "?"), face.workloads(), face.numbers


def sample(array) -> list[float]:
    """Describe an array in at most 66 numbers: a spread of its elements, their mean and root mean square."""
    import numpy as np

    flat = np.asarray(array, np.float64).ravel()
    spread = flat[np.linspace(0, flat.size - 1, min(flat.size, 64)).astype(int)]
    return [*spread.tolist(), float(flat.mean()), float(np.sqrt(np.mean(flat**2)))]


def check(make, numbers, steps: int) -> list[list[float]]:
    """Take so many steps (training steps build on each other) and describe the results of the last."""
    step = make()
    for _ in range(steps):
        result = step()
    return [sample(array) for array in numbers(result)]


def seconds_for(step, count: int) -> float:
    start = time.perf_counter()
    for _ in repeat(None, count):
        step()
    return time.perf_counter() - start


@cache
def standing(make):
    """Return a maker that gives the same step each time, traced and compiled."""
    step = make()
    for _ in range(3):
        step()
    return lambda: step


def time_step(make, seconds: float) -> float:
    """Return the time of one step in seconds, measured for about `seconds` after a warm-up."""
    step = make()
    if (spent := seconds_for(step, 1)) > seconds:
        return spent
    count = 1
    while (spent := seconds_for(step, count)) < seconds / BLOCKS and count < 10**7:
        count = max(count + 1, min(10 * count, int(count * 1.1 * seconds / BLOCKS / spent)))
    blocks = sorted(seconds_for(step, count) / count for _ in range(BLOCKS))
    return blocks[BLOCKS // 2]


def status_field(name: str) -> int:
    """Return a field of this process's /proc status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def peak_memory(workloads: dict, name: str, batch: int) -> dict[str, int]:
    """Return what five steps add to the resident memory at their peak, and the whole peak, in bytes.

    A step of the small network on two rows beforehand leaves out what a library sets up once (threads, its BLAS).
    It is too small to fill anybody's store of reusable memory, which would hide what the steps take from it.
    Linux only: writing 5 to clear_refs sets the recorded peak back to the memory of now.
    """
    workloads["small_mlp"](2)()
    step = workloads[name](batch)
    gc.collect()
    with contextlib.suppress(AttributeError):  # in C libraries other than glibc
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status_field("VmRSS")
    for _ in range(5):
        step()
    peak = status_field("VmHWM")
    return {"step": max(peak - before, 0), "process": peak}


def first_call(make) -> float:
    """Return the seconds of a step's first call: what was imported and made beforehand is not in it."""
    step = make()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def shapes_memory(make, calls: int) -> list[int]:
    """Return the resident memory after a quarter of so many calls, and after all of them, each with another shape."""
    step = make()
    taken = []
    for index in range(calls):
        step(index)
        if index + 1 in (calls // 4, calls):
            gc.collect()
            taken.append(status_field("VmRSS"))
    return taken


def serve(library: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to stderr: stdout carries the answers alone
    version, workloads, numbers = load(library)
    print(json.dumps({"version": version, "workloads": list(workloads)}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        name = request["name"]
        make = workloads[name]
        if request["do"] == "check":
            answer = check(make, numbers, request["steps"])
        else:
            answer = time_step(standing(make) if name.startswith("compiled") else make, request["seconds"])
        gc.collect()
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    library = sys.argv[1]
    task, *arguments = sys.argv[2:] or ["--serve"]
    if task == "--serve":
        serve(library)
    else:
        _, workloads, _ = load(library)
        if task == "--memory":
            answer = peak_memory(workloads, arguments[0], int(arguments[1]))
        elif task == "--first":
            answer = first_call(workloads[arguments[0]])
        else:
            answer = shapes_memory(workloads["compiled_shapes"], int(arguments[0]))
        print(json.dumps(answer))
