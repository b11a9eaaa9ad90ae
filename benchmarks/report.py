"""What is measured, the ratios that gradtape is to reach, and the tables that show both."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

TITLES = {
    "gradtape": "gradtape",
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "numpy": "NumPy",
    "jax": "JAX",
    "tensorflow_xla": "TensorFlow, XLA",
}
EAGER = ["gradtape", "torch", "tensorflow", "numpy"]
COMPILED = ["gradtape", "jax", "tensorflow", "tensorflow_xla"]
CHAINS = {"chain_1000": 1_000, "chain_10000": 10_000, "chain_100000": 100_000}
MEMORY = {  # name -> (training step, batch)
    "memory_small_32": ("small_mlp", 32),
    "memory_small_4096": ("small_mlp", 4096),
    "memory_large_128": ("large_mlp", 128),
    "memory_large_4096": ("large_mlp", 4096),
}
FIRST_CALLS = {  # name -> (compiled workload, the libraries that find its code on disk)
    "compiled_first": ("compiled_small_mlp", []),
    "compiled_second": ("compiled_small_mlp", ["gradtape"]),
    "compiled_cached": ("compiled_small_mlp", ["gradtape", "jax"]),
    "compiled_first_unrolled": ("compiled_unrolled", []),
    "compiled_first_arrays": ("compiled_unrolled_arrays", []),
}
SHAPES = 2_000  # calls, each with another shape
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
    ("compiled_scalar_gradient", "best"): 0.5,
    ("compiled_descent", "best"): 0.3,
    ("compiled_quadratic", "best"): 0.3,
    ("compiled_small_mlp", "best"): 0.12,
    ("compiled_large_mlp", "best"): 1.0,
    ("compiled_elementwise", "best"): 0.7,
    ("compiled_hessian", "best"): 1.0,
    ("compiled_first", "best"): 0.3,
    ("compiled_second", "best"): 0.1,
}
LIMITS = {  # name -> the most that gradtape may take, in seconds or bytes
    "compiled_call": 5e-6,
    "compiled_first_unrolled": 3.0,
    "compiled_first_arrays": 3.0,
    "compiled_shapes": 2 * 2**20,
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
    best: bool = False  # one ratio, to the fastest peer of each row


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
    Section(
        "Compiled: calls of a `function`",
        {
            "compiled_scalar_gradient": "gradient of (x1+5)·x2²",
            "compiled_descent": "1,000-step descent on cos(x) in a loop of the graph",
            "compiled_quadratic": "1,000-step descent on 3x² + 2x − 1 likewise",
            "compiled_small_mlp": "training step 8-128-1, batch 32",
            "compiled_large_mlp": "training step 784-512-512-10, batch 128",
            "compiled_elementwise": "gradient of Σ tanh(v)·exp(-v²) + log1p(v²), a million float32",
            "compiled_hessian": "Hessian of Rosenbrock's function, 50 dimensions",
            "compiled_call": "a·b + c of four elements: the call's overhead",
        },
        best=True,
    ),
    Section(
        "Compiled: the first call in a fresh process",
        {
            "compiled_first": "training step 8-128-1, nothing on disk",
            "compiled_second": "the same in the next process, as the libraries come",
            "compiled_cached": "the same with JAX's compilation cache turned on",
            "compiled_first_unrolled": "5,000 operations on scalars",
            "compiled_first_arrays": "2,000 operations on 32×32 arrays",
        },
        best=True,
    ),
    Section(
        "Compiled: memory that calls with ever new shapes leave behind",
        {"compiled_shapes": f"calls {SHAPES // 4:,} to {SHAPES:,} of x·2, each for another length"},
        show_bytes,
        best=True,
    ),
]
TIMED = [name for section in (*SECTIONS[:3], SECTIONS[6]) for name in section.rows]


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


def best_table(section: Section, measured: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """Return header and rows: each library's median, and gradtape's ratio to the fastest of the others."""
    names = [name for name in section.rows if name in measured]
    libraries = [name for name in TITLES if any(name in measured[row] for row in names)]
    lines = [["", *(TITLES[name] for name in libraries), "ratio to the fastest"]]
    for name in names:
        values = measured[name]
        medians = {library: median(rounds) for library, rounds in values.items()}
        cells = {library: section.show(value) for library, value in medians.items()}
        if "gradtape" in medians and (limit := LIMITS.get(name)) is not None:
            verdict = "ok" if medians["gradtape"] <= limit else "OVER"
            cells["gradtape"] += f", limit {section.show(limit)}: {verdict}"
        own = medians.pop("gradtape", None)
        best = min(medians, key=medians.get) if medians else None
        last = ratio(name, "best", values["gradtape"], values[best]) if best and own is not None else "–"
        lines.append([section.rows[name], *(cells.get(library, "–") for library in libraries), last])
    return lines


def table(section: Section, measured: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """Return header and rows: gradtape's median, then for each peer its median and the ratio to it."""
    if section.best:
        return best_table(section, measured)
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
