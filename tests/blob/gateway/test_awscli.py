"""The aws cli works the gateway as its users would, over http and https."""

from __future__ import annotations

import hashlib
import json
import os
from uuid import uuid4

import pytest

# The first of them installs the program, which is not the test's time.
pytestmark = pytest.mark.timeout(60, func_only=True)

LARGE = os.urandom(20 * 1024 * 1024)


def test_one_file_after_another(aws, tmp_path):
    bucket = f"s3://cli-{uuid4().hex}"
    aws("s3", "mb", bucket)
    (tmp_path / "small.txt").write_bytes(b"small")
    aws("s3", "cp", "small.txt", f"{bucket}/a/small.txt")
    aws("s3", "cp", "-", f"{bucket}/a/large", stdin=LARGE)
    listing = aws("s3", "ls", f"{bucket}/a/").decode()
    assert "small.txt" in listing
    assert str(len(LARGE)) in listing
    assert "PRE a/" in aws("s3", "ls", f"{bucket}/").decode()
    aws("s3", "mv", f"{bucket}/a/large", f"{bucket}/moved")
    aws("s3", "cp", f"{bucket}/moved", "back")
    assert (tmp_path / "back").read_bytes() == LARGE
    assert aws("s3", "cp", f"{bucket}/a/small.txt", "-") == b"small"
    assert "404" in aws("s3", "cp", f"{bucket}/a/large", "-", status=1)


def test_whole_folders(aws, any_bucket, tmp_path):
    bucket = f"s3://{any_bucket}"
    folder = tmp_path / "folder" / "sub dir"
    folder.mkdir(parents=True)
    (folder / "ümläut + plus.txt").write_bytes(b"name")
    (tmp_path / "folder" / "two").write_bytes(b"two")
    aws("s3", "sync", "folder", f"{bucket}/sync")
    aws("s3", "sync", f"{bucket}/sync", "again")
    again = tmp_path / "again" / "sub dir" / "ümläut + plus.txt"
    assert again.read_bytes() == b"name"
    assert aws("s3", "sync", "folder", f"{bucket}/sync") == b""
    assert "BucketNotEmpty" in aws("s3", "rb", bucket, status=1)
    aws("s3", "rm", "--recursive", bucket)
    assert aws("s3", "ls", f"{bucket}/") == b""
    aws("s3", "rb", bucket)


@pytest.mark.parametrize("any_gateway", ["http"], indirect=True)
def test_s3api_conditions(aws, any_bucket, tmp_path):
    (tmp_path / "one").write_bytes(b"one")
    (tmp_path / "two").write_bytes(b"two")
    where = ("--bucket", any_bucket, "--key", "k")
    put = ("s3api", "put-object", *where, "--body")
    made = json.loads(aws(*put, "one", "--if-none-match", "*"))
    etag = hashlib.md5(b"one").hexdigest()
    assert made["ETag"] == f'"{etag}"'
    assert "PreconditionFailed" in aws(*put, "two", "--if-none-match", "*", status=255)
    assert "PreconditionFailed" in aws(*put, "two", "--if-match", "x", status=255)
    aws(*put, "two", "--if-match", made["ETag"])
    get = ("s3api", "get-object", *where)
    assert "304" in aws(
        *get, "--if-none-match", hashlib.md5(b"two").hexdigest(), "out", status=255
    )
    assert "PreconditionFailed" in aws(*get, "--if-match", etag, "out", status=255)
    told = json.loads(aws(*get, "--range", "bytes=1-", "out"))
    assert told["ContentRange"] == "bytes 1-2/3"
    assert (tmp_path / "out").read_bytes() == b"wo"
