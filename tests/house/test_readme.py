"""Every command and every example of the README works as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for kind, text in fenced if kind == language]


def test_the_python_blocks_run_in_turn(tmp_path):
    """One program: later blocks use what the first one started."""
    code = blocks("python")
    assert len(code) == 3
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == "b'meow'"
    assert re.fullmatch(r"\d+ bytes at http://127\.0\.0\.1:\d+/photos/doc\.tar", second)
    assert third == "13 b'first, second'"


@pytest.mark.parametrize("command", [line.strip() for line in blocks("bash")])
def test_the_servers_start_and_stop(command, tmp_path):
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/python"
    with subprocess.Popen(
        [sys.executable, *arguments, "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        told = json.loads(server.stdout.readline())
        assert {"endpoint", "region", "pid", "access_key", "secret_key"} <= set(told)
        server.terminate()
        assert server.wait(20) == 0


def test_every_make_target_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"\bmake ([a-z][a-z-]*)", text)) - {"bench-gateway"}
    assert {"demo", "test", "check"} <= targets
    assert not {t for t in targets if not re.search(rf"^{t}:", makefile, re.MULTILINE)}
    assert (ROOT / "benchmarks" / "gateway.py").exists()


def test_every_file_linked_exists():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_names_in_the_layout_exist():
    (layout,) = (block for block in blocks("") if block.startswith("blob/"))
    package, missing = "", []
    for line in layout.splitlines():
        for word in re.findall(r"[\w*]+(?:/|\.py)", line):
            if line.startswith(word):
                package = word
            found = [*ROOT.glob(word), *ROOT.glob(package + word)]
            if not found:
                missing.append(word)
    assert not missing
