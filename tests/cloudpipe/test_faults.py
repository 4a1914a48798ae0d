"""Whatever goes wrong: the whole object with the right digest or none, nothing left."""

from __future__ import annotations

import asyncio
import time

import pytest

from cloudpipe import (
    AbortFailedError,
    CloudPipeError,
    ConnectionLostError,
    End,
    Error,
    OutcomeUnknownError,
    PartRetried,
    StalledError,
    UnreachableError,
)

MIB = 1 << 20
DATA = bytes(range(256)) * (10 << 12) + b"end"  # three parts, the last of 3 bytes
SMALL = b"small"

OPERATIONS = ["put", "create", "part 1", "part 2", "part 3", "complete"]
QUICK_FAULTS = ["reset", "reset after", "503", "500 after"]
STALLS = ["stall", "stall after"]
FAULTS = [*QUICK_FAULTS, *STALLS]
STALLED = 1.5  # seconds: longer than a busy machine keeps anybody waiting


@pytest.fixture
def faulty_pipe(make_pipe, faults):
    def make(**options):
        return make_pipe(end_point=faults.endpoint, **options)

    return make


@pytest.fixture
def side_by_side(make_pipe, more_faults):
    """Run `survive(operation, pipe, faults)` for each, with a key and a proxy each."""

    async def run(operations, survive, **options):
        async def one(operation):
            faults = await more_faults()
            pipe = make_pipe(operation, end_point=faults.endpoint, **options)
            await survive(operation, pipe, faults)

        await asyncio.gather(*map(one, operations))

    return run


def whole_or_none(store, data, *, finished, key="file.zip"):
    found = store.read(key)
    assert found in (data, None)
    assert not finished or found == data
    assert key not in store.uploads()


@pytest.mark.parametrize("fault", STALLS)
async def test_one_stall_of_each_request_is_survived(store, side_by_side, fault):
    async def survive(operation, pipe, faults):
        faults.spoil(operation, fault)
        data = SMALL if operation == "put" else DATA
        async with pipe:
            await pipe.write(data)
        assert faults.hit == 1
        assert (await pipe.finish()).size == len(data)
        whole_or_none(store, data, finished=True, key=operation)

    await side_by_side(OPERATIONS, survive, read_timeout=STALLED)


@pytest.mark.parametrize("fault", QUICK_FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_one_failure_at_each_request_is_survived(
    faulty_pipe, faults, store, operation, fault
):
    faults.spoil(operation, fault)
    data = SMALL if operation == "put" else DATA
    async with faulty_pipe() as pipe:
        await pipe.write(data)
    assert faults.hit == 1
    assert (await pipe.finish()).size == len(data)
    whole_or_none(store, data, finished=True)


@pytest.mark.parametrize("fault", ["reset after", "stall", "500 after"])
async def test_a_request_that_always_fails_leaves_all_or_nothing(
    store, side_by_side, drain, fault
):
    async def survive(operation, pipe, faults):
        faults.spoil(operation, fault, times=99)
        data = SMALL if operation == "put" else DATA
        events = pipe.subscribe()
        finished = False
        try:
            async with pipe:
                await pipe.write(data)
            finished = True
        except CloudPipeError:
            pass
        assert faults.hit == 2
        whole_or_none(store, data, finished=finished, key=operation)
        told = drain(events)
        assert len([e for e in told if isinstance(e, PartRetried)]) >= 1
        assert [type(e) for e in told].count(Error) == (not finished)
        assert told[-1] == End("finished" if finished else "failed")

    operations = ["put", "create", "part 2", "complete"]
    await side_by_side(operations, survive, read_timeout=STALLED, max_retry=1)


@pytest.mark.parametrize("fault", [*FAULTS, "200 error"])
async def test_one_failure_of_the_abort_is_survived(faulty_pipe, faults, store, fault):
    faults.spoil("abort", fault)
    async with faulty_pipe(read_timeout=STALLED) as pipe:
        await pipe.write(DATA)
        await faults.reached("part 2").wait()
        await pipe.abort()
    assert faults.hit == 1
    whole_or_none(store, DATA, finished=False)


async def test_an_abort_that_is_refused_is_told(faulty_pipe, faults, store, drain):
    faults.spoil("abort", "403", times=99)
    pipe = faulty_pipe()
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(DATA)
        await faults.reached("part 2").wait()
        with pytest.raises(AbortFailedError) as caught:
            await pipe.abort()
    assert caught.value.upload_id
    end = drain(events)[-1]
    assert (end.outcome, end.upload_id) == ("aborted", caught.value.upload_id)
    assert store.read() is None


async def test_an_error_in_a_200_of_the_completion_is_an_error(
    faulty_pipe, faults, store
):
    faults.spoil("complete", "200 error", times=2)
    async with faulty_pipe() as pipe:
        await pipe.write(DATA)
    assert faults.seen.count("complete") == 3
    whole_or_none(store, DATA, finished=True)


async def test_an_error_in_a_200_of_every_completion_fails_and_aborts(
    faulty_pipe, faults, store
):
    faults.spoil("complete", "200 error", times=99)
    with pytest.raises(CloudPipeError):
        async with faulty_pipe(max_retry=1) as pipe:
            await pipe.write(DATA)
    assert faults.seen.count("complete") == 2
    whole_or_none(store, DATA, finished=False)
    assert store.read() is None


@pytest.mark.parametrize("operation", ["complete", "put"])
async def test_a_lost_answer_is_resolved_by_looking(
    faulty_pipe, faults, store, operation
):
    faults.spoil(operation, "reset after")
    data = SMALL if operation == "put" else DATA
    async with faulty_pipe(max_retry=0) as pipe:
        await pipe.write(data)
    result = await pipe.finish()
    assert result.etag == store.client.head_object(Bucket=store.bucket, Key="file.zip")[
        "ETag"
    ].strip('"')
    assert "head" in faults.seen
    whole_or_none(store, data, finished=True)


@pytest.mark.parametrize("integrity", ["none", "md5", "sha256"])
async def test_looking_works_without_a_crc_too(faulty_pipe, faults, store, integrity):
    faults.spoil("complete", "reset after")
    async with faulty_pipe(max_retry=0, integrity=integrity) as pipe:
        await pipe.write(DATA)
    whole_or_none(store, DATA, finished=True)


async def test_a_lost_answer_that_looking_cannot_resolve_is_its_own_error(
    faulty_pipe, faults, store
):
    faults.spoil("complete", "reset after")
    faults.spoil("list", "403", times=99)
    faults.spoil("head", "403", times=99)
    with pytest.raises(OutcomeUnknownError):
        async with faulty_pipe(max_retry=0) as pipe:
            await pipe.write(DATA)
    assert store.read() == DATA
    assert store.uploads() == []


async def test_an_object_replaced_meanwhile_is_not_taken_for_ours(
    faulty_pipe, faults, store
):
    faults.spoil("complete", "stall after")
    with pytest.raises(OutcomeUnknownError):  # noqa: PT012 - the block is what must fail
        async with faulty_pipe(max_retry=0, read_timeout=STALLED) as pipe:
            await pipe.write(DATA)
            finishing = asyncio.create_task(pipe.finish())
            await faults.reached("complete").wait()
            while store.read() is None:  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0)
            store.client.put_object(Bucket=store.bucket, Key="file.zip", Body=b"new")
            await finishing
    assert store.read() == b"new"


