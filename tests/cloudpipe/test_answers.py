"""Answers that are no answer, answers of others, and the way the requests take."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from aiohttp import web

from cloudpipe import (
    Body,
    CloudPipe,
    InternalError,
    ObjectIntegrityError,
    OutcomeUnknownError,
    TargetError,
    UploadOptions,
)
from cloudpipe.targets._s3client import Network

MIB = 1 << 20
DATA = bytes(range(256)) * (10 << 12) + b"end"


@pytest.fixture
def faulty_pipe(make_pipe, faults):
    def make(**options):
        return make_pipe(end_point=faults.endpoint, **options)

    return make


# -- what the store says of the bytes ------------------------------------------------


async def test_a_200_that_confirms_nothing_is_sent_again_and_no_success(
    faulty_pipe, faults, store
):
    faults.hidden = {"ETag", "x-amz-checksum-crc64nvme"}
    with pytest.raises(InternalError, match="without an ETag"):
        async with faulty_pipe(max_retry=1) as pipe:
            await pipe.write(DATA)
    assert faults.seen.count("part 3") <= 2
    assert store.read() is None
    assert store.uploads() == []


async def test_an_md5_of_the_finished_object_is_compared(faulty_pipe, faults, store):
    faults.altered = {rb"[0-9a-f]{32}-3": b"0" * 32 + b"-3"}
    with pytest.raises(ObjectIntegrityError):
        async with faulty_pipe(integrity="md5") as pipe:
            await pipe.write(DATA)


async def test_an_etag_that_is_no_md5_is_no_damage(faulty_pipe, faults, store):
    faults.altered = {rb"[0-9a-f]{32}-3": b"opaque"}
    async with faulty_pipe(integrity="md5") as pipe:
        await pipe.write(DATA)
    assert store.read() == DATA


async def test_a_store_without_checksums_is_told_of_once(
    gateway, bucket, faults, store, caplog
):
    faults.hidden = {"x-amz-checksum-crc64nvme"}
    faults.altered = {rb"<ChecksumCRC64NVME>.*?</ChecksumCRC64NVME>": b""}
    async with CloudPipe.s3(
        bucket,
        gateway.access_key,
        gateway.secret_key,
        "large",
        5 * MIB,
        end_point=faults.endpoint,
        region=gateway.region,
    ) as pipe:
        await pipe.write(DATA)
        target = pipe._target
        upload = await target.begin("other", UploadOptions())
        part = await target.put_part(upload, 1, Body((b"x",), 1))
        await target.complete(upload, [part])
    assert (await pipe.finish()).checksum == ""
    assert caplog.text.count("confirms no crc64nvme checksum") == 1


# -- who answered --------------------------------------------------------------------


@pytest.mark.parametrize("max_retry", [0, 3])
async def test_a_balancers_503_of_a_completion_that_was_applied(
    faulty_pipe, faults, store, max_retry
):
    faults.spoil("complete", "balancer")
    async with faulty_pipe(max_retry=max_retry) as pipe:
        await pipe.write(DATA)
    assert (await pipe.finish()).size == len(DATA)
    assert store.read() == DATA
    assert store.uploads() == []


async def test_a_completion_that_somebody_sent_twice_is_looked_for(
    make_pipe, store, drain
):
    pipe = make_pipe()
    async with pipe:
        complete = pipe._target.complete

        async def twice(upload, parts):
            await complete(upload, parts)
            return await complete(upload, parts)

        pipe._target.complete = twice
        await pipe.write(DATA)
    assert (await pipe.finish()).size == len(DATA)
    assert store.read() == DATA


async def test_what_looking_found_is_told_as_found(faulty_pipe, faults, store):
    faults.spoil("complete", "stall")
    with pytest.raises(OutcomeUnknownError) as caught:  # noqa: PT012 - the block is what must fail
        async with faulty_pipe(read_timeout=1.5) as pipe:
            await pipe.write(DATA)
            finishing = asyncio.create_task(pipe.finish())
            await faults.reached("complete").wait()
            ((_, upload_id),) = store.upload_ids()
            store.client.abort_multipart_upload(
                Bucket=store.bucket, Key="file.zip", UploadId=upload_id
            )
            await finishing
    assert "aborted by somebody else" in str(caught.value)
    assert "looking failed" not in str(caught.value)
    assert store.read() is None


@pytest_asyncio.fixture
async def answering():
    """Start servers that give one answer to everything."""
    async with AsyncExitStack() as stack:

        async def start(status):
            seen = []

            async def handle(request):
                await request.read()
                seen.append(request.method)
                return web.Response(status=status)

            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", handle)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return seen, f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield start


@pytest.mark.parametrize("status", [501, 505])
async def test_what_a_server_cannot_do_is_not_tried_again(answering, status):
    seen, endpoint = await answering(status)
    with pytest.raises(TargetError) as caught:
        async with CloudPipe.s3(
            "bucket", "a", "s", "key", end_point=endpoint, region="r"
        ) as pipe:
            await pipe.write(b"data")
    assert caught.value.status == status
    assert seen == ["PUT"]


# -- the way there -------------------------------------------------------------------


async def test_bodies_take_the_proxy_that_control_calls_take(
    gateway, bucket, store, faults, monkeypatch
):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", faults.endpoint)
    monkeypatch.setenv("http_proxy", faults.endpoint)
    async with CloudPipe.s3(
        bucket,
        gateway.access_key,
        gateway.secret_key,
        "file.zip",
        5 * MIB,
        end_point=gateway.endpoint,
        region=gateway.region,
    ) as pipe:
        await pipe.write(DATA)
    assert sorted(faults.seen) == ["complete", "create", "part 1", "part 2", "part 3"]
    assert store.read() == DATA


@pytest.mark.parametrize("compatible", [False, True])
async def test_the_bundle_of_the_environment_is_trusted(
    gateway_https, new_bucket, boto3_for, monkeypatch, compatible
):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(gateway_https.ca_file))
    bucket = new_bucket(gateway_https)
    async with CloudPipe.s3(
        bucket,
        gateway_https.access_key,
        gateway_https.secret_key,
        "key",
        5 * MIB,
        end_point=gateway_https.endpoint,
        region=gateway_https.region,
        compatible=compatible,
    ) as pipe:
        await pipe.write(DATA)
    assert (await pipe.finish()).size == len(DATA)


async def test_a_client_that_verifies_nothing_is_followed(
    gateway_https, aiobotocore_session
):
    async with aiobotocore_session.create_client(
        "s3",
        endpoint_url=gateway_https.endpoint,
        region_name="r",
        aws_access_key_id="a",
        aws_secret_access_key="s",
        verify=False,
    ) as client:
        context = Network.of(client, gateway_https.endpoint).tls()
    assert context is not None
    assert not context.check_hostname
    assert context.verify_mode == 0
