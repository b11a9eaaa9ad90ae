"""``gradtape run NOTEBOOK``: the cells in order, in this process, with gradtape in tensorflow's place."""

from __future__ import annotations
import __future__

import ast
import base64
import builtins
import contextlib
import io
import linecache
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, ModuleType
from typing import Any, TextIO

from .magics import Shell, to_python
from .notebook import (
    CodeCell,
    Executed,
    Output,
    check_writable,
    code_cells,
    read_notebook,
    with_outputs,
    write_notebook,
)
from .problems import reason
from .redirect import parse, take_over
from .tracebacks import formatted

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag

# The richer forms of a value that a saved notebook shows, and the methods that give them.
_RICH = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
}


def run_notebook(
    path: str,
    args: Sequence[str] = (),
    *,
    save: str | None = None,
    keep_going: bool = False,
    module: str = "gradtape",
    full_traceback: bool = False,
) -> int:
    """Run the notebook at ``path`` in this process, which becomes the notebook's, and return its exit status.

    As in Jupyter, the working directory is the notebook's, and the value of a cell's last expression is
    shown. The first error ends the run, or with ``keep_going`` only its cell; either way the status is 1.
    ``save`` names the file for the executed notebook. Refusal, before anything is run, when the notebook
    cannot be read or ``save`` not be written.
    """
    notebook = read_notebook(path)
    target = check_writable(save) if save else None
    main = ModuleType("__main__")
    take_over(os.path.abspath(path), args, module, main)
    os.environ["MPLBACKEND"] = "module://gradtape.cli.figures"
    os.chdir(os.path.dirname(os.path.realpath(path)))
    kernel = Kernel(os.path.basename(path), main, module=module, record=bool(save), full_traceback=full_traceback)
    cells = code_cells(notebook)
    executed: dict[int, Executed] = {}
    status = 0
    with kernel.listening():
        for number, cell in enumerate(cells, 1):
            error = kernel.run(number, cell)
            executed[cell.place] = Executed(number, kernel.take_outputs())
            if error is None or (isinstance(error, Exception) and cell.may_raise):
                continue
            if isinstance(error, SystemExit):
                status = _status(error) or status
                break
            status = 130 if isinstance(error, KeyboardInterrupt) else 1
            if status == 130 or not keep_going:
                print(f"gradtape run: stopped in cell {number} of {len(cells)}", file=sys.stderr)
                break
    if target:
        try:
            write_notebook(target, with_outputs(notebook, executed))
        except OSError as problem:
            print(f"gradtape run: could not write {save}: {reason(problem)}", file=sys.stderr)
            return status or 1
    return status


