"""Runs Keras's own tests on gradtape, and writes a table by folder.

    python tools/keras_tests.py KERAS_SRC [FOLDER ...]

KERAS_SRC is a checkout of Keras at the tag that pyproject.toml pins (v3.15.1); nothing of it is kept here. A folder is one of ``keras/src``,
or a path below it. Needed beside gradtape: what Keras's tests import (absl-py, tensorflow-cpu, torch, jax, pandas, scikit-learn, pytest).
The exit status is 1 where a test failed that ``docs/keras.md`` does not name.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LISTED = ROOT / "docs" / "keras.md"
FOLDERS = [
    "ops", "layers", "metrics", "losses", "optimizers", "trainers", "models", "random", "saving", "callbacks", "activations", "applications",
    "backend", "constraints", "datasets", "dtype_policies", "export", "initializers", "legacy", "quantizers", "regularizers", "tree", "utils",
    "visualization", "wrappers", "distillation", "testing",
]  # fmt: skip


class Result(NamedTuple):
    """One folder's tests: how many of each kind, and what went wrong by the test's name."""

    folder: str
    passed: int
    failed: dict[str, str]
    skipped: int
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
        if not report.exists():
            raise SystemExit(f"pytest wrote no report for {folder}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return read(folder, report, time.perf_counter() - start)


def read(folder: str, report: Path, seconds: float) -> Result:
    """The counts in a report of pytest's."""
    passed = skipped = 0
    failed: dict[str, str] = {}
    errors: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        where = case.get("classname", "").replace("keras.src.", "", 1)
        name = f"{where}::{case.get('name')}" if where else str(case.get("name"))
        kinds = {child.tag: child.get("message") or "" for child in case}
        if "error" in kinds:
            text = next(child.text or "" for child in case if child.tag == "error")
            errors[name] = ([line[1:].strip() for line in text.splitlines() if line.startswith("E ")] or [kinds["error"]])[-1]
        elif "failure" in kinds:
            failed[name] = kinds["failure"].splitlines()[0] if kinds["failure"] else ""
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return Result(folder, passed, failed, skipped, errors, seconds)


def table(results: list[Result]) -> str:
    """The counts by folder, in Markdown."""
    lines = ["| folder | passed | failed | skipped | not collected | seconds |", "|---|---:|---:|---:|---:|---:|"]
    for r in results:
        lines.append(f"| {r.folder} | {r.passed} | {len(r.failed)} | {r.skipped} | {len(r.errors)} | {r.seconds:.0f} |")
    total = [sum(r.passed for r in results), *[sum(len(x) for x in kind) for kind in ([r.failed for r in results],)]]
    rest = [sum(r.skipped for r in results), sum(len(r.errors) for r in results), f"{sum(r.seconds for r in results):.0f}"]
    lines.append("| all | " + " | ".join(str(n) for n in [*total, *rest]) + " |")
    return "\n".join(lines)


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
    listed = LISTED.read_text() if LISTED.exists() else ""
    results, unlisted = [], 0
    text = ""
    for folder in given.folders:
        found = run(given.src.resolve(), folder, given.backend, given.jobs, given.pytest)
        results.append(found)
        print(f"{folder}: {found.passed} passed, {len(found.failed)} failed, {found.skipped} skipped, {len(found.errors)} not collected "
              f"({found.seconds:.0f} s)", flush=True)  # fmt: skip
        for name, why in {**found.failed, **found.errors}.items():
            known = name.split("::")[-1] in listed or name.split("::")[0] in listed
            unlisted += not known
            text += f"{'listed ' if known else 'NEW    '}{name}: {why[:300]}\n"
        if given.out:
            given.out.write_text(f"{table(results)}\n\n{text}")
    print(f"\n{table(results)}\n\n{text}", end="")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
