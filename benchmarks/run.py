"""Time gradtape beside PyTorch, TensorFlow, JAX and NumPy, and print the ratios (see README.md).

TORCH_PYTHON=... TF_PYTHON=... JAX_PYTHON=... python benchmarks/run.py [--quick] [--only NAME] [--markdown] [--json FILE]
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import report
from libraries import Library, open_libraries
from quiet import Quiet

SLOW = ("chain_100000", "memory", "import tensorflow")  # what takes seconds has three rounds
SLOWEST = ("compiled_first_unrolled", "compiled_first_arrays", "compiled_shapes")  # and what takes many has one


def same_results(name: str, libraries: list[Library]) -> None:
    """Exit unless all libraries compute the same in workload `name`: else its times mean nothing."""
    first, *others = libraries
    request = {"do": "check", "name": name, "steps": 3 if "mlp" in name else 1}
    expected = first.ask(**request)
    for other in others:
        found = other.ask(**request)
        same = len(found) == len(expected) and all(
            len(a) == len(b) and all(abs(p - q) <= 1e-4 * max(map(abs, b)) for p, q in zip(a, b))
            for a, b in zip(found, expected)
        )
        if not same:
            sys.exit(f"{name}: {other.name} computes {found}, {first.name} {expected}"[:2000])


def interleaved(name: str, rounds: int, measurements: dict[str, Callable]) -> dict[str, list]:
    """Return `rounds` values of each measurement in turn (A B C, A B C, ...): drift meets all alike."""
    values = {library: [] for library in measurements}
    for index in range(rounds):
        for library, measure in measurements.items():
            most = 1 if name.startswith(SLOWEST) else 3 if f"{name} {library}".startswith(SLOW) else rounds
            if index < most:
                values[library].append(measure())
    print(".", end="", file=sys.stderr, flush=True)
    return values


def measure_all(libraries: list[Library], quiet: Quiet, rounds: int, seconds: float, wanted: Callable) -> dict:
    """Return every value measured: name -> library -> one value a round, in seconds or bytes."""
    measured = {}
    for name in filter(wanted, report.TIMED):
        able = [library for library in libraries if name in library.workloads]
        if not able:
            continue
        same_results(name, able)
        asks = {lib.name: partial(lib.ask, do="time", name=name, seconds=seconds) for lib in able}
        measured[name] = interleaved(name, rounds, {k: partial(quiet.measure, ask) for k, ask in asks.items()})

    if wanted("import"):
        imports = {
            lib.name: partial(quiet.measure, lib.import_seconds) for lib in libraries if lib.name in report.EAGER
        }
        measured["import"] = interleaved("import", rounds, imports)

    for name in filter(wanted, report.FIRST_CALLS):
        workload, cached = report.FIRST_CALLS[name]
        able = [library for library in libraries if workload in library.workloads]
        calls = {lib.name: partial(lib.first_call, workload, lib.name in cached) for lib in able}
        measured[name] = interleaved(name, rounds, {k: partial(quiet.measure, call) for k, call in calls.items()})

    if not Path("/proc/self/clear_refs").exists():
        print("memory: skipped (it is read from Linux's /proc)", file=sys.stderr)
        return measured
    for name in filter(wanted, report.MEMORY):
        peers = [lib for lib in libraries if lib.name in ("gradtape", "torch")]
        peaks = {lib.name: partial(lib.memory, *report.MEMORY[name]) for lib in peers}
        values = interleaved(name, rounds, peaks)
        for part in ("step", "process"):
            row = name.replace("memory", part)
            measured[row] = {library: [peak[part] for peak in peaks] for library, peaks in values.items()}
    if wanted("compiled_shapes"):
        own = {lib.name: partial(lib.shapes_memory, report.SHAPES) for lib in libraries if lib.name == "gradtape"}
        measured["compiled_shapes"] = interleaved("compiled_shapes", 1, own)
    return measured


def needed(prefixes: tuple[str, ...]) -> list[str]:
    """Return the libraries that have a part in what is measured."""
    compiled = any("compiled".startswith(p[:8]) for p in prefixes)
    eager = not all(p.startswith("compiled") for p in prefixes)
    return [
        name for name in report.TITLES if (name in report.COMPILED and compiled) or (name in report.EAGER and eager)
    ]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three short rounds: a first look, not a result")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of measurements (default: %(default)s)")
    parser.add_argument("--only", action="append", help="measure what has a name that begins so; may be repeated")
    parser.add_argument(
        "--compiled", action="append_const", dest="only", const="compiled", help="the same as --only compiled"
    )
    parser.add_argument("--threads", type=int, help="threads for every library (default: what each takes)")
    parser.add_argument("--patience", type=float, default=120, help="seconds to lose to disturbances, in all")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--json", metavar="FILE", help="write every measured value into FILE")
    env = os.environ.get
    parser.add_argument("--gradtape-python", metavar="PYTHON", default=env("GRADTAPE_PYTHON") or sys.executable)
    parser.add_argument("--torch-python", metavar="PYTHON", default=env("TORCH_PYTHON"))
    parser.add_argument("--tf-python", metavar="PYTHON", default=env("TF_PYTHON"))
    parser.add_argument("--jax-python", metavar="PYTHON", default=env("JAX_PYTHON"))
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    prefixes = tuple(options.only or [""])
    pythons = {
        "gradtape": options.gradtape_python,
        "torch": options.torch_python,
        "tensorflow": options.tf_python,
        "numpy": options.gradtape_python,
        "jax": options.jax_python,
        "tensorflow_xla": options.tf_python,
    }
    libraries = open_libraries(needed(prefixes), pythons, options.threads)
    quiet = Quiet(options.patience, [library.process.pid for library in libraries])
    rounds, seconds = (3, 0.05) if options.quick else (options.rounds, 0.2)
    try:
        measured = measure_all(libraries, quiet, rounds, seconds, lambda name: name.startswith(prefixes))
    finally:
        print(file=sys.stderr)
        for library in libraries:
            library.stop()

    facts = [
        ", ".join(f"{report.TITLES[library.name]} {library.version}" for library in libraries),
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"{options.threads or 'the default number of'} threads",
        f"medians of {rounds} rounds, {quiet.disturbed} of {quiet.taken} timings disturbed by others",
    ]
    if quiet.disturbed > 0.1 * quiet.taken:
        facts.append("The machine was busy: threads waited for each other, and these ratios say little.")
    print("\n".join(facts), report.tables(measured, markdown=options.markdown), sep="\n\n")
    if options.json:
        Path(options.json).write_text(json.dumps({"facts": facts, "measured": measured}, indent=1) + "\n")


if __name__ == "__main__":
    main()
