"""The group of commands behind `python -m blob`."""

from __future__ import annotations

import click

from .serve import serve

__all__ = ("cli",)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Blob stores, and the S3 gateway in front of them."""


cli.add_command(serve)
