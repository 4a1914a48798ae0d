"""The options of the test suite do what they say: nothing is left out in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

TESTS = """
import asyncio
import pytest

@pytest.mark.servers
def test_of_a_foreign_server():
    pass

async def test_of_ours():
    print("loop:", type(asyncio.get_running_loop()).__module__)
"""


@pytest.fixture
def run(pytester: pytest.Pytester):
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makeini(
        "[pytest]\n"
        "addopts = --strict-markers -p no:cacheprovider -s\n"
        "asyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    pytester.makepyfile(TESTS)
    return pytester.runpytest_subprocess


def test_servers_are_required_unless_told_otherwise(run):
    run().assert_outcomes(passed=2)
    run("--require-servers").assert_outcomes(passed=2)


def test_no_servers_leaves_out_and_counts(run):
    result = run("--no-servers")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["--no-servers: 1 tests of foreign servers*left out"])


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ([], ["asyncio"]),
        (["--loop", "uvloop"], ["uvloop"]),
        (["--loop", "both"], ["asyncio", "uvloop"]),
    ],
)
def test_the_loop_is_the_one_asked_for(run, options, seen):
    result = run(*options)
    result.assert_outcomes(passed=1 + len(seen))
    for name in seen:
        result.stdout.fnmatch_lines([f"*loop: {name}*"])
