"""The disk cache: found again, by other processes too; damage, permissions, bounds and races harm nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradtape.engines.native import cache, elf, stored
from gradtape.engines.native import compile as native
from gradtape.engines.native.engine import Program
from gradtape.ground import dtypes as dt

from .graphs import graph_of


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: Any) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("GRADTAPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADTAPE_CACHE", raising=False)
    return tmp_path / "cache"


def make(c: float = 2.0, wide: Any = None) -> Any:
    """A compiled graph; another number makes another entry, another array does not."""
    return native(graph_of(lambda b, x: b("add", b("multiply", x, c), wide if wide is not None else 1.0), ((4, 5),)))


X = np.ones((4, 5), np.float32)


def test_found_again(directory: Path) -> None:
    first, second, other = make(), make(), make(3.0)
    assert [p.__self__.cached for p in (first, second, other)] == [False, True, False]
    assert len(list(directory.iterdir())) == 4  # two programs, each with its code
    assert second(X)[0].sum() == 60 and other(X)[0].sum() == 80


def test_the_code_does_not_hold_addresses_or_large_constants(directory: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(3):
        wide = rng.standard_normal((4, 5)).astype("f")
        run = make(wide=wide)
        assert run.__self__.cached == (i > 0)
        np.testing.assert_array_equal(run(X)[0], 2 + wide)


def test_the_code_is_the_same_each_time() -> None:
    """What is written depends on the graph alone: on no object's address, for then nothing would be found again."""

    def f(b: Any, x: Any, y: Any) -> list:
        outs = []
        for k in range(6):
            t = b("transpose", b("matmul", x, y, transpose_x=bool(k % 2), transpose_y=False), perm=(1, 0))
            outs += [b("softmax", t, axis=k % 2), b("sum", t, axis=(0,), keepdims=False)]
            x = b("add", t, outs[-1])
        return outs

    texts = {native(graph_of(f, ((20, 20),), ((20, 20),))).__self__.ir for _ in range(5)}
    assert len(texts) == 1


def test_another_process_finds_it(directory: Path) -> None:
    make()
    code = "from tests.engines.native.test_cache import *; r = make(); print(r.__self__.cached, r(X)[0].sum(), 'llvmlite.binding' in sys.modules)"
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
    assert r.stdout.split() == ["True", "60.0", str(not elf.SUPPORTED)], (
        r.stderr
    )  # without LLVM, where there is a loader of our own


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:20], lambda b: b"", lambda b: b[:-1], lambda b: b[:200] + b"\xff" + b[201:], lambda b: b"x" * len(b)],
)
def test_damaged_entries_are_replaced(directory: Path, damage: Any) -> None:
    make()
    for entry in directory.iterdir():
        entry.write_bytes(damage(entry.read_bytes()))
    run = make()
    assert not run.__self__.cached and run(X)[0].sum() == 60
    assert make().__self__.cached


def test_half_an_entry_is_none(directory: Path, monkeypatch: Any) -> None:
    """Of a program's two entries either may be gone or damaged; the other one does no harm."""
    lowered = []
    written = Program._written
    monkeypatch.setattr(Program, "_written", lambda self: (lowered.append(1), written(self))[1])
    make()
    assert make().__self__.cached and len(lowered) == 1
    for spoil in (Path.unlink, lambda path: path.write_bytes(b"x")):
        for entry in sorted(directory.iterdir()):
            spoil(entry)
            lowered.clear()
            assert make()(X)[0].sum() == 60 and len(lowered) == 1
            assert make().__self__.cached and len(lowered) == 1


def test_a_graph_is_found_without_lowering_it(directory: Path) -> None:
    code = """if 1:
        from tests.engines.native.test_cache import *
        run = make()
        print(run.__self__.cached, run(X)[0].sum(), "gradtape.engines.native.lower" in sys.modules)
        """
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    for found in (False, True):
        r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
        assert r.stdout.split() == [str(found), "60.0", str(not found)], r.stderr


