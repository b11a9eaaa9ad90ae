"""The command ``gradtape``: run a TensorFlow program, train the demo network, describe the installation."""

from __future__ import annotations

__all__ = ["main"]


def main(name: str = "gradtape") -> None:
    """Run the command with the arguments in ``sys.argv`` and exit; ``name`` is what its help calls it."""
    from .app import app

    app(prog_name=name)
