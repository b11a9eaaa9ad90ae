"""Runs Keras's own tests on gradtape, and writes a table by folder.

    python tools/keras_tests.py KERAS_SRC [FOLDER ...]

KERAS_SRC is a checkout of Keras at tag v3.15.1; nothing of it is kept here. A folder is one of ``keras/src``, or a path below it. The interpreter
must have gradtape's dependencies and what Keras's tests import; ``docs/keras-tests.md`` says what that is. It also lists the tests that are known to
fail, with reasons: the exit status is 1 where one fails, or cannot be collected, that is not listed there.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LISTED = ROOT / "docs" / "keras-tests.md"
HEADING = "## Known failures"
NEEDED = [
    "pytest", "h5py", "optree", "rich", "absl", "tensorflow", "torch", "jax", "pandas", "sklearn", "PIL", "requests", "grain", "orbax",
    "tensorboard", "onnxruntime", "llvmlite",
]  # fmt: skip
FOLDERS = [
    "ops", "layers", "metrics", "losses", "optimizers", "trainers", "models", "random", "saving", "callbacks", "activations",
    "backend", "constraints", "datasets", "dtype_policies", "export", "initializers", "legacy", "quantizers", "regularizers", "tree", "utils",
    "visualization", "wrappers", "distillation", "testing", "applications",
]  # fmt: skip


def listed_failures(text: str) -> dict[str, str]:
    """The tests that the documentation lists as known to fail, and why.

    They are the first two columns of the tables under ``HEADING``. In a name, ``*`` stands for anything: for the parameters of a test, or for all
    tests of a file.

    Raises:
        ValueError: there is no such heading, or a row has no name, no reason, or a name that another row has.
    """
    _, found, rest = f"\n{text}".partition(f"\n{HEADING}\n")
    if not found:
        raise ValueError(f"{LISTED.name} has no heading {HEADING!r}")
    rows: list[list[str]] = []
    for line in re.split(r"\n##? ", rest)[0].splitlines():
        if line.startswith(("|-", "|:")):
            del rows[-1:]  # the rule of a table; above it stands the head
        elif line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    listed: dict[str, str] = {}
    for cells in rows:
        name = re.fullmatch(r"`([^`]+)`", cells[0]) if cells else None
        if name is None or len(cells) < 2 or not cells[1]:
            raise ValueError(f"{LISTED.name}: a known failure is a test's name in backquotes and a reason, not {cells}")
        if name[1] in listed:
            raise ValueError(f"{LISTED.name}: {name[1]} is listed twice")
        listed[name[1]] = cells[1]
    return listed


def entry(name: str, listed: dict[str, str]) -> str | None:
    """The name in the list that stands for a test's; None if there is none."""
    if name in listed:
        return name
    return next((p for p in listed if "*" in p and re.fullmatch(re.escape(p).replace(r"\*", ".*"), name)), None)


class Result(NamedTuple):
    """One folder's tests: how many passed, what went wrong by the test's name, and how many were skipped by the reason."""

    folder: str
    passed: int
    failed: dict[str, str]
    skipped: Counter[str]
    errors: dict[str, str]
    seconds: float


