"""`python -m blob`: the command line; see `blob.cli`."""

from __future__ import annotations

import sys

__all__ = ("main",)

_NEEDED = frozenset({"click", "aiohttp", "awscrt", "defusedxml"})


def main() -> None:
    """Run the command line; exits with a line that names the extra that is missing."""
    try:
        from .cli.main import cli  # noqa: PLC0415 - importing this module needs no click
    except ImportError as error:
        if error.name not in _NEEDED:
            raise
        sys.exit(f"python -m blob needs {error.name}: pip install 'aiostow[blob,cli]'")
    cli(prog_name="python -m blob")


if __name__ == "__main__":
    main()
