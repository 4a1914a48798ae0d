"""The house of the tests: which plugins there are, and what the command line says.

Everything shared lives in a plugin of its own, `tests/fix_*.py`, found by its name.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytest_plugins = (
    "pytester",
    *sorted(f"tests.{path.stem}" for path in Path(__file__).parent.glob("fix_*.py")),
)

_LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
# What a pipe promises holds on either loop, which is the user's and drives its sockets;
# how its pieces do it is tried on one.
_MATTERS = Path(__file__).parent / "cloudpipe" / "test_seed_contract.py"
_LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("aiostow")
    group.addoption(
        "--require-servers",
        action="store_true",
        dest="servers",
        default=True,
        help="run the tests of foreign servers; a missing one fails them (default)",
    )
    group.addoption(
        "--no-servers",
        action="store_false",
        dest="servers",
        help="leave the tests of foreign servers out, and count them in the summary",
    )
    group.addoption(
        "--loop",
        choices=(*_LOOPS, "both"),
        help="the event loop that runs the coroutines (default: asyncio, and uvloop too"
        " for the contract of cloudpipe)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "servers: needs a foreign server; left out by --no-servers, never skipped",
    )


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    default = "both" if item.path == _MATTERS else "asyncio"
    chosen = config.getoption("--loop") or default
    return _LOOPS if chosen == "both" else {chosen: _LOOPS[chosen]}


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("servers"):
        return
    left_out = [item for item in items if item.get_closest_marker("servers")]
    items[:] = [item for item in items if not item.get_closest_marker("servers")]
    config.hook.pytest_deselected(items=left_out)
    config.stash[_LEFT_OUT] = len(left_out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if not config.getoption("servers"):
        count = config.stash.get(_LEFT_OUT, 0)
        terminalreporter.write_line(
            f"--no-servers: {count} tests of foreign servers were left out"
        )
