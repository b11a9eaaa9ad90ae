"""What the command refuses before it runs anything."""

from __future__ import annotations

import os


class Refusal(Exception):
    """A file that cannot be read or written as asked; the message is one line for the user."""


def reason(error: OSError) -> str:
    """The system's own words for an error, such as ``Permission denied``."""
    return os.strerror(error.errno) if error.errno else str(error)


def read_program(path: str) -> bytes:
    """The bytes of a script or notebook; Refusal when it is missing, a directory or not readable."""
    if os.path.isdir(path):
        raise Refusal(f"{path} is a directory; name the script or notebook in it")
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Refusal(f"there is no file {path}") from None
    except OSError as error:
        raise Refusal(f"cannot read {path}: {reason(error)}") from None
