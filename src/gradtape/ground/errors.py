"""The errors gradtape raises, with TensorFlow's names; each also derives from Python's nearest built-in class.

So ``except tf.errors.InvalidArgumentError`` and ``except ValueError`` both catch a bad shape. The docstring of each class is
its documentation. Messages say what was given, what was wanted and, where a user's line caused it, which line.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class OpError(Exception):
    """Base of all errors that an operation raises.

    Made as ``Error(message)`` or, as in TensorFlow, ``Error(node_def, op, message)``.
    """

    error_code = 2

    def __init__(self, *args: Any) -> None:
        message = args[2] if len(args) >= 3 else (args[0] if args else "")
        self.node_def, self.op = args[:2] if len(args) >= 3 else (None, None)
        self.message = str(message)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple:
        return type(self), (self.message,)


class CancelledError(OpError):
    """The operation was cancelled."""

    error_code = 1


class UnknownError(OpError, RuntimeError):
    """An error of no known kind."""

    error_code = 2


class InvalidArgumentError(OpError, ValueError):
    """An argument has the wrong shape, dtype or value: incompatible shapes, mixed dtypes, an axis that does not exist."""

    error_code = 3


class DeadlineExceededError(OpError, TimeoutError):
    """The operation took longer than it was allowed."""

    error_code = 4


class NotFoundError(OpError, FileNotFoundError):
    """A requested entity (a file, a checkpoint) does not exist."""

    error_code = 5


class AlreadyExistsError(OpError, FileExistsError):
    """An entity that should be made exists already."""

    error_code = 6


class PermissionDeniedError(OpError, PermissionError):
    """The caller may not do this (read a file, write a path)."""

    error_code = 7


class ResourceExhaustedError(OpError, MemoryError):
    """A resource has run out: usually memory for a tensor."""

    error_code = 8


class FailedPreconditionError(OpError, RuntimeError):
    """The system is not in the state that the operation needs (an uninitialised variable, say)."""

    error_code = 9


class AbortedError(OpError, RuntimeError):
    """The operation was aborted."""

    error_code = 10


class OutOfRangeError(OpError, IndexError):
    """The operation went past the valid range."""

    error_code = 11


class UnimplementedError(OpError, NotImplementedError):
    """The operation is not implemented for these arguments."""

    error_code = 12


class InternalError(OpError, RuntimeError):
    """gradtape is wrong, not the caller: please report it."""

    error_code = 13


class UnavailableError(OpError, RuntimeError):
    """A service is not available now."""

    error_code = 14


class DataLossError(OpError, OSError):
    """Data is lost or damaged beyond recovery: a truncated or tampered file."""

    error_code = 15


class UnauthenticatedError(OpError, PermissionError):
    """The caller has no valid credentials."""

    error_code = 16


class BroadcastWarning(UserWarning):
    """Shapes (n, 1) and (n,) met under a recording tape and broadcast to (n, n): almost always an accident.

    Silence one line by giving both operands the same shape, or all of them with
    ``warnings.filterwarnings("ignore", category=tf.errors.BroadcastWarning)``.
    """


class DegenerateWarning(UserWarning):
    """Singular or eigenvectors were differentiated where two of the values are equal: there they have no derivative.

    The terms that would divide by 0 are left out. A gradient that does not use the vectors (of the values alone, of ``tf.norm(x, 2, axis)``, of
    ``tf.linalg.pinv``) is not concerned. Silence it with ``warnings.filterwarnings("ignore", category=tf.errors.DegenerateWarning)``.
    """


class ConversionError(InvalidArgumentError, TypeError):
    """A Python value does not go into the dtype of the tensor that it meets. (TensorFlow raises one or the other class, by operation.)"""


class NoneGradientError(TypeError, ValueError):
    """None was used as a tensor: usually a gradient of something that the target does not depend on."""


def none_gradient(what: str) -> NoneGradientError:
    """The error for None where a tensor was wanted: what it was used for, the likely reasons, the user's own line."""
    return NoneGradientError(
        f"{what}: None is no tensor. If it is a gradient, the target does not depend on that source by recorded operations: was the source watched (a trainable "
        "tf.Variable, or tape.watch), was it replaced by a tensor (x = x + 1), did the calculation leave gradtape (NumPy) or pass through integers? "
        "tape.gradient(..., unconnected_gradients='zero') gives zeros instead." + user_line()
    )


def user_python_frame() -> Any:
    """The innermost frame outside gradtape, or None."""
    f: Any = sys._getframe(1)
    while f is not None:
        name = f.f_code.co_filename
        if (
            not name.startswith(_PACKAGE)
            and not name.startswith(("<frozen", "<gradtape"))
            and "/keras/src/" not in name
            and "/keras_gradtape/" not in name
        ):
            return f
        f = f.f_back
    return None


def user_frame() -> tuple[str, int] | None:
    """File and line of the innermost frame outside gradtape, or None."""
    f = user_python_frame()
    return None if f is None else (f.f_code.co_filename, f.f_lineno)


def user_line() -> str:
    """`` at FILE:LINE: code`` on a line of its own, for the end of a message; empty when no user frame is found."""
    where = user_frame()
    if where is None:
        return ""
    import linecache

    file, line = where
    code = linecache.getline(file, line).strip()
    return f"\n  at {file}:{line}" + (f": {code}" if code else "")


def invalid(message: str) -> InvalidArgumentError:
    """An InvalidArgumentError whose message ends with the user's own line."""
    return InvalidArgumentError(message + user_line())
