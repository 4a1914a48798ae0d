"""The example runs as its page says: its own pages, and a store beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.fix_gateway import Gateway

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start_example(tmp_path):
    started = []

    def start():
        started.append(run(tmp_path / "own"))
        told = dict(
            started[-1].stdout.readline().strip().split("=", 1) for _ in range(3)
        )
        gateway = Gateway(
            told["AWS_ENDPOINT_URL"],
            told["AWS_ACCESS_KEY_ID"],
            told["AWS_SECRET_ACCESS_KEY"],
            "us-east-1",
            started[-1].pid,
        )
        return started[-1], gateway

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def run(own):
    return subprocess.Popen(
        [sys.executable, "examples/serve_directory.py", str(own), "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_a_store_beside_pages_of_ones_own(start_example, boto3_for, tmp_path):
    example, gateway = start_example()
    assert gateway.endpoint.endswith("/s3")
    with urllib.request.urlopen(gateway.endpoint.removesuffix("s3")) as page:
        assert page.read().startswith(b"Hello")
    s3 = boto3_for(gateway)
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="2026/a + b.jpg", Body=b"x" * 100_000)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["photos"]
    listing = s3.list_objects_v2(Bucket="photos", Prefix="2026/")
    assert [entry["Key"] for entry in listing["Contents"]] == ["2026/a + b.jpg"]
    found = s3.get_object(Bucket="photos", Key="2026/a + b.jpg")
    assert found["Body"].read() == b"x" * 100_000
    assert (tmp_path / "own").is_dir()
    example.send_signal(signal.SIGINT)
    assert example.wait(20) == 0
    assert example.stdout.read() == "stopped\n"
    example, gateway = start_example()
    (bucket,) = boto3_for(gateway).list_buckets()["Buckets"]
    assert bucket["Name"] == "photos"
