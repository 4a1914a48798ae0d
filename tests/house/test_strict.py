"""The strict plugin sees what it says it sees, on both loops, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INI = """
[pytest]
addopts = -p tests.fix_strict -p no:cacheprovider
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
strict_packages = victim
strict_cpu_seconds = 0.2
strict_grace_seconds = 0.2
timeout = 5
"""

CONFTEST = """
import asyncio
import uvloop

def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
"""

VICTIM = """
import os, time

def sleeps():
    time.sleep(0.001)

def swallows():
    try:
        time.sleep(0.001)
    except Exception:
        pass

def syncs(path):
    with open(path, "wb") as file:
        os.fsync(file.fileno())
"""

BAD = """
import asyncio, gc, os, socket, threading, time, warnings
import pytest
import victim

kept = []

async def test_task():
    kept.append(asyncio.create_task(asyncio.sleep(60)))

async def test_descriptor():
    kept.append(os.open("/dev/null", os.O_RDONLY))

async def test_socket():
    kept.append(socket.socket())

def test_descriptor_without_loop():
    kept.append(os.open("/dev/null", os.O_RDONLY))

async def test_thread():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()

async def test_blocks():
    victim.sleeps()

async def test_blocks_and_swallows():
    victim.swallows()

async def test_syncs(tmp_path):
    victim.syncs(tmp_path / "file")

async def test_callback_raises():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)

async def test_exception_never_retrieved():
    async def fails():
        raise RuntimeError("nobody looks")
    task = asyncio.create_task(fails())
    await asyncio.sleep(0.01)

async def test_keeps_the_loop_busy():
    end = time.thread_time() + 0.3
    while time.thread_time() < end:
        pass

async def test_warns():
    warnings.warn("careful")

async def test_unraisable():
    class Bad:
        def __del__(self):
            raise RuntimeError("in __del__")
    Bad()

async def test_fixture_leaks(leaky):
    pass

@pytest.fixture
async def leaky():
    kept.append(os.open("/dev/null", os.O_RDONLY))
"""

GOOD = """
import asyncio, os, socket, subprocess, sys, threading, time
import pytest
import victim

@pytest.fixture(scope="module")
def wide():
    thread = threading.Thread(target=(stop := threading.Event()).wait)
    thread.start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
    stop.set()
    thread.join()

@pytest.fixture
async def narrow():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    yield server
    server.close()
    await server.wait_closed()

async def test_uses_fixtures(wide, narrow):
    await asyncio.to_thread(victim.sleeps)

def test_sync(wide):
    victim.sleeps()

async def test_late(request):
    request.getfixturevalue("wide")

async def test_task_cancelled_but_not_awaited():
    asyncio.create_task(asyncio.sleep(60)).cancel()

async def test_waits_without_cpu():
    await asyncio.sleep(0.3)

async def test_held_by_others():
    time.sleep(0.3)  # wall clock, not CPU time; and not in a package we watch

async def test_subprocess():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    assert await process.wait() == 0

async def test_small_cpu():
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{pytester.path}")
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(victim=VICTIM)

    def run_tests(text: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(pytester.makepyfile(test_it=text))

    return run_tests


def test_every_bad_test_is_seen(run):
    result = run(BAD)
    text = result.stdout.str()
    seen_by = {
        "test_task": "leaked task",
        "test_descriptor": "leaked descriptor",
        "test_socket": "leaked descriptor",
        "test_descriptor_without_loop": "leaked descriptor",
        "test_thread": "leaked thread",
        "test_blocks": "blocking call to time.sleep",
        "test_blocks_and_swallows": "blocking call to time.sleep",
        "test_syncs": "blocking call to builtins.open",
        "test_callback_raises": "ZeroDivisionError",
        "test_exception_never_retrieved": "never retrieved",
        "test_keeps_the_loop_busy": "kept busy",
        "test_warns": "careful",
        "test_unraisable": "in __del__",
        "test_fixture_leaks": "leaked descriptor",
    }
    blocks = _by_test(text)
    for name, words in seen_by.items():
        variants = ("",) if name.endswith("without_loop") else ("[asyncio]", "[uvloop]")
        for variant in variants:
            assert words in blocks.get(name + variant, ""), name + variant + text
    assert set(blocks) <= {
        name + variant for name in seen_by for variant in ("", "[asyncio]", "[uvloop]")
    }


def test_no_good_test_is_blamed(run):
    result = run(GOOD)
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=15)
    result.stdout.fnmatch_lines(["event loops: longest callback * s of CPU*"])


def test_a_test_over_its_time_limit_fails(run):
    result = run(
        "import asyncio, pytest\n"
        "@pytest.mark.timeout(0.3)\n"
        "async def test_hangs():\n"
        "    await asyncio.Event().wait()\n"
    )
    assert result.parseoutcomes()["failed"] == 2  # on either loop
    result.stdout.fnmatch_lines(["*Timeout*0.3*"])


def _by_test(text: str) -> dict[str, str]:
    """Map each test that failed, or whose teardown did, to what was said of it."""
    blocks: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("_____") and " test_" in line:
            name = line.strip("_ ").split()[-1]
        elif line.startswith("===="):
            name = ""
        if name:
            blocks[name] = blocks.get(name, "") + line + "\n"
    return blocks
