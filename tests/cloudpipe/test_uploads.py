"""What arrives: every size, http and https, options, checksums, pipes to one key."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest

from cloudpipe import (
    CertificateError,
    CloudPipe,
    ConfigError,
    NoSuchKeyError,
    NoSuchUploadError,
    PartRetried,
    PartSizeGrown,
    Progress,
    Target,
    Upload,
    UploadOptions,
)
from cloudpipe._sizes import PartSizes
from cloudpipe.targets import S3Target

MIB = 1 << 20
PART = 5 * MIB
BASE = random.Random(4).randbytes(3 * PART + 1)


@pytest.mark.parametrize(
    "size",
    [n * PART + d for n in (0, 1, 2, 3) for d in (-1, 0, 1) if n * PART + d >= 0],
)
@pytest.mark.parametrize("step", [999_983, 4 * PART])
async def test_every_size_around_the_part_boundaries(make_pipe, store, size, step):
    data = BASE[:size]
    async with make_pipe() as pipe:
        for start in range(0, size, step):
            await pipe.write(data[start : start + step])
    result = await pipe.finish()
    assert result.size == size
    assert hashlib.sha256(store.read()).digest() == hashlib.sha256(data).digest()
    head = store.client.head_object(Bucket=store.bucket, Key="file.zip")
    assert head["ETag"].strip('"') == result.etag
    assert store.uploads() == []


async def test_single_bytes(make_pipe, store):
    data = BASE[:200_000]
    async with make_pipe() as pipe:
        for start in range(len(data)):
            await pipe.write(data[start : start + 1])
    assert store.read() == data


async def test_a_64_mib_single_write(make_pipe, store):
    data = random.Random(1).randbytes(MIB) * 64
    async with make_pipe() as pipe:
        await pipe.write(data)
    read = await asyncio.to_thread(store.read)
    assert await asyncio.to_thread(lambda: read == data)


@pytest.mark.parametrize("make", [bytearray, memoryview, lambda b: memoryview(b)[::1]])
async def test_any_bytes_like(make_pipe, store, make):
    async with make_pipe() as pipe:
        await pipe.write(make(BASE[:PART]))
        await pipe.write(memoryview(BASE[PART : PART + 8]).cast("Q"))
        assert pipe.write_nowait(make(BASE[PART + 8 : PART + 99]))
    assert store.read() == BASE[: PART + 99]


async def test_a_mutable_buffer_may_be_reused_at_once(make_pipe, store):
    buffer = bytearray(MIB)
    async with make_pipe() as pipe:
        for number in range(7):
            buffer[:] = bytes([number]) * MIB
            await pipe.write(buffer)
            buffer[:] = b"\xff" * MIB
    assert store.read() == b"".join(bytes([number]) * MIB for number in range(7))


@pytest.mark.parametrize("compatible", [False, True])
@pytest.mark.parametrize(
    "integrity", ["crc64nvme", "crc32c", "crc32", "sha256", "md5", "none"]
)
async def test_every_integrity(make_pipe, store, integrity, compatible):
    for key, size in (("small", 10), ("large", 2 * PART + 1)):
        options = {"integrity": integrity, "compatible": compatible}
        async with make_pipe(key=key, **options) as pipe:
            await pipe.write(BASE[:size])
        assert store.read(key) == BASE[:size]
        result = await pipe.finish()
        assert (result.checksum != "") == (integrity not in ("md5", "none"))


async def test_the_checksum_of_the_whole_object_is_stored(make_pipe, store):
    async with make_pipe() as pipe:
        await pipe.write(BASE)
    head = store.client.head_object(
        Bucket=store.bucket, Key="file.zip", ChecksumMode="ENABLED"
    )
    assert head["ChecksumType"] == "FULL_OBJECT"
    assert head["ChecksumCRC64NVME"] == (await pipe.finish()).checksum != ""


@pytest.mark.parametrize("compatible", [False, True])
@pytest.mark.parametrize("size", [10, PART + 1])
async def test_options_are_stored(make_pipe, store, size, compatible):
    options = UploadOptions(
        content_type="text/plain",
        metadata={"Name": "a value"},
        cache_control="no-cache",
        content_disposition='attachment; filename="a"',
        content_encoding="gzip",
        content_language="de",
    )
    async with make_pipe(options=options, compatible=compatible) as pipe:
        await pipe.write(bytes(size))
    head = store.client.head_object(Bucket=store.bucket, Key="file.zip")
    assert head["ContentType"] == "text/plain"
    assert head["Metadata"] == {"name": "a value"}
    assert head["CacheControl"] == "no-cache"
    assert head["ContentDisposition"] == 'attachment; filename="a"'
    assert head["ContentEncoding"] == "gzip"
    assert head["ContentLanguage"] == "de"


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"a": "b\r\nx-amz-acl: public-read"}},
        {"metadata": {"ä": "b"}},
        {"content_type": "a\nb"},
    ],
)
def test_options_that_are_no_headers_are_refused(options):
    with pytest.raises(ConfigError):
        UploadOptions(**options)


async def test_https(gateway_https, new_bucket, boto3_for):
    bucket = new_bucket(gateway_https)
    async with CloudPipe.s3(
        bucket,
        gateway_https.access_key,
        gateway_https.secret_key,
        "key",
        PART,
        end_point=gateway_https.endpoint.removeprefix("https://"),
        region=gateway_https.region,
        ca_file=str(gateway_https.ca_file),
    ) as pipe:
        await pipe.write(BASE)
    client = boto3_for(gateway_https)
    assert client.get_object(Bucket=bucket, Key="key")["Body"].read() == BASE


@pytest.mark.parametrize("large", [False, True])
async def test_https_is_verified(gateway_https, new_bucket, drain, large):
    pipe = CloudPipe.s3(
        new_bucket(gateway_https),
        gateway_https.access_key,
        gateway_https.secret_key,
        "key",
        end_point=gateway_https.endpoint,
        region=gateway_https.region,
        abort_timeout=1,
    )
    events = pipe.subscribe()
    with pytest.raises(CertificateError) as caught:
        async with pipe:
            await pipe.write(bytes(2 * PART if large else 1))
    assert not caught.value.retryable
    assert not [e for e in drain(events) if isinstance(e, PartRetried)]


async def test_two_pipes_to_one_key_leave_one_whole_object(make_pipe, store):
    async def upload(letter: bytes):
        async with make_pipe() as pipe:
            for _ in range(12):
                await pipe.write(letter * MIB)

    await asyncio.gather(upload(b"a"), upload(b"b"))
    assert store.read() in (b"a" * 12 * MIB, b"b" * 12 * MIB)
    assert store.uploads() == []


async def test_several_writers_each_write_is_whole(make_pipe, store):
    async with make_pipe(concurrency=1) as pipe:
        await asyncio.gather(
            *(pipe.write(bytes([number]) * MIB) for number in range(24))
        )
    data = store.read()
    letters = [data[start : start + MIB] for start in range(0, len(data), MIB)]
    assert sorted(letters) == [bytes([number]) * MIB for number in range(24)]


async def test_one_target_serves_many_pipes_and_stays_open(gateway, bucket, store):
    async with S3Target(
        bucket,
        gateway.access_key,
        gateway.secret_key,
        end_point=gateway.endpoint,
        region=gateway.region,
    ) as target:
        assert isinstance(target, Target)

        async def upload(key: str):
            async with CloudPipe(target, key, max_chunk_size=PART) as pipe:
                await pipe.write(BASE[: PART + 1])

        await asyncio.gather(*(upload(f"key {number}") for number in range(5)))
        with pytest.raises(NoSuchKeyError):
            await target.head("nothing")
        with pytest.raises(NoSuchUploadError):
            await target.list_parts(Upload("key", "nothing"))
    await target.aclose()
    for number in range(5):
        assert store.read(f"key {number}") == BASE[: PART + 1]


async def test_a_ready_client_is_used_and_never_closed(
    gateway, bucket, store, aiobotocore_for
):
    async with aiobotocore_for(gateway) as client:
        async with CloudPipe.s3(bucket, None, None, "key", PART, client=client) as pipe:
            await pipe.write(BASE)
        assert (await client.head_object(Bucket=bucket, Key="key"))["ETag"]
    assert store.read("key") == BASE


async def test_events_tell_the_progress(make_pipe, drain):
    pipe = make_pipe(expected_size=len(BASE))
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(BASE)
    told = [e for e in drain(events) if isinstance(e, Progress)]
    assert [e.uploaded for e in told] == sorted(e.uploaded for e in told)
    assert told[-1] == Progress(len(BASE), len(BASE), len(BASE))


async def test_growing_parts_are_told_and_arrive(make_pipe, store, drain):
    pipe = make_pipe()
    # 5,000 parts would be 25 GiB: the schedule alone is made shorter.
    pipe._intake._buffer._chunker._sizes = PartSizes(PART, grow_from=1, double_every=1)
    events = pipe.subscribe()
    async with pipe:
        assert pipe.write_nowait(BASE)  # one write crosses two changes
        await pipe.write(BASE)
    grown = [e for e in drain(events) if isinstance(e, PartSizeGrown)]
    assert grown == [PartSizeGrown(2, 2 * PART), PartSizeGrown(3, 4 * PART)]
    assert store.read() == 2 * BASE