def _status(error: SystemExit) -> int:
    """The exit status that Python gives for a SystemExit; its message, where it is one, is printed."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


running: Kernel | None = None  # whose cells get the figures that are shown


class Kernel:
    """The state of a running notebook: its names, and the outputs of the cell that is running."""

    def __init__(self, name: str, main: ModuleType, *, module: str, record: bool, full_traceback: bool) -> None:
        self.name = name
        self.module = module
        self.record = record
        self.full_traceback = full_traceback
        self.future_flags = 0  # `from __future__ import ...` holds for the cells that follow, too
        self.outputs: list[Output] = []
        self.names = vars(main)
        self.shell = Shell()
        self.names.update(__builtins__=builtins, get_ipython=lambda: self.shell, display=self.display, Out={})
        self._last: Any = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """While it lasts, what goes to stdout and stderr is kept for the cell, and figures come here."""
        global running
        before = sys.stdout, sys.stderr
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # as it goes, into a pipe too
        sys.stdout = _Tee(before[0], lambda text: self._wrote("stdout", text))
        sys.stderr = _Tee(before[1], lambda text: self._wrote("stderr", text))
        running = self
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            running = None

    def run(self, number: int, cell: CodeCell) -> BaseException | None:
        """Run one cell; an error in it is shown and returned."""
        filename = f"<{self.name}, cell {number}>"
        lines = [line + "\n" for line in cell.source.split("\n")]
        linecache.cache[filename] = (len(cell.source), None, lines, filename)
        try:
            body, last = self._compiled(cell.source, filename)
            exec(body, self.names)
            if last is not None:
                self._result(number, eval(last, self.names))
            self._show_figures()
        except SystemExit as error:
            return error
        except BaseException as error:
            self._failed(error)
            return error
        finally:
            sys.stdout.flush()
        return None

    def _compiled(self, source: str, filename: str) -> tuple[CodeType, CodeType | None]:
        """The cell's statements, and apart from them a last expression whose value is to be shown."""
        source = to_python(source)
        tree = parse(source, filename, self.module, self.future_flags)
        last = tree.body[-1] if tree.body else None
        value: ast.Expression | None = None
        if isinstance(last, ast.Expr) and not _silenced(source, last):
            value = ast.Expression(last.value)
            del tree.body[-1]
        body = compile(tree, filename, "exec", self.future_flags, dont_inherit=True)
        self.future_flags |= body.co_flags & _FUTURES
        if value is None:
            return body, None
        return body, compile(value, filename, "eval", self.future_flags, dont_inherit=True)

    # What a cell puts out

    def take_outputs(self) -> list[Output]:
        """The outputs of the cell that has run, as notebook files hold them; the next starts with none."""
        outputs, self.outputs = self.outputs, []
        for output in outputs:
            if output["output_type"] == "stream":
                output["text"] = _overwritten("".join(output["text"])).splitlines(keepends=True)
        return outputs

    def display(self, *values: Any) -> None:
        """``display(...)``, which a notebook has without an import."""
        for value in values:
            if "matplotlib.figure" in sys.modules and isinstance(value, sys.modules["matplotlib.figure"].Figure):
                self.show_figure(value)
                continue
            text = repr(value)
            self._out(text + "\n", {"output_type": "display_data", "data": self._forms(value, text), "metadata": {}})

    def _result(self, number: int, value: Any) -> None:
        if value is None:
            return
        data = self._forms(value, text := repr(value))
        result = {"output_type": "execute_result", "execution_count": number, "data": data, "metadata": {}}
        self._out(text + "\n", result)
        self.names["Out"][number] = value
        if self.names.get("_") is self._last:  # unless the notebook uses the name for something of its own
            self.names["_"] = self._last = value

    def _show_figures(self) -> None:
        if "matplotlib.pyplot" in sys.modules:
            from . import figures

            figures.show()

    def show_figure(self, figure: Any) -> None:
        """Say that there is a matplotlib figure, and keep its picture."""
        text = repr(figure)
        data: dict[str, Any] = {"text/plain": text}
        if self.record:
            from . import figures

            data["image/png"] = base64.b64encode(figures.png(figure)).decode()
        self._out(text + "\n", {"output_type": "display_data", "data": data, "metadata": {}})

    def _failed(self, error: BaseException) -> None:
        text = "".join(formatted(error, self.full_traceback))
        try:
            message = str(error)
        except Exception:  # the notebook's own class of errors, at fault itself
            message = ""
        output = {
            "output_type": "error",
            "ename": type(error).__name__,
            "evalue": message,
            "traceback": text.splitlines(),
        }
        self._out(text, output, sys.stderr)

    def _forms(self, value: Any, text: str) -> dict[str, Any]:
        """The value in all the forms it can show itself in, by MIME type."""
        data: dict[str, Any] = {"text/plain": text}
        if not self.record or isinstance(value, type):
            return data
        for kind, method in _RICH.items():
            make = getattr(type(value), method, None)
            try:
                form = make(value) if callable(make) else None
            except NotImplementedError:  # how a class says that this value has no such form
                form = None
            except Exception as error:  # as in Jupyter, the plain text then stands alone
                print(f"gradtape run: {type(value).__name__}.{method} failed: {error!r}", file=sys.stderr)
                form = None
            if isinstance(form, tuple):  # (data, metadata)
                form = form[0]
            if isinstance(form, bytes):
                form = base64.b64encode(form).decode()
            if isinstance(form, str):
                data[kind] = form
        return data

    def _out(self, text: str, output: Output, stream: TextIO | None = None) -> None:
        """Print an output that is not a stream, and keep it."""
        tee = stream or sys.stdout
        if isinstance(tee, _Tee):
            tee.stream.write(text)
            if self.record:
                self.outputs.append(output)
        else:  # inside redirect_stdout, or where the notebook has put something else in its place
            tee.write(text)

    def _wrote(self, name: str, text: str) -> None:
        if not self.record:
            return
        if self.outputs and self.outputs[-1].get("name") == name:
            self.outputs[-1]["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})


class _Tee(io.TextIOBase):
    """A stream that is written to another, and told to a listener."""

    def __init__(self, stream: TextIO, listener: Callable[[str], None]) -> None:
        self.stream = stream
        self.listener = listener

    def write(self, text: str) -> int:
        if self.stream is not sys.__stdout__ and sys.__stdout__ is not None:
            sys.__stdout__.flush()  # what was written before comes before
        self.stream.write(text)
        self.listener(text)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:  # buffer, mode, ...
        return getattr(self.stream, name)


def _silenced(source: str, node: ast.Expr) -> bool:
    """Whether a semicolon follows the last expression: its value is then not shown."""
    assert node.end_lineno is not None and node.end_col_offset is not None
    line = source.split("\n")[node.end_lineno - 1].encode()[node.end_col_offset :]
    return line.lstrip().startswith(b";")


def _overwritten(text: str) -> str:
    """Text less what carriage returns have written over, which is how Jupyter saves it."""
    return re.sub(r"[^\n]*\r(?=[^\n\r])", "", text.replace("\r\n", "\n"))
