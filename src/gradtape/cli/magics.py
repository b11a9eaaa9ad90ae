"""IPython's additions to Python, as far as a notebook run from the command line needs them.

A cell that is valid Python is left as it is. In others, a line that Python refuses and that starts with a
magic character becomes a call of ``get_ipython()``, as IPython itself does it, on the same line, so that line
numbers stay. What the call does is said in ``Shell``.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import warnings
from typing import NoReturn

# The set-up of a front end that is not there: nothing to do.
IGNORED = {
    "aimport", "autoreload", "autosave", "colors", "config", "load_ext", "matplotlib", "pdb", "precision",
    "reload_ext", "tensorflow_version", "unload_ext", "xmode",
}  # fmt: skip
# Looking around and installing: not carried out, with a word, and what follows does not depend on it.
NOT_CARRIED_OUT = {
    "bash", "conda", "debug", "history", "html", "HTML", "javascript", "js", "latex", "ls", "lsmagic",
    "mamba", "markdown", "pinfo", "pip", "pwd", "script", "sh", "svg", "system", "sx", "tensorboard", "uv",
    "who", "whos",
}  # fmt: skip
# Measurements of a body that is Python: the body is run once and not measured.
BODIES = {"capture", "memit", "prun", "time", "timeit"}

_CELL = re.compile(r"\s*%%(\S+)[ \t]*(.*)")
_LINE = re.compile(
    r"(?P<indent>\s*)(?P<set>[\w, \t]+=\s*)?(?:%(?P<name>[A-Za-z_]\w*)[ \t]*(?P<rest>.*)|!(?P<shell>.*))"
)
_HELP = re.compile(r"(?P<indent>\s*)(?:\?{1,2}\s*\S+|[\w.%]+\s*\?{1,2})\s*")


class UsageError(Exception):
    """A magic that ``gradtape run`` does not know, or whose result it cannot give."""


class Shell:
    """What ``get_ipython()`` gives in a notebook that ``gradtape run`` runs."""

    def run_line_magic(self, name: str, line: str) -> None:
        """Do nothing for a magic that may be left out; UsageError for one that what follows may depend on."""
        setting = re.fullmatch(r"(\w+)(?:\s*=\s*|\s+)(.*)", line.strip())
        if name in ("env", "set_env") and setting:
            os.environ[setting[1]] = setting[2]
        elif name in NOT_CARRIED_OUT:
            self._say(f"%{name} {line}".rstrip())
        elif name not in IGNORED | BODIES:
            raise UsageError(f"`gradtape run` does not know the magic %{name}; write the line as Python")

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """As ``run_line_magic``, for a whole cell."""
        if name not in NOT_CARRIED_OUT:
            raise UsageError(f"`gradtape run` does not know the magic %%{name}; write the cell as Python")
        self._say(f"%%{name} {line}".rstrip())

    def system(self, command: str) -> None:
        """A line ``!command``: not carried out, and said so."""
        self._say("!" + command)

    def getoutput(self, what: str) -> NoReturn:
        """``x = !command`` or ``x = %magic``: an error, because what follows depends on x."""
        raise UsageError(f"`gradtape run` does not carry out {what}, so it has no result")

    def _say(self, what: str) -> None:
        print(f"gradtape run: not carried out: {what}", file=sys.stderr)


def to_python(source: str) -> str:
    """The cell as Python, line for line; what else is wrong in it the compiler will say."""
    lines = source.split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip())
    if cell := _CELL.fullmatch(lines[first]):
        name, rest = cell.groups()
        if name not in BODIES:
            body = "\n".join(lines[first + 1 :])
            return "\n" * first + f"get_ipython().run_cell_magic({name!r}, {rest!r}, {body!r})"
        lines[first] = _without_options(rest) if name == "timeit" else ""  # there it is set-up code
    while True:
        place = _refused_line(lines)
        if place is None or (line := _line_to_python(lines, place)) is None:
            return "\n".join(lines)
        lines[place] = line


def _refused_line(lines: list[str]) -> int | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler will give them, once
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            return error.lineno - 1 if error.lineno and error.lineno <= len(lines) else None
        except ValueError:  # null bytes
            pass
    return None


def _line_to_python(lines: list[str], place: int) -> str | None:
    """The Python for one line with a magic, or None where it has none.

    Lines joined to it by a backslash become empty.
    """
    line = lines[place]
    if match := _HELP.fullmatch(line):
        return match["indent"] + "pass"
    if not _LINE.fullmatch(line):
        return None
    end = place
    while line.endswith("\\") and end + 1 < len(lines):
        end += 1
        line = line[:-1] + lines[end].strip()
        lines[end] = ""
    match = _LINE.fullmatch(line)
    assert match is not None
    before = match["indent"] + (match["set"] or "")
    if match["name"] in BODIES and (body := _without_options(match["rest"])):
        return before + body + (";" if match["name"] == "timeit" else "")
    if match["set"]:
        return f"{before}get_ipython().getoutput({line[match.end('set') :]!r})"
    if match["shell"] is not None:
        return f"{before}get_ipython().system({match['shell']!r})"
    return f"{before}get_ipython().run_line_magic({match['name']!r}, {match['rest']!r})"


def _without_options(line: str) -> str:
    """``-n 10 f(x)`` -> ``f(x)``"""
    return re.sub(r"^(?:-\w+(?:[ =]?\d+)?\s+)*", "", line)
