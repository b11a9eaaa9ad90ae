"""The picture: a self-contained page to step through, and its export as SVG and PNG."""

from __future__ import annotations

import json
import os
import pathlib
from html import escape
from itertools import pairwise
from typing import Any

from ..ground.drawing import _curve, arranged
from .account import Account
from .scene import GAP, HEIGHT, scene_of

_PAGE = pathlib.Path(__file__).parent / "page"
_LIGHT = {"page": "#ffffff", "card": "#ffffff", "ink": "#17202c", "faint": "#66758a", "line": "#bcc7d4", "leaf": "#2f9e62", "value": "#1f5fd6",
          "adjoint": "#c2410c", "slope": "#5d6b80", "edge": "#9fadbd", "quiet": "#a9b6c6"}  # fmt: skip


class Picture:
    """A computation to look at. Notebooks show it as it is.

    Attributes:
        scene: the nodes, steps and places as plain data.
    """

    def __init__(self, account: Account, title: str) -> None:
        self.title = title
        self.scene = scene_of(account, title)

    def __repr__(self) -> str:
        n = sum([b["kind"] == "op" for b in self.scene["nodes"]])
        return f"<Picture of {n} operations: save('picture.html') writes the page, open() shows it in the browser, svg() and png() export>"

    @property
    def html(self) -> str:
        """The page: one file that needs no other and no network."""
        text = (_PAGE / "page.html").read_text(encoding="utf-8")
        data = json.dumps(self.scene, ensure_ascii=False, separators=(",", ":"), default=str)
        parts = {name: (_PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "graph.css", "page.js")}
        parts["title"] = escape(self.title)
        parts["scene"] = data.replace("<", "\\u003c")  # nothing in it can end the script element
        head, *rest = text.split("{{")
        out = [head]
        for piece in rest:
            name, _, tail = piece.partition("}}")
            out += [parts[name], tail]
        return "".join(out)

    def save(self, path: str | os.PathLike) -> pathlib.Path:
        """Write the page to a file.

        Returns:
            The file's path.
        """
        file = pathlib.Path(path)
        file.write_text(self.html, encoding="utf-8")
        return file

    def open(self) -> pathlib.Path:
        """Show the page in the browser, from a temporary file.

        Returns:
            The file's path.
        """
        import tempfile
        import webbrowser

        file = self.save(pathlib.Path(tempfile.mkdtemp(prefix="gradtape-")) / "picture.html")
        webbrowser.open(file.as_uri())
        return file

    def _repr_html_(self) -> str:
        page = escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:640px;border:1px solid #8886;border-radius:8px" title="{escape(self.title)}"></iframe>'

    # -- export ---------------------------------------------------------------------------------------------------------------
    def _placed(
        self,
    ) -> tuple[list[tuple[float, float]], list[tuple[int, int]], list[list[tuple[float, float]]], list[float]]:
        nodes = self.scene["nodes"]
        edges = [(u, v) for v, n in enumerate(nodes) for u in dict.fromkeys([u for u, _ in n["ins"]])]
        widths = [_width(n) for n in nodes]
        places, routes = arranged(widths, edges, late=[i for i, n in enumerate(nodes) if n["kind"] != "op"])
        scale = (HEIGHT + GAP) / 80.0
        tall = lambda p: (p[0], (p[1] - 17) * scale + HEIGHT / 2)
        return [tall(p) for p in places], edges, [[tall(p) for p in r] for r in routes], widths

    def svg(self, path: str | os.PathLike | None = None) -> str:
        """The finished computation as an SVG picture, unfolded.

        Args:
            path: where to write it, or None.

        Returns:
            The SVG text.
        """
        nodes = self.scene["nodes"]
        places, edges, routes, widths = self._placed()
        m, c = 20.0, _LIGHT
        right = max([x + w / 2 for (x, _), w in zip(places, widths, strict=True)], default=0) + 2 * m
        bottom = max([y for _, y in places], default=0) + HEIGHT / 2 + 2 * m
        sans = "font-family='ui-sans-serif, system-ui, Helvetica, Arial, DejaVu Sans, sans-serif'"
        mono = "font-family='ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace'"
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{right:.0f}" height="{bottom:.0f}" viewBox="0 0 {right:.0f} {bottom:.0f}">',
               f"<title>{escape(self.title)}</title><rect width='100%' height='100%' fill='{c['page']}'/>"]  # fmt: skip
        for (a, b), route in zip(edges, routes, strict=True):
            (ax, ay), (bx, by) = places[a], places[b]
            d = _curve([(ax, ay + _height(nodes[a]) / 2), *route, (bx, by - _height(nodes[b]) / 2)], m, m)
            out.append(f"<path d='{d}' fill='none' stroke='{c['edge']}' stroke-width='1.4'/>")
        for n, (x, y), w in zip(nodes, places, widths, strict=True):
            h = _height(n)
            left, top = x - w / 2 + m, y - h / 2 + m
            strip = c["adjoint"] if n["target"] else c["leaf"] if n["kind"] == "leaf" else c["quiet"]
            out.append(f"<g transform='translate({left:.1f} {top:.1f})'><rect width='{w:.1f}' height='{h:g}' rx='9' fill='{c['card']}' stroke='{c['line']}'/><rect x='5' y='9' width='3.5' height='{h - 18:g}' rx='1.75' fill='{strip}'/>"
                       f"<text x='14' y='21' {sans} font-size='13' font-weight='600' fill='{c['ink']}'>{escape(n['head'])}</text>")  # fmt: skip
            if n["line"]:
                out.append(f"<text x='{w - 9:.1f}' y='20' {sans} font-size='10.5' text-anchor='end' fill='{c['faint']}'>line {n['line'][1]}</text>")  # fmt: skip
            for text, at, color, size in _rows(n):
                out.append(f"<text x='14' y='{at}' {mono} font-size='{size}' fill='{c[color]}'>{escape(text)}</text>")
            out.append("</g>")
        text = "".join(out) + "</svg>"
        if path is not None:
            pathlib.Path(path).write_text(text, encoding="utf-8")
        return text

    def png(self, path: str | os.PathLike, dpi: int = 150) -> None:
        """Write the finished computation, unfolded, as a PNG picture. It is drawn by matplotlib.

        Args:
            path: the file.
            dpi: pixels per inch.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            ValueError: the picture would be larger than PNG files of this kind can be; the page exports folded ones.
        """
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch
        from matplotlib.path import Path

        nodes = self.scene["nodes"]
        places, edges, routes, widths = self._placed()
        right = max([x + w / 2 for (x, _), w in zip(places, widths, strict=True)], default=1.0) + 20
        bottom = max([y for _, y in places], default=1.0) + HEIGHT / 2 + 20
        if max(right, bottom) / 96 * dpi > 60_000:
            raise ValueError(f"A PNG of {right:.0f} × {bottom:.0f} points is too large at {dpi} dpi: lower dpi, use svg(), or export from the page, where repeated blocks are folded.")  # fmt: skip
        figure = Figure(figsize=((right + 20) / 96, (bottom + 20) / 96), dpi=dpi)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_xlim(-20, right)
        ax.set_ylim(bottom, -20)
        ax.axis("off")
        c = _LIGHT
        point = 72 / 96
        for (a, b), route in zip(edges, routes, strict=True):
            (px, py), (qx, qy) = places[a], places[b]
            points = [(px, py + _height(nodes[a]) / 2), *route, (qx, qy - _height(nodes[b]) / 2)]
            verts, codes = [points[0]], [Path.MOVETO]
            for (x, y), (u, v) in pairwise(points):
                verts += [(x, (y + v) / 2), (u, (y + v) / 2), (u, v)]
                codes += [Path.CURVE4] * 3
            ax.add_patch(PathPatch(Path(verts, codes), fill=False, edgecolor=c["edge"], linewidth=1.0, zorder=1))
        for n, (x, y), w in zip(nodes, places, widths, strict=True):
            h = _height(n)
            left, top = x - w / 2, y - h / 2
            edge = c["adjoint"] if n["target"] else c["leaf"] if n["kind"] == "leaf" else c["line"]
            ax.add_patch(FancyBboxPatch((left, top), w, h, boxstyle="round,pad=0,rounding_size=8", facecolor=c["card"], edgecolor=edge, linewidth=1.1, zorder=2))  # fmt: skip
            write = lambda tx, ty, text, color, size, **more: ax.text(
                tx, ty, text.replace("$", r"\$"), color=c[color], fontsize=size * point, va="baseline", zorder=3, **more
            )  # fmt: skip
            write(left + 12, top + 21, n["head"], "ink", 13, fontweight="bold")
            if n["line"]:
                write(left + w - 9, top + 20, f"line {n['line'][1]}", "faint", 10, ha="right")
            for text, at, color, size in _rows(n):
                write(left + 12, top + at, text, color, size - 0.5, family="monospace")
        figure.savefig(path, format="png", dpi=dpi, facecolor=c["page"])


def _rows(n: dict[str, Any]) -> list[tuple[str, int, str, float]]:
    """The lines of a box under its head: text, height, colour, size."""
    rows: list[tuple[str, int, str, float]] = []
    if n["value"]:
        rows.append((f"= {n['value']}", 40, "value", 11.5))
    if n["kind"] == "op" and n["slopes"]:
        rows.append(("  ".join([f"∂/∂{s['of']} {s['text']}" for s in n["slopes"]])[:32], 57, "slope", 10.5))
    if n["adjoint"]:
        rows.append((f"∂ {n['adjoint']}", 76 if n["kind"] == "op" else 60, "adjoint", 11.5))
    return rows


def _height(n: dict[str, Any]) -> float:
    return HEIGHT if n["kind"] == "op" else HEIGHT - 14


def _width(n: dict[str, Any]) -> float:
    line = 9 if n["line"] else 0
    return max(92.0, 7.7 * (len(n["head"]) + line) + 26, *[0.61 * size * len(t) + 26 for t, _, _, size in _rows(n)])
