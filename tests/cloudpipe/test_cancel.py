"""Cancelled anywhere: the object is whole or not there, nothing is left or leaks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

from cloudpipe import (
    ClosedError,
    CloudPipe,
    CloudPipeError,
    End,
    PartDone,
    PartStarted,
    Progress,
    Ready,
)

MIB = 1 << 20
DATA = bytes(range(256)) * (10 << 12) + b"end"


async def upload(pipe, data=DATA):
    async with pipe:
        for start in range(0, len(data), 1_000_000):
            await pipe.write(data[start : start + 1_000_000])


def shut_down(others):
    """Do as asyncio.run at its end: cancel every task at once, the pipe's own too."""
    for each in asyncio.all_tasks() - others:
        # The proxy lives on, and so do the connections it is accepting.
        if not any(name in repr(each) for name in ("RequestHandler", "_accept_conn")):
            each.cancel()


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def whole_or_none(store, data=DATA):
    assert store.read() in (data, None)
    assert store.uploads() == []


@pytest.mark.parametrize(
    "operation", ["create", "part 1", "part 2", "part 3", "complete"]
)
@pytest.mark.parametrize("fault", [None, "stall", "stall after"])
async def test_cancelled_at_each_request(make_pipe, faults, store, operation, fault):
    if fault:
        faults.spoil(operation, fault, times=99)
    pipe = make_pipe(end_point=faults.endpoint, abort_timeout=3.0)
    task = asyncio.create_task(upload(pipe))
    await faults.reached(operation).wait()
    await cancelled(task)
    whole_or_none(store)


@pytest.mark.parametrize("fault", [None, "stall", "stall after"])
async def test_cancelled_at_the_plain_put(make_pipe, faults, store, fault):
    if fault:
        faults.spoil("put", fault)
    pipe = make_pipe(end_point=faults.endpoint)
    task = asyncio.create_task(upload(pipe, b"small"))
    await faults.reached("put").wait()
    await cancelled(task)
    whole_or_none(store, b"small")


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
async def test_cancelled_before_it_has_begun(make_pipe, store, drain, steps):
    pipe = make_pipe()
    events = pipe.subscribe()
    task = asyncio.create_task(upload(pipe))
    for _ in range(steps):
        await asyncio.sleep(0)
    await cancelled(task)
    whole_or_none(store)
    assert [type(e) for e in drain(events)].count(End) == (steps > 0)


async def test_cancelled_after_any_event_and_a_few_steps(target, store):
    wanted = [Ready, PartStarted, PartDone, Progress]
    for number, steps in itertools.product(range(1, 10), (0, 1, 3, 7)):
        pipe = CloudPipe(target, "file.zip", max_chunk_size=5 * MIB, concurrency=2)
        events = pipe.events()
        task = asyncio.create_task(upload(pipe))
        for _ in range(number):
            while type(event := await anext(events)) not in (*wanted, End):
                pass
            if isinstance(event, End):
                break
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        whole_or_none(store)
        told = [type(event) async for event in events]
        assert isinstance(event, End) or told.count(End) == 1


async def test_cancelled_again_while_it_aborts(make_pipe, faults, store):
    faults.spoil("abort", "hold")
    pipe = make_pipe(end_point=faults.endpoint)
    task = asyncio.create_task(upload(pipe))
    await faults.reached("part 1").wait()
    task.cancel()
    await faults.reached("abort").wait()
    asyncio.get_running_loop().call_later(0.1, faults.released.set)
    await cancelled(task)
    whole_or_none(store)


async def test_a_cancelled_abort_goes_on(make_pipe, faults, store):
    faults.spoil("abort", "hold")
    with pytest.raises(ClosedError, match="another task"):  # noqa: PT012 - the block is what must fail
        async with make_pipe(end_point=faults.endpoint) as pipe:
            await pipe.write(DATA)
            await faults.reached("part 1").wait()
            task = asyncio.create_task(pipe.abort())
            await faults.reached("abort").wait()
            await cancelled(task)
            faults.released.set()
    whole_or_none(store)
    assert store.read() is None


async def test_a_producer_that_raises_aborts(make_pipe, faults, store):
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what must fail
        async with make_pipe(end_point=faults.endpoint) as pipe:
            await pipe.write(DATA)
            raise ZeroDivisionError
    assert store.read() is None
    assert store.uploads() == []


async def test_a_producer_that_raises_leaves_the_object_before(make_pipe, store):
    async with make_pipe() as pipe:
        await pipe.write(b"before")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what must fail
        async with make_pipe() as pipe:
            await pipe.write(b"after")
            raise ZeroDivisionError
    assert store.read() == b"before"


