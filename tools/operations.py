"""Writes docs/operations.md: every row of the table with what it can do.

usage: python tools/operations.py [--check]
"""

from __future__ import annotations

import argparse
import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "operations.md"

HEAD = """# Operations

Every row of the table of primitives, a section for each family; written by `python tools/operations.py`. Public functions are compositions of these.

- **gradient**: the inputs with a derivative; `zero everywhere` is a derivative too, `-` means none (integers, comparisons, rounding).
- **forward**: how a tangent is carried: by the same *rule* (elementwise), by the row itself (*linear*), by the product rule (*multilinear*), by a rule of its *own*, or by *transposing* the gradient.
- **batch**: whether a batch dimension is carried by a rule of its own (else a loop over the batch).
- **native**: whether compiled programs hold native code for it (else they call its NumPy kernel).
- **dtypes**: the kinds that its first input may have: b(ool), i(nteger), u(nsigned), f(loat), c(omplex), s(tring).

"""


def forward(p) -> str:
    """How a tangent is carried through a row."""
    has = any(r is not None for r in _rules(p))
    if p.jvp is not None:
        return "own"
    if not has:
        return "-"
    if p.joint is None and p.elementwise:
        return "rule"
    if p.joint is not None:
        return "transposed"
    return "linear" if p.linear else "multilinear" if p.multilinear else "transposed"


def _rules(p) -> list:
    if p.joint is not None:
        return [p.joint]
    return [p.grad] if callable(p.grad) else list(p.grad or ())


def gradient(p) -> str:
    """The inputs with a derivative."""
    if p.joint is not None:
        return "all that flow"
    if callable(p.grad):
        return "all"
    return ", ".join([x for x, r in zip(p.inputs, p.grad or ()) if r is not None]) or "-"


def main() -> int:
    """Write the page, or compare it with what it should be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="fail if the page is not up to date")
    args = parser.parse_args()
    text = page()
    if args.check:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """The page's text."""
    from gradtape.ground import dtypes as dt
    from gradtape.primitives import complete

    for module in (
        "gradtape.printing",
        "gradtape.tracing.staging",
        "gradtape.tracing.control",
        "gradtape.tracing.outside",
    ):
        importlib.import_module(module)  # their rows
    table = dict(complete())
    native = _native()
    kinds = [("b", dt.BOOL), ("i", dt.INT), ("u", dt.UINT), ("f", dt.FLOAT), ("c", dt.COMPLEX), ("s", dt.STRING)]
    families: dict[str, list] = {}
    for p in table.values():
        families.setdefault(_family(p), []).append(p)
    parts = [HEAD, f"{len(table)} rows.\n"]
    for family in sorted(families):
        parts.append(
            f"\n## {family}\n\n| row | gradient | forward | batch | native | dtypes | |\n|---|---|---|---|---|---|---|\n"
        )
        for p in sorted(families[family], key=lambda p: p.name):
            accepts = "".join([letter for letter, kind in kinds if p.accepts & kind])
            doc = " ".join(p.doc.split()).replace("|", "\\|")
            cells = [
                f"`{p.name}`",
                gradient(p),
                forward(p),
                "yes" if p.batch is not None else "loop",
                "yes" if p.name in native else "kernel",
                accepts,
                doc,
            ]
            parts.append("| " + " | ".join(cells) + " |\n")
    return "".join(parts)


def _family(p) -> str:
    """The file in which a row stands."""
    for name in sorted(sys.modules):
        if name.startswith("gradtape.") and any(v is p for v in vars(sys.modules[name]).values()):
            return name.split(".")[1] if not name.startswith("gradtape.primitives.") else name.rpartition(".")[2]
    return p.kernel.__module__.rpartition(".")[2]


def _native() -> set[str]:
    """The names that the native engine knows."""
    emit, lower = (importlib.import_module(f"gradtape.engines.native.{m}") for m in ("emit", "lower"))
    for module in ("rules", "row_rules", "engine", "control"):
        importlib.import_module(f"gradtape.engines.native.{module}")
    return {*emit.EMITTERS, *emit.REDUCERS, *lower.RULES}


if __name__ == "__main__":
    sys.exit(main())
