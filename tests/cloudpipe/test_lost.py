"""A lost answer to CreateMultipartUpload: ours goes, somebody else's never does."""

from __future__ import annotations

import asyncio

import pytest

from cloudpipe import CloudPipe, CloudPipeError, End, Error, PartRetried, UploadOptions
from cloudpipe.targets import S3Target

MIB = 1 << 20
DATA = bytes(range(256)) * (10 << 12) + b"end"


@pytest.fixture
def pipe_of(make_pipe, faults):
    def make(**options):
        return make_pipe(end_point=faults.endpoint, **options)

    return make


@pytest.fixture
def others_upload(store):
    def begin(**options):
        return store.client.create_multipart_upload(
            Bucket=store.bucket,
            Key="file.zip",
            ChecksumAlgorithm="CRC64NVME",
            ChecksumType="FULL_OBJECT",
            **options,
        )["UploadId"]

    return begin


def ids(store):
    return [upload_id for _, upload_id in store.upload_ids()]


async def test_a_lost_create_leaves_nothing_and_others_alone(
    pipe_of, faults, store, others_upload
):
    other = others_upload()
    await asyncio.sleep(2.1)  # S3 tells whole seconds: not in the same ones
    faults.spoil("create", "reset after")
    async with pipe_of() as pipe:
        await pipe.write(DATA)
    assert ids(store) == [other]
    assert store.read() == DATA


async def test_it_is_looked_for_again_when_listing_fails(pipe_of, faults, store, drain):
    faults.spoil("create", "reset after")
    faults.spoil("list uploads", "503", times=3)
    pipe = pipe_of()
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(DATA)
    assert faults.seen.count("list uploads") == 4
    assert store.uploads() == []
    retried = [e.operation for e in drain(events) if isinstance(e, PartRetried)]
    assert retried == ["CreateMultipartUpload"]


async def test_nothing_follows_an_error_but_the_end(pipe_of, faults, store, drain):
    faults.spoil("create", "reset after", times=9)
    faults.spoil("list uploads", "503", times=3)
    pipe = pipe_of(max_retry=1)
    large, small = pipe.subscribe(), pipe.subscribe(maxsize=1)
    with pytest.raises(CloudPipeError):
        async with pipe:
            await pipe.write(DATA)
    for queue in (large, small):
        assert [type(e) for e in drain(queue)][-2:] == [Error, End]
    assert store.uploads() == []


async def test_an_upload_begun_meanwhile_by_another_is_spared(
    pipe_of, faults, store, others_upload, caplog
):
    faults.spoil("create", "stall after")
    async with pipe_of(read_timeout=1.5) as pipe:
        await pipe.write(DATA)
        await faults.reached("create").wait()
        while not store.uploads():  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(0.01)
        other = others_upload()
    assert other in ids(store)
    assert len(ids(store)) == 2  # nothing told which of them was ours
    assert "may be left" in caplog.text
    assert store.read() == DATA


async def test_who_fails_is_told_of_what_may_be_left(
    pipe_of, faults, store, others_upload
):
    faults.spoil("create", "reset after")
    faults.spoil("part 1", "403")
    other = others_upload()
    with pytest.raises(CloudPipeError, match="AccessDenied") as caught:
        async with pipe_of() as pipe:
            await pipe.write(DATA)
    (note,) = caught.value.__notes__
    assert "may be left" in note
    assert other in ids(store)


@pytest.mark.parametrize("kind", ["parts", "class"])
async def test_an_upload_that_is_not_of_our_kind_is_spared(
    pipe_of, faults, store, others_upload, kind
):
    faults.spoil("create", "reset after")
    other = others_upload(
        **({"StorageClass": "REDUCED_REDUNDANCY"} if kind == "class" else {})
    )
    if kind == "parts":
        store.client.upload_part(
            Bucket=store.bucket,
            Key="file.zip",
            UploadId=other,
            PartNumber=1,
            Body=b"x",
            ChecksumAlgorithm="CRC64NVME",
        )
    async with pipe_of() as pipe:
        await pipe.write(DATA)
    assert ids(store) == [other]


async def test_a_loss_is_forgotten_with_its_pipe(
    gateway, bucket, faults, store, others_upload
):
    async with S3Target(
        bucket,
        gateway.access_key,
        gateway.secret_key,
        end_point=faults.endpoint,
        region=gateway.region,
    ) as target:
        faults.spoil("create", "stall after")
        async with CloudPipe(target, "file.zip", max_chunk_size=5 * MIB) as pipe:
            await pipe.write(DATA)
            await faults.reached("create").wait()
            await pipe.terminate()
        other = others_upload()
        await asyncio.sleep(2.1)  # S3 tells whole seconds: not in the same ones
        faults.spoil("create", "reset after")
        async with CloudPipe(target, "file.zip", max_chunk_size=5 * MIB) as pipe:
            await pipe.write(DATA)
    assert other in ids(store)
    assert store.read() == DATA


async def test_uploads_on_later_pages_are_found(target, store):
    now = asyncio.get_running_loop().time
    since = now()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(target.begin("file.zip", UploadOptions()))
    lost = [(since, now())] * 3
    target._uploads.clear()  # as if no answer had come
    call = target._client.list_multipart_uploads

    async def one_a_page(**request):
        return await call(**request, MaxUploads=1)

    target._client.list_multipart_uploads = one_a_page
    assert await target.abort_lost("file.zip", UploadOptions(), lost)
    assert store.uploads() == []


async def test_a_create_that_stalls_is_given_up_in_time_to_remove_it(
    pipe_of, faults, store
):
    faults.spoil("create", "stall after")
    pipe = pipe_of(abort_timeout=4.0)

    async def upload():
        async with pipe:
            await pipe.write(DATA)

    task = asyncio.create_task(upload())
    await faults.reached("create").wait()
    while not store.uploads():  # noqa: ASYNC110 - no event to wait for
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.uploads() == []
