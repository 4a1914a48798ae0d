"""`python -m blob`: the command line; see `blob.cli`."""

from __future__ import annotations

__all__ = ("main",)

_EXTRAS = {"click": "cli", "aiohttp": "blob", "awscrt": "blob", "defusedxml": "blob"}


def main() -> None:
    """Run the command line; raises ImportError naming the extra that is missing."""
    try:
        from .cli.main import cli  # noqa: PLC0415 - importing this module needs no click
    except ModuleNotFoundError as error:
        if error.name in _EXTRAS:
            extra = _EXTRAS[error.name]
            raise ImportError(
                f"python -m blob needs {error.name}: pip install 'aiostow[{extra}]'",
                name=error.name,
            ) from error
        raise
    cli(prog_name="python -m blob")


if __name__ == "__main__":
    main()
