"""The demo keeps its promises, and says so by its exit status."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("demo")


def test_the_demo_shows_it_all():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    for promise in (
        "it is a tar",
        "the first object is whole",
        "the second is not in the listing",
        "HEAD of the second answers 404",
        "GET of the second answers 404",
        "never readable",
        "with status 0",
        "peak memory",
    ):
        assert promise in said, promise


def test_a_broken_promise_is_exit_status_1(demo, monkeypatch, capsys):
    monkeypatch.setattr(demo, "demo", lambda *_: demo.check(0, "the sky is green"))
    assert demo.main() == 1
    assert "not so: the sky is green" in capsys.readouterr().out


def test_a_gateway_that_cannot_start_is_told_with_its_log(demo, tmp_path):
    (tmp_path / "store").write_text("a file where the root should be")
    with pytest.raises(demo.DemoError, match="blob serve"):
        demo.start_gateway(tmp_path / "store")