async def test_a_cancelled_write_took_all_or_nothing_and_the_next_works(
    make_pipe, faults, store
):
    faults.spoil("part 1", "hold")
    async with make_pipe(end_point=faults.endpoint, concurrency=1) as pipe:
        piece = bytes(4 * MIB)
        await pipe.write(piece)
        await pipe.write(piece)
        taken = pipe.bytes_taken
        task = asyncio.create_task(pipe.write(piece))
        await faults.reached("part 1").wait()
        assert not task.done()
        await cancelled(task)
        assert pipe.bytes_taken == taken
        faults.released.set()
        await pipe.write(b"next")
    assert store.read() == piece + piece + b"next"


async def test_a_cancelled_large_write_tells_how_much_it_took(make_pipe, faults, store):
    faults.spoil("part 1", "hold")
    async with make_pipe(end_point=faults.endpoint, concurrency=1) as pipe:
        task = asyncio.create_task(pipe.write(DATA))
        await faults.reached("part 1").wait()
        await cancelled(task)
        taken = pipe.bytes_taken
        assert 0 < taken < len(DATA)
        faults.released.set()
    assert store.read() == DATA[:taken]


async def test_a_cancelled_finish_can_be_waited_for_again(make_pipe, faults, store):
    faults.spoil("complete", "hold")
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(DATA)
        task = asyncio.create_task(pipe.finish())
        await faults.reached("complete").wait()
        await cancelled(task)
        faults.released.set()
        assert (await pipe.finish()).size == len(DATA)
    assert store.read() == DATA


async def test_writers_who_wait_are_told_of_a_failure(make_pipe, faults, store):
    faults.spoil("part 1", "403")
    pipe = make_pipe(end_point=faults.endpoint, concurrency=1)
    with pytest.raises(CloudPipeError, match="AccessDenied"):  # noqa: PT012 - the block is what must fail
        async with pipe:
            for _ in range(100):
                await pipe.write(bytes(4 * MIB))
    assert pipe.bytes_taken <= 16 * MIB
    assert store.uploads() == []


async def test_writers_who_wait_are_told_of_an_abort(make_pipe, faults):
    faults.spoil("part 1", "stall", times=99)
    async with make_pipe(end_point=faults.endpoint, concurrency=1) as pipe:
        await pipe.write(bytes(8 * MIB))
        task = asyncio.create_task(pipe.write(bytes(4 * MIB)))
        await faults.reached("part 1").wait()
        await pipe.abort()
        with pytest.raises(ClosedError):
            await task


async def test_the_callers_deadline_works(make_pipe, faults, store):
    faults.spoil("part 1", "stall", times=99)
    pipe = make_pipe(end_point=faults.endpoint)
    events = pipe.subscribe()
    with pytest.raises(TimeoutError):  # noqa: PT012 - the block is what must fail
        async with asyncio.timeout(None) as deadline, pipe:
            await pipe.write(DATA)
            while not isinstance(await events.get(), PartDone):
                pass
            assert store.uploads()
            deadline.reschedule(asyncio.get_running_loop().time())
            await pipe.finish()
    assert store.read() is None
    assert store.uploads() == []


async def test_a_task_group_that_fails_aborts(make_pipe, store):
    async def fail():
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):  # noqa: PT012 - the block is what must fail
        async with make_pipe() as pipe, asyncio.TaskGroup() as group:
            await pipe.write(DATA)
            group.create_task(fail())
            await pipe.write(DATA)
    whole_or_none(store)
    assert store.read() is None


@pytest.mark.parametrize("operation", ["part 1", "complete"])
@pytest.mark.parametrize("fault", [None, "stall after"])
async def test_a_loop_that_shuts_down_aborts(
    make_pipe, faults, store, operation, fault
):
    if fault:
        faults.spoil(operation, fault)
    others = asyncio.all_tasks()
    pipe = make_pipe(end_point=faults.endpoint)
    task = asyncio.create_task(upload(pipe))
    await faults.reached(operation).wait()
    shut_down(others)
    with pytest.raises(asyncio.CancelledError):
        await task
    whole_or_none(store)


async def test_a_pipe_is_entered_once(make_pipe):
    pipe = make_pipe()
    async with pipe:
        pass
    with pytest.raises(ClosedError):
        async with pipe:
            pytest.fail("twice")


@pytest.mark.parametrize("method", ["finish", "abort", "terminate"])
async def test_ending_what_was_not_entered_is_an_error(make_pipe, method):
    with pytest.raises(ClosedError):
        await getattr(make_pipe(), method)()
