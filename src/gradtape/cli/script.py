"""``gradtape run SCRIPT``: a script as Python would run it, with gradtape in tensorflow's place."""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType

from .problems import read_program
from .redirect import parse, take_over
from .tracebacks import formatted


def run_script(path: str, args: Sequence[str] = (), *, module: str = "gradtape", full_traceback: bool = False) -> int:
    """Run the script at ``path`` in this process, which becomes the script's, and return its exit status.

    ``SystemExit`` passes through, as does nothing else: an error is printed with its traceback and gives 1.
    Refusal when the file cannot be read.
    """
    source = read_program(path)
    file = os.path.abspath(path)
    main = ModuleType("__main__")
    vars(main).update(__file__=file, __loader__=SourceFileLoader("__main__", file), __builtins__=builtins)
    take_over(path, args, module, main)
    try:
        exec(compile(parse(source, file, module), file, "exec", dont_inherit=True), vars(main))
    except SystemExit:
        raise
    except BaseException as error:
        with contextlib.suppress(OSError):  # a closed pipe, which may be the very error to show
            sys.stdout.flush()
        if sys.excepthook is not sys.__excepthook__:  # the script has its own way of showing errors
            sys.excepthook(type(error), error, _below_this_file(error))
        else:
            sys.stderr.write("".join(formatted(error, full_traceback)))
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _below_this_file(error: BaseException) -> TracebackType | None:
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next
    return tb
