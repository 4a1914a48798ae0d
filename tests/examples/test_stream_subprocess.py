"""`examples/stream_subprocess.py` as its reader would run it."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import signal
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "stream_subprocess.py"


@pytest.fixture
def start(gateway, bucket):
    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            "backup.tar",
            "--",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "S3_ENDPOINT": gateway.endpoint,
                "S3_BUCKET": bucket,
                "AWS_REGION": gateway.region,
                "AWS_ACCESS_KEY_ID": gateway.access_key,
                "AWS_SECRET_ACCESS_KEY": gateway.secret_key,
            },
        )

    return start


@pytest.fixture
def uploads(boto3_client, bucket):
    return lambda: boto3_client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


async def test_a_command_without_end_is_ended_when_nobody_reads_it():
    spec = importlib.util.spec_from_file_location("stream_subprocess", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)

    async def read_and_leave():
        async with program.running(["cat", "/dev/zero"]) as output:
            while not output._paused:  # noqa: ASYNC110 - no event tells: it is full
                await asyncio.sleep(0)
            raise RuntimeError("the store is gone")

    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError, match="the store is gone"):
            await read_and_leave()


async def test_a_tar_of_a_directory_arrives(start, boto3_client, bucket, tmp_path):
    content = os.urandom(1 << 20)
    for number in range(12):
        (tmp_path / f"{number}.bin").write_bytes(content)
    process = await start("tar", "c", "-C", str(tmp_path), ".")
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"bytes in" in out
    got = boto3_client.get_object(Bucket=bucket, Key="backup.tar")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(got)) as tar:
        files = [tar.extractfile(member) for member in tar if member.isfile()]
        assert [file.read() == content for file in files] == [True] * 12


@pytest.mark.parametrize("mib", [1, 24])
async def test_a_command_that_fails_leaves_nothing(
    start, boto3_client, bucket, uploads, mib
):
    process = await start("sh", "-c", f"head -c {mib}M /dev/zero; exit 3")
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"nothing was stored: sh ended with status 3" in err
    assert "Contents" not in boto3_client.list_objects_v2(Bucket=bucket)
    assert uploads() == []


async def test_an_unknown_command_is_one_line(start, boto3_client, bucket):
    process = await start("no-such-command")
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err == (b"nothing was stored: no-such-command: No such file or directory\n")
    assert "Contents" not in boto3_client.list_objects_v2(Bucket=bucket)


async def test_an_interrupted_stream_leaves_nothing(
    start, boto3_client, bucket, uploads
):
    process = await start("sh", "-c", "head -c 24M /dev/zero; exec sleep 100")
    async with asyncio.timeout(20):
        while not uploads():  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"nothing was stored" in err
    assert "Contents" not in boto3_client.list_objects_v2(Bucket=bucket)
    assert uploads() == []