def test_names_tell_graphs_apart(directory: Path, monkeypatch: Any) -> None:
    def named(f: Any, *avals: Any, donate: dict[int, int] | None = None, fast_math: bool = False) -> str | None:
        return stored.name_of(graph_of(f, *(avals or (((4, 5),),))), donate or {}, fast_math, "m")

    def scaled(b: Any, x: Any) -> Any:
        return b("multiply", x, 2.0)

    names = [
        named(scaled),
        named(lambda b, x: b("multiply", x, 3.0)),
        named(lambda b, x: b("multiply", x, -0.0)),
        named(lambda b, x: b("multiply", x, 0.0)),
        named(lambda b, x: b("divide", x, 2.0)),
        named(lambda b, x: b("multiply", b("multiply", x, 2.0), 2.0)),
        named(lambda b, x: [b("multiply", x, 2.0), x]),
        named(lambda b, x: b("multiply", x, np.full((4, 5), 2.0, np.float32))),
        named(scaled, ((5, 4),)),
        named(scaled, ((4, 5), dt.float64)),
        named(scaled, donate={0: 0}),
        named(scaled, fast_math=True),
        named(lambda b, x: b("sum", x, axis=(0,), keepdims=False)),
        named(lambda b, x: b("sum", x, axis=(1,), keepdims=False)),
        named(lambda b, x: b("sum", x, axis=(1,), keepdims=True)),
        named(lambda b, x, y: b("subtract", x, y), ((2,),), ((2,),)),
        named(lambda b, x, y: b("subtract", y, x), ((2,),), ((2,),)),
    ]
    assert None not in names and len(set(names)) == len(names)
    assert named(scaled) == names[0]
    monkeypatch.setattr(stored, "sources", lambda: "others")
    assert named(scaled) not in names


def test_graphs_without_a_name(directory: Path) -> None:
    """What holds much data, or what may be equal to nothing else, is not kept under a name of its own."""
    big = np.arange(stored.LARGEST, dtype=np.float32)
    graph = graph_of(lambda b, x: b("add", x, big), ((stored.LARGEST,),))
    assert stored.name_of(graph, {}, False, "m") is None
    assert native(graph)(big)[0][-1] == 2 * big[-1]
    odd = graph_of(lambda b, x: b("multiply", x, 2.0), ((3,),))
    odd.nodes[0].attrs["of"] = object()
    assert stored.name_of(odd, {}, False, "m") is None


def test_a_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: Any) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for d in (blocked, blocked / "below", Path("/proc/none" if os.path.exists("/proc") else "/dev/null/x")):
        monkeypatch.setenv("GRADTAPE_CACHE_DIR", str(d))
        run = make()
        assert not run.__self__.cached and run(X)[0].sum() == 60


def test_off(directory: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("GRADTAPE_CACHE", "0")
    assert make()(X)[0].sum() == 60
    assert not directory.exists() and cache.directory() is None


@pytest.mark.parametrize("words", ["inf", "-inf", "1e400", "nan", "many"])
def test_a_size_that_is_none(words: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("GRADTAPE_CACHE_MB", words)
    assert cache.limit() == 64 * 2**20


def test_size_bound(directory: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("GRADTAPE_CACHE_MB", "0.05")
    for i in range(40):
        cache.store(cache.key(str(i), "m"), bytes([i]) * 8000)
        os.utime(directory / (cache.key(str(i), "m") + ".obj"), (i, i))
    cache.trim(directory, cache.limit())
    total = sum(p.stat().st_size for p in directory.iterdir())
    assert 0 < total <= 0.05 * 2**20
    assert cache.load(cache.key("39", "m")) == bytes([39]) * 8000 and cache.load(cache.key("0", "m")) is None
    cache.clear()
    assert not list(directory.iterdir())


def test_concurrent_processes(directory: Path) -> None:
    """Several processes store and load the same entries at once, and trim; each reads whole entries or none."""
    code = """if 1:
        import sys
        from gradtape.engines.native import cache, elf
        for i in range(150):
            name = cache.key(str(i % 7), "m")
            cache.store(name, bytes([i % 7]) * 50000)
            if i % 20 == 0: cache.trim(cache.directory(), 100000)
            got = cache.load(name)
            assert got is None or got == bytes([i % 7]) * 50000
        """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.PIPE) for _ in range(3)]
    assert [r.wait(60) for r in runs] == [0, 0, 0], [r.stderr.read() for r in runs if r.stderr]
    assert not [p for p in directory.iterdir() if p.suffix == ".tmp"]


def test_reload_is_fast(directory: Path) -> None:
    g = graph_of(lambda b, x: b("sum", b("tanh", b("exp", x)), axis=(0,), keepdims=False), ((1000,),))
    native(g)
    start = time.perf_counter()
    native(g)
    assert time.perf_counter() - start < 0.05


def test_llvm_loads_what_the_loader_refuses(directory: Path, monkeypatch: Any) -> None:
    make()

    def refuse(*args: Any) -> Any:
        raise elf.Refused("all")

    monkeypatch.setattr(elf, "Loaded", refuse)
    run = make()
    assert run.__self__.cached and run(X)[0].sum() == 60
    with pytest.raises(elf.Refused):
        elf.Loaded(b"\x7fELF\x02\x01 not an object", {}, [])


def test_the_loader_refuses_nonsense() -> None:
    for data in (b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\0" * 10 + b"\x01\0\x3e\0" + b"\xff" * 60):
        with pytest.raises(elf.Refused):
            elf.Loaded(data, {}, ["entry"])
