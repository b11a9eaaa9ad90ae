"""The version of the backend: gradtape's."""

from gradtape import __version__

__all__ = ["__version__"]
