"""What is measured, the ratios that gradtape is to reach, and the tables that show both."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

TITLES = {"gradtape": "gradtape", "torch": "PyTorch", "tensorflow": "TensorFlow", "numpy": "NumPy"}
CHAINS = {"chain_1000": 1_000, "chain_10000": 10_000, "chain_100000": 100_000}
MEMORY = {  # name -> (training step, batch)
    "memory_small_32": ("small_mlp", 32),
    "memory_small_4096": ("small_mlp", 4096),
    "memory_large_128": ("large_mlp", 128),
    "memory_large_4096": ("large_mlp", 4096),
}
TARGETS = {  # (name, peer) -> the largest ratio of gradtape's median to the peer's
    ("scalar_gradient", "torch"): 0.35,
    ("scalar_gradient", "tensorflow"): 0.04,
    ("descent", "torch"): 0.35,
    ("small_mlp", "torch"): 0.7,
    ("small_mlp", "tensorflow"): 0.06,
    ("large_mlp", "torch"): 1.1,
    ("elementwise", "torch"): 1.0,
    ("import", "numpy"): 1.6,
    **{(name.replace("memory", "step"), "torch"): 1.0 for name in MEMORY},
}
NOISE_BYTES = 2**20  # what a step adds below this is the allocator's rounding; it counts as this much


def show_seconds(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 999.5 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def show_bytes(count: float) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= NOISE_BYTES else "< 1 MiB"


@dataclass(frozen=True)
class Section:
    """A table: its title, its rows (name -> label) and how a value is written."""

    title: str
    rows: dict[str, str]
    show: Callable[[float], str] = show_seconds


SECTIONS = [
    Section(
        "Gradients and training steps",
        {
            "scalar_gradient": "gradient of (x1+5)·x2²",
            "descent": "100-step descent on cos(x)",
            "small_mlp": "training step 8-128-1, batch 32",
            "large_mlp": "training step 784-512-512-10, batch 128",
            "elementwise": "gradient of Σ tanh(v)·exp(-v²) + log1p(v²), a million float32",
        },
    ),
    Section(
        "Single operations",
        {
            "op_scalar_add": "scalar + scalar",
            "op_add": "32×128 + 32×128",
            "op_relu": "relu of 32×128",
            "op_matmul": "32×8 @ 8×128",
        },
    ),
    Section(
        "A chain of products with its gradient, for each product: level where time grows in line with length",
        {name: f"{length:,} products" for name, length in CHAINS.items()},
    ),
    Section("Import in a fresh process", {"import": "import"}),
    Section(
        "Memory that five training steps add at their peak",
        {
            "step_small_32": "8-128-1, batch 32",
            "step_small_4096": "8-128-1, batch 4096",
            "step_large_128": "784-512-512-10, batch 128",
            "step_large_4096": "784-512-512-10, batch 4096",
        },
        show_bytes,
    ),
    Section(
        "Peak memory of the whole process that takes them",
        {
            "process_small_32": "8-128-1, batch 32",
            "process_large_4096": "784-512-512-10, batch 4096",
        },
        show_bytes,
    ),
]
TIMED = [name for section in SECTIONS[:3] for name in section.rows]


def ratio(name: str, peer: str, own: list[float], others: list[float]) -> str:
    """Write the ratio of the medians, the quartiles of the rounds' ratios, and the verdict on the target."""
    if name.startswith("step_"):
        own, others = ([max(value, NOISE_BYTES) for value in values] for values in (own, others))
    figure = median(own) / median(others)
    text = f"{figure:.3g}"
    single = sorted(a / b for a, b in zip(own, others))
    if len(single) > 1:
        low, _, high = quantiles(single, method="inclusive")
        text += f" ({low:.2g} to {high:.2g})"
    if (target := TARGETS.get((name, peer))) is not None:
        text += f", target {target}: {'ok' if figure <= target else 'OVER'}"
    return text


def table(section: Section, measured: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """Return header and rows: gradtape's median, then for each peer its median and the ratio to it."""
    names = [name for name in section.rows if name in measured]
    peers = [peer for peer in TITLES if peer != "gradtape" and any(peer in measured[name] for name in names)]
    lines = [["", "gradtape", *(cell for peer in peers for cell in (TITLES[peer], "ratio"))]]
    for name in names:
        values = measured[name]
        scale = 1 / CHAINS.get(name, 1)
        medians = {library: section.show(median(rounds) * scale) for library, rounds in values.items()}
        line = [section.rows[name], medians.get("gradtape", "–")]
        for peer in peers:
            both = "gradtape" in values and peer in values
            line += [
                medians.get(peer, "–"),
                ratio(name, peer, values["gradtape"], values[peer]) if both else "–",
            ]
        lines.append(line)
    return lines


def tables(measured: dict[str, dict[str, list[float]]], *, markdown: bool) -> str:
    """Return all sections that have a measured row, as aligned text or as Markdown."""
    parts = []
    for section in SECTIONS:
        header, *lines = table(section, measured)
        if not lines:
            continue
        widths = [max(map(len, column)) for column in zip(header, *lines)]
        if markdown:
            lines.insert(0, ["-" * width for width in widths])
        joint, edge = (" | ", "|") if markdown else ("   ", "")
        text = [joint.join(cell.ljust(width) for cell, width in zip(line, widths)) for line in (header, *lines)]
        title = f"### {section.title}\n" if markdown else section.title
        parts.append("\n".join([title, *(f"{edge} {line} {edge}".rstrip() for line in text)]))
    return "\n\n".join(parts)