def run(src: Path, folder: str, backend: str, jobs: str, options: list[str]) -> Result:
    """Run the tests of one folder of ``keras/src`` in a process of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        paths = [str(ROOT / "tools"), str(ROOT / "src"), str(src), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short", f"--junitxml={report}"]
        command += ["-p", "keras_tests_plugin"] if backend == "gradtape" else []
        command += ["-n", jobs] if jobs != "0" else []
        start = time.perf_counter()
        target = f"keras/src/{folder}"
        done = subprocess.run(
            [*command, "--continue-on-collection-errors", *options, target], cwd=src, env=environment, capture_output=True, text=True
        )  # fmt: skip
        seconds = time.perf_counter() - start
        if not report.exists():  # a crash, or options that pytest does not know
            end = f"{done.stdout[-2000:]}{done.stderr[-2000:]}".strip()
            return Result(folder, 0, {}, Counter(), {folder: f"pytest wrote no report: {end}"}, seconds)
        found = read(folder, report, seconds)
        if any([re.match(r"gw\d+", name) for name in found.errors]):
            # names that differ by process, so that the tests cannot be divided
            return run(src, folder, backend, "0", options)
        return found


def read(folder: str, report: Path, seconds: float) -> Result:
    """The counts in a report of pytest's."""
    passed = 0
    skipped: Counter[str] = Counter()
    failed: dict[str, str] = {}
    errors: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        parts = [part for part in (case.get("classname"), case.get("name")) if part]
        name = "::".join(parts).removeprefix("keras.src.")
        kinds = {child.tag: child.get("message") or "" for child in case}
        if "error" in kinds:
            text = next(child.text or "" for child in case if child.tag == "error")
            said = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
            errors[name] = said[-1] if said else kinds["error"]
        elif "failure" in kinds:
            failed[name] = kinds["failure"].splitlines()[0] if kinds["failure"] else ""
        elif "skipped" in kinds:
            skipped[kinds["skipped"].splitlines()[0] if kinds["skipped"] else ""] += 1
        else:
            passed += 1
    return Result(folder, passed, failed, skipped, errors, seconds)


def table(results: list[Result]) -> str:
    """The counts by folder, in Markdown."""
    lines = ["| folder | passed | failed | skipped | not collected | seconds |", "|---|---:|---:|---:|---:|---:|"]
    counts = [(r.passed, len(r.failed), r.skipped.total(), len(r.errors), round(r.seconds)) for r in results]
    names = [r.folder for r in results]
    for name, row in zip([*names, "all"], [*counts, map(sum, zip(*counts))]):
        lines.append(f"| {name} | {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def page(results: list[Result], failures: str) -> str:
    """The table, what failed, and why tests were skipped."""
    reasons = sum([r.skipped for r in results], Counter())
    return f"{table(results)}\n\n{failures}\n" + "".join([f"{n} skipped: {why}\n" for why, n in reasons.most_common()])


def main() -> int:
    """Run, print the table and what failed; 1 where a failure is not listed in the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("src", type=Path, help="a checkout of Keras")
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="of keras/src; by default all")
    parser.add_argument("--backend", default="gradtape", help="another one, for comparison")
    parser.add_argument("--jobs", default="0", help="processes (pytest-xdist)")
    parser.add_argument("--out", type=Path, help="write the table and the failures into this file")
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=[], help="options for pytest, last")
    given = parser.parse_args()
    if not (given.src / "keras" / "src").is_dir():
        parser.error(f"{given.src} is not a checkout of Keras: it has no keras/src")
    missing = [m for m in NEEDED if importlib.util.find_spec(m) is None]
    if missing:
        parser.error(f"{sys.executable} lacks {', '.join(missing)}, which Keras's tests import; see {LISTED.name}")
    listed = listed_failures(LISTED.read_text(encoding="utf-8"))
    results: list[Result] = []
    seen: set[str] = set()
    text, unlisted = "", 0
    for folder in given.folders:
        found = run(given.src.resolve(), folder, given.backend, given.jobs, given.pytest)
        results.append(found)
        print(f"{folder}: {found.passed} passed, {len(found.failed)} failed, {found.skipped.total()} skipped, {len(found.errors)} not collected "
              f"({found.seconds:.0f} s)", flush=True)  # fmt: skip
        for name, why in {**found.failed, **found.errors}.items():
            known = entry(name, listed)
            seen |= {known} if known else set()
            unlisted += known is None
            text += f"{'listed' if known else 'NEW   '} {name}: {why[:300]}\n"
        if given.out:
            given.out.write_text(page(results, text), encoding="utf-8")
    if given.folders == FOLDERS and given.backend == "gradtape":
        text += "".join([f"listed, but nothing of that name failed: {name}\n" for name in listed if name not in seen])
        if given.out:
            given.out.write_text(page(results, text), encoding="utf-8")
    print(f"\n{page(results, text)}", end="")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