async def test_a_stalled_part_is_sent_again(faulty_pipe, faults, store, drain):
    faults.spoil("part 2", "stall")
    pipe = faulty_pipe(read_timeout=STALLED)
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(DATA)
    (retry,) = [e for e in drain(events) if isinstance(e, PartRetried)]
    assert (retry.number, retry.operation) == (2, "UploadPart")
    assert isinstance(retry.error, StalledError)
    assert isinstance(retry.error, TimeoutError)


# -- below HTTP: the TCP proxy -------------------------------------------------------


@pytest.fixture
def proxy(gateway, start_proxy):
    host, _, port = gateway.endpoint.removeprefix("http://").partition(":")
    return start_proxy(host, int(port))


@pytest.fixture
def proxied_pipe(make_pipe, proxy):
    def make(**options):
        return make_pipe(end_point=f"http://{proxy.host}:{proxy.port}", **options)

    return make


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("action", ["cut", "reset", "stall"])
@pytest.mark.parametrize("after", [100, 9 * MIB])
async def test_the_connection_fails_after_any_bytes(
    proxied_pipe, proxy, store, action, direction, after
):
    proxy.after(
        after if direction == "up" else after % 1000, action, direction=direction
    )
    async with proxied_pipe(read_timeout=STALLED) as pipe:
        await pipe.write(DATA)
    whole_or_none(store, DATA, finished=True)


async def test_a_server_that_stops_reading_is_a_stall(proxied_pipe, proxy, store):
    pipe = proxied_pipe(read_timeout=STALLED)
    events = pipe.subscribe()
    async with pipe:
        proxy.stall()
        await pipe.write(DATA)
        while not isinstance(event := await events.get(), PartRetried):
            pass
        assert isinstance(event.error, StalledError)
        proxy.resume()
    whole_or_none(store, DATA, finished=True)


async def test_a_server_gone_for_longer_than_the_retries(
    proxied_pipe, proxy, store, drain
):
    pipe = proxied_pipe(max_retry=2, abort_timeout=1.0)
    events = pipe.subscribe()
    started = time.monotonic()
    with pytest.raises(ConnectionLostError) as caught:  # noqa: PT012 - the block is what must fail
        async with pipe:
            await pipe.write(DATA[: 6 * MIB])
            while pipe.bytes_held > MIB:  # the first part is stored  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.01)
            proxy.refuse()
            await pipe.write(DATA[6 * MIB :])
    assert isinstance(caught.value, UnreachableError)
    assert time.monotonic() - started < 10
    end = drain(events)[-1]
    assert end.outcome == "failed"
    assert end.upload_id
    assert store.read() is None
    assert store.uploads() == ["file.zip"]


async def test_a_server_that_comes_back_in_time(proxied_pipe, proxy, store):
    async with proxied_pipe(max_retry=20) as pipe:
        await pipe.write(DATA[: 6 * MIB])
        proxy.refuse()
        await pipe.write(DATA[6 * MIB :])
        asyncio.get_running_loop().call_later(0.1, proxy.accept)
    whole_or_none(store, DATA, finished=True)
