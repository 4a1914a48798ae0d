"""`python -m blob serve`: the S3 gateway as a process of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import ssl
import sys
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import BlobError, DriverConfigError
from ..registry import driver_types
from ._config import read_config
from ._run import CannotServeError, Plan, run

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("serve",)

_KEYS = "blob.keys"


def _configure(
    context: click.Context, _parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Make the file's settings the defaults of the options."""
    if path is None:
        return None
    known = [p.name for p in context.command.params if p.name and p.name != "config"]
    try:
        config = read_config(path, known)
    except OSError as error:
        raise CannotServeError(f"configuration {path}: {error.strerror}") from error
    except DriverConfigError as error:
        raise CannotServeError(str(error)) from error
    context.default_map = {**(context.default_map or {}), **config.options}
    context.meta[_KEYS] = config.key
    for name in config.ignored:
        click.echo(f"blob serve: the setting {name!r} has no meaning here.", err=True)
    return path


_LOG_RECORDS = 10_000  # that may wait for a slow reader of stderr


class _Path(click.Path):
    """A path; an empty one is an unset variable, and not the current directory."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        if not os.fspath(value):
            self.fail("an empty path names nothing.", param, ctx)
        return super().convert(value, param, ctx)


_PATH = _Path()


@click.command("serve")
@click.option(
    "--config",
    type=_PATH,
    envvar="BLOB_CONFIG",
    is_eager=True,
    callback=_configure,
    expose_value=False,
    help="TOML or JSON file whose settings are defaults for these options, under their"
    " names (driver, root, obj_limit, ...), or in the older form: drivers,"
    " current_driver, port, keyID, secretID.",
)
@click.option(
    "--driver",
    type=click.Choice(driver_types()),
    default="fs",
    envvar="BLOB_DRIVER",
    show_default=True,
    help="Where objects are kept: fs in files under --root, memory until the process"
    " ends.",
)
@click.option(
    "--root",
    type=_PATH,
    envvar="BLOB_ROOT",
    metavar="DIR",
    help="Directory of the fs driver; made if it is missing.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    envvar="BLOB_HOST",
    show_default=True,
    help="Address to listen on. Anything but loopback deserves --tls-cert.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9000,
    envvar="BLOB_PORT",
    show_default=True,
    help="Port to listen on; 0 takes a free one, told in the line on stdout.",
)
@click.option(
    "--keys",
    type=_PATH,
    envvar="BLOB_KEYS",
    metavar="FILE",
    help="TOML file of [[key]] tables with access_key and secret_key, and optional"
    " canonical_id and display_name; read again when it changes. Without it the fs"
    " driver uses DIR/keys.toml, generated at the first start.",
)
@click.option(
    "--tls-cert",
    type=_PATH,
    envvar="BLOB_TLS_CERT",
    metavar="FILE",
    help="Certificate chain in PEM: serve https. Goes with --tls-key.",
)
@click.option(
    "--tls-key",
    type=_PATH,
    envvar="BLOB_TLS_KEY",
    metavar="FILE",
    help="Private key of the certificate in PEM.",
)
@click.option(
    "--region",
    default="us-east-1",
    envvar="BLOB_REGION",
    show_default=True,
    help="Region that clients must sign for.",
)
@click.option(
    "--durability",
    type=click.Choice(["full", "data", "none"]),
    envvar="BLOB_DURABILITY",
    help="What an acknowledged write has survived, for drivers that let one choose:"
    " full a power cut (the fs driver's default), data one that spares the directory,"
    " none nothing but the end of the process.",
)
@click.option(
    "--quota",
    type=click.IntRange(0),
    envvar="BLOB_QUOTA",
    metavar="BYTES",
    help="Most bytes the store may hold; writes beyond are refused. Default: no limit.",
)
@click.option(
    "--obj-limit",
    type=click.IntRange(0),
    envvar="BLOB_OBJ_LIMIT",
    metavar="N",
    help="Most objects the store may hold. Default: no limit.",
)
@click.option(
    "--ephemeral",
    is_flag=True,
    envvar="BLOB_EPHEMERAL",
    help="A throw-away store for tests: in memory (with --driver fs in a temporary"
    " directory), a free port unless --port is given, generated keys printed on"
    " stdout, everything gone at exit.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=30.0,
    envvar="BLOB_GRACE",
    metavar="SECONDS",
    show_default=True,
    help="How long requests in flight may go on after SIGTERM or SIGINT; a second"
    " signal ends the process at once.",
)
@click.pass_context
def _serve(context: click.Context, /, **options: Any) -> None:
    """Serve a blob store to S3 clients until SIGTERM or SIGINT.

    When it is ready it prints one line of JSON on stdout: endpoint, region, pid, driver
    and keys_file, and the key itself where this start generated it. Logs go to stderr.

    The exit status is 0 after a stop by signal and 2 where it could not start, which
    one line on stderr explains.
    """
    plan = _plan(context, options)
    try:
        with _logging_aside():
            asyncio.run(run(plan))
    except DriverConfigError as error:
        raise CannotServeError(str(error)) from error
    except BlobError as error:
        where = f" in {plan.root}" if plan.root else ""
        raise CannotServeError(f"{plan.driver} driver{where}: {error}") from error
    except OSError as error:
        raise CannotServeError(error.strerror or str(error)) from error


serve: click.Command = _serve


class _LossyQueueHandler(QueueHandler):
    """Drops records while the queue is full: a log must not eat the memory."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's
        if not isinstance(sys.exc_info()[1], queue.Full):
            super().handleError(record)


@contextmanager
def _logging_aside() -> Iterator[None]:
    """Log to stderr from a thread: a reader that stalls must not stall the gateway."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    records: queue.Queue[logging.LogRecord] = queue.Queue(_LOG_RECORDS)
    listener = QueueListener(records, handler)
    # Not by basicConfig, which gives the queue a format too: lines would have two.
    root = logging.getLogger()
    root.addHandler(_LossyQueueHandler(records))
    root.setLevel(logging.INFO)
    listener.start()
    try:
        yield
    finally:
        listener.stop()


def _plan(context: click.Context, options: dict[str, Any]) -> Plan:
    cert, key = options.pop("tls_cert"), options.pop("tls_key")
    plan = Plan(**options, tls=_tls(cert, key), inline_key=context.meta.get(_KEYS))
    if plan.ephemeral:
        if plan.root is not None:
            raise click.UsageError("--ephemeral keeps nothing: it takes no --root.")
        if context.get_parameter_source("driver") is ParameterSource.DEFAULT:
            plan.driver = "memory"
        if context.get_parameter_source("port") is ParameterSource.DEFAULT:
            plan.port = 0
    elif plan.driver == "fs" and plan.root is None:
        raise click.UsageError("the fs driver needs --root DIR, or say --ephemeral.")
    return plan


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key go together.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:  # ssl.SSLError is one
        raise CannotServeError(
            f"certificate {cert} with key {key}: {error.strerror or error}"
        ) from error
    return context
