"""The libraries that are compared, each in an interpreter and a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from report import TITLES

HERE = Path(__file__).resolve().parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
VARIABLES = {
    "torch": "TORCH_PYTHON",
    "tensorflow": "TF_PYTHON",
    "jax": "JAX_PYTHON",
    "tensorflow_xla": "TF_PYTHON",
}
CACHES = {  # how each library is told where to keep compiled code
    "gradtape": {"GRADTAPE_CACHE_DIR": "{}"},
    "jax": {
        "JAX_COMPILATION_CACHE_DIR": "{}",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    },
}


@dataclass
class Library:
    """A library's interpreter and, once started, the worker process that runs its workloads."""

    name: str
    python: str
    environment: dict[str, str]
    version: str = ""
    imported: bool = False
    cache: tempfile.TemporaryDirectory = field(default_factory=tempfile.TemporaryDirectory)
    called: set[tuple[str, bool]] = field(default_factory=set)
    workloads: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long-lived as the worker)
        self.process = subprocess.Popen(
            [self.python, HERE / "worker.py", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=self.environment,
        )
        hello = self.answer()
        self.version, self.workloads = hello["version"], hello["workloads"]

    def ask(self, **request):
        """Send the worker a request and return its answer (see worker.py)."""
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{TITLES[self.name]}'s worker ended:\n{self.errors.read()[-2000:]}")
        return json.loads(line)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def fresh(self, *arguments: str, **environment: str) -> str:
        """Run a new process of this library's interpreter and return what it prints."""
        command = [self.python, *arguments]
        ended = subprocess.run(command, env=self.environment | environment, cwd=HERE, capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"{TITLES[self.name]}: {' '.join(arguments)}\n{ended.stderr[-2000:]}")
        return ended.stdout

    def import_seconds(self) -> float:
        # the first import of a checkout compiles its files; what users wait for is every import after it
        if not self.imported:
            self.fresh("-c", f"import {self.name}")
            self.imported = True
        clock = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
        return float(self.fresh("-c", clock.format(self.name)))

    def memory(self, workload: str, batch: int) -> dict[str, int]:
        return json.loads(self.fresh("worker.py", self.name, "--memory", workload, str(batch)))

    def first_call(self, workload: str, cached: bool) -> float:
        """Return the seconds of a compiled step's first call in a new process.

        `cached` finds compiled code on disk, from a run before; else nothing is there.
        """
        before = (workload if cached else "compiled_small_mlp", cached)
        if before not in self.called:
            self.called.add(before)
            self.first_call(*before)  # fills the cache, and compiles the library's Python files
        with tempfile.TemporaryDirectory() as empty:
            where = self.cache.name if cached else empty
            settings = {name: value.format(where) for name, value in CACHES.get(self.name, {}).items()}
            return json.loads(self.fresh("worker.py", self.name, "--first", workload, **settings))

    def shapes_memory(self, calls: int) -> float:
        """Return the bytes that the later three quarters of calls with ever new shapes leave behind."""
        first, last = json.loads(self.fresh("worker.py", self.name, "--shapes", str(calls)))
        return max(last - first, 0)


def open_libraries(names: list[str], pythons: dict[str, str | None], threads: int | None) -> list[Library]:
    """Start the worker of each library of `names` that can be had, and say of each other one why it is left out.

    gradtape is the one of this checkout, and NumPy the one that it runs on.
    """
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling the sources is no part of a second import
    if threads:
        environment |= dict.fromkeys(THREADS, str(threads))
    path = os.pathsep.join(filter(None, [str(HERE.parent / "src"), os.environ.get("PYTHONPATH")]))
    libraries = []
    for name in names:
        title, python = TITLES[name], pythons[name]
        if not python:
            print(f"{title}: skipped ({VARIABLES[name]} names no interpreter that has it)", file=sys.stderr)
            continue
        own = {"PYTHONPATH": path} if name == "gradtape" else {}
        library = Library(name, python, environment | own)
        try:
            library.start()
        except (OSError, RuntimeError) as error:
            print(f"{title}: skipped ({str(error).strip().splitlines()[-1]})", file=sys.stderr)
            continue
        print(f"{title} {library.version}", file=sys.stderr)
        libraries.append(library)
    return libraries
