"""What `serve` does once its options are understood: open, listen, wait, stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import click

from ..errors import DriverConfigError
from ..gateway.app import make_app
from ..gateway.keys import KeyFile, StaticKeys, generate_key, write_keys
from ..gateway.server import Server
from ..registry import create_driver

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from ..driver import Driver
    from ..gateway.keys import AccessKey, KeyStore

__all__ = ("CannotServeError", "Plan", "run")


class CannotServeError(click.ClickException):
    """One line on stderr, exit status 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"blob serve: {self.format_message()}", file=file, err=file is None)


@dataclass(slots=True, kw_only=True)
class Plan:
    """What `serve` was told, options and configuration taken together."""

    driver: str
    root: Path | None
    host: str
    port: int
    keys: Path | None
    inline_key: AccessKey | None
    tls: ssl.SSLContext | None
    region: str
    durability: str | None
    quota: int | None
    obj_limit: int | None
    ephemeral: bool
    grace: float
    announced: dict[str, object] = field(default_factory=dict)


async def run(plan: Plan) -> None:
    """Serve until a signal; raises `CannotServeError`, or what the driver raises."""
    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(_driver(plan, stack))
        keys = await _key_store(plan)
        app = make_app(driver, auth=keys, region=plan.region)
        server = Server(
            app,
            host=plan.host,
            port=plan.port,
            ssl_context=plan.tls,
            grace=plan.grace,
        )
        try:
            await stack.enter_async_context(server)
        except OSError as error:
            raise CannotServeError(
                f"cannot listen on {plan.host} port {plan.port}: {_reason(error)}"
            ) from error
        stop = _stop_on_signals()
        _announce(plan, server.endpoint)
        await stop.wait()
        logging.getLogger("blob.serve").info("stopping")


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)  # asyncio's own text names the address again


def _driver(plan: Plan, stack: AsyncExitStack) -> Driver:
    options: dict[str, object] = {"type": plan.driver}
    if plan.ephemeral and plan.driver == "fs":
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="blob-"))
        options |= {"root": directory, "durability": "none"}
    for name in ("root", "durability", "quota", "obj_limit"):
        value = getattr(plan, name)
        if value is not None:
            options[name] = str(value) if name == "root" else value
    return create_driver(options)


async def _key_store(plan: Plan) -> KeyStore:
    """Return the keys of the file or configuration; else generate one."""
    if plan.inline_key is not None and plan.keys is None:
        return StaticKeys([plan.inline_key])
    path = plan.keys
    if path is None and plan.root is not None and plan.driver == "fs":
        path = plan.root / "keys.toml"
        await asyncio.to_thread(_generate_once, plan, path)
    if path is None:
        key = generate_key()
        _announce_key(plan, key)
        return StaticKeys([key])
    store = KeyFile(path)
    try:
        await store.load()
    except DriverConfigError as error:
        raise CannotServeError(str(error)) from error
    plan.announced["keys_file"] = str(path)
    return store


def _generate_once(plan: Plan, path: Path) -> None:
    key = generate_key()
    try:
        write_keys(path, [key])
    except FileExistsError:
        return
    except OSError as error:
        raise CannotServeError(f"keys file {path}: {error.strerror}") from error
    _announce_key(plan, key)


def _announce_key(plan: Plan, key: AccessKey) -> None:
    plan.announced |= {"access_key": key.access_key, "secret_key": key.secret_key}


def _stop_on_signals() -> asyncio.Event:
    """Return what the first signal sets; the second has its default effect."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def _first() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _first)
    return stop


def _announce(plan: Plan, endpoint: str) -> None:
    line = {
        "endpoint": endpoint,
        "region": plan.region,
        "pid": os.getpid(),
        "driver": plan.driver,
        **plan.announced,
    }
    click.echo(json.dumps(line))
