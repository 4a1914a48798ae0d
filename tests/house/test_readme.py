"""Every command and every example of the README works as it stands there."""

from __future__ import annotations

import json
import os
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


def run(*command, folder, **env):
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, **env},
    )


@pytest.fixture
def programs(tmp_path):
    """Each block as a file of its own, as a reader would save it."""
    paths = []
    for number, code in enumerate(blocks("python")):
        paths.append(tmp_path / f"test_block{number}.py")
        paths[-1].write_text(code)
    return paths


def test_the_throw_away_s3_serves_a_test_suite(programs):
    path = programs[0]
    done = run("-m", "pytest", "-q", path.name, folder=path.parent)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_backup_arrives(programs, gateway, boto3_client):
    path = programs[1]
    boto3_client.create_bucket(Bucket="backups")
    done = run(
        *("-W", "error", path.name),
        folder=path.parent,
        AWS_ENDPOINT_URL=gateway.endpoint,
        AWS_ACCESS_KEY_ID=gateway.access_key,
        AWS_SECRET_ACCESS_KEY=gateway.secret_key,
    )
    assert done.returncode == 0, done.stderr
    size, url = done.stdout.split(" bytes at ")
    assert url.strip() == f"{gateway.endpoint}/backups/doc.tar"
    head = boto3_client.head_object(Bucket="backups", Key="doc.tar")
    assert head["ContentLength"] == int(size)


def test_the_driver_keeps_a_note(programs):
    _, _, path = programs
    done = run("-W", "error", path.name, folder=path.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "13 b'first, second'\n"


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
