"""``python -m gradtape`` is the command ``gradtape``."""

from gradtape.cli import main

if __name__ == "__main__":
    main("python -m gradtape")
