"""Stopped by others, by a loop that shuts down, or half way: told, and nothing left."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from cloudpipe import (
    AbortFailedError,
    Body,
    ClosedError,
    CloudPipe,
    CloudPipeError,
    End,
    Error,
)

MIB = 1 << 20
DATA = bytes(range(256)) * (10 << 12) + b"end"


def shut_down(others):
    for each in asyncio.all_tasks() - others:
        # The proxy lives on, and so do the connections it is accepting.
        if not any(
            name in repr(each) for name in ("RequestHandler", "_accept_conn", "_late")
        ):
            each.cancel()


async def upload(pipe):
    async with pipe:
        await pipe.write(DATA)


@pytest.mark.parametrize("method", ["abort", "terminate"])
async def test_a_stop_by_another_task_is_told_where_the_block_ends(make_pipe, method):
    with pytest.raises(ClosedError, match="another task"):  # noqa: PT012 - the block is what must fail
        async with make_pipe() as pipe:
            await pipe.write(b"data")
            await asyncio.create_task(getattr(pipe, method)())


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_pipe_stopped_at_its_start_is_not_entered(make_pipe, drain, steps):
    pipe = make_pipe()
    events = pipe.subscribe()

    async def stop():
        for _ in range(steps):
            await asyncio.sleep(0)
        await pipe.abort()

    async def enter():
        async with pipe:
            pytest.fail("it was entered")

    entering = asyncio.create_task(enter())
    await asyncio.sleep(0)
    await stop()
    with pytest.raises(ClosedError):
        await entering
    assert drain(events) == [End("aborted")]


async def test_a_loop_that_shuts_down_while_aborting_aborts(
    make_pipe, faults, store, drain
):
    faults.spoil("abort", "stall")
    others = asyncio.all_tasks()
    pipe = make_pipe(end_point=faults.endpoint)
    events = pipe.subscribe()
    task = asyncio.create_task(upload(pipe))
    await faults.reached("part 2").wait()
    task.cancel()
    await faults.reached("abort").wait()
    shut_down(others)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.uploads() == []
    assert drain(events)[-1] == End("aborted")


async def test_a_create_applied_after_the_shutdown_is_found(make_pipe, faults, store):
    faults.spoil("create", "late")
    others = asyncio.all_tasks()
    task = asyncio.create_task(upload(make_pipe(end_point=faults.endpoint)))
    await faults.reached("create").wait()
    shut_down(others)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert faults.late.done()
    assert store.uploads() == []


async def test_an_abort_that_runs_out_of_time_is_told(make_pipe, faults, store, drain):
    faults.spoil("abort", "503", times=9999)
    pipe = make_pipe(end_point=faults.endpoint, abort_timeout=0.5)
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(DATA)
        await faults.reached("part 2").wait()
        with pytest.raises(AbortFailedError):
            await pipe.abort()
    assert [type(e) for e in drain(events)][-2:] == [Error, End]
    assert store.uploads() == ["file.zip"]
    # Before 3.11.3 asyncio.timeout never says so in a task that counts as cancelled.
    assert pipe._task.cancelling() == 0


async def test_what_could_not_be_removed_is_noted_once(make_pipe, faults):
    for operation in ("part 1", "abort"):
        faults.spoil(operation, "403", times=99)
    with pytest.raises(CloudPipeError) as caught:
        await upload(make_pipe(end_point=faults.endpoint))
    assert len(caught.value.__notes__) == 1


async def test_a_target_that_fails_to_close_does_not_undo_the_upload(
    make_pipe, store, drain, caplog
):
    pipe = make_pipe()
    events = pipe.subscribe()
    close = pipe._target.aclose

    async def fail():
        await close()
        raise OSError("no")

    pipe._target.aclose = fail
    async with pipe:
        await pipe.write(b"data")
    assert (await pipe.finish()).size == 4
    assert drain(events)[-1] == End("finished")
    assert "closing its target failed" in caplog.text
    assert store.read() == b"data"


async def no_bodies_are_kept():
    """Look until none is found: a request cut off closes in the loop's next steps."""
    async with asyncio.timeout(10):
        while any(isinstance(each, Body) for each in gc.get_objects()):
            await asyncio.sleep(0.01)
            gc.collect()


@pytest.mark.parametrize("compatible", [False, True])
async def test_events_keep_no_part_in_memory(make_pipe, faults, compatible):
    for number in range(1, 6):
        faults.spoil(f"part {number}", "reset")
    pipe = make_pipe(end_point=faults.endpoint, compatible=compatible)
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(bytes(25 * MIB))
    assert events.qsize() > 10
    await no_bodies_are_kept()


async def test_a_failure_keeps_no_part_in_memory(make_pipe, faults):
    faults.spoil("part 1", "403")
    pipe = make_pipe(end_point=faults.endpoint)
    events = pipe.subscribe()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(settled(upload(pipe)))
    assert isinstance(task.result(), CloudPipeError)
    assert events.qsize()
    await no_bodies_are_kept()


async def settled(upload):
    """Return what it raises, as somebody who keeps errors."""
    try:
        await upload
    except CloudPipeError as exc:
        return exc.with_traceback(None)


def test_a_pipe_never_left_is_a_warning(gateway, bucket):
    program = f"""
import asyncio
from cloudpipe import CloudPipe

async def main():
    pipe = CloudPipe.s3({bucket!r}, {gateway.access_key!r}, {gateway.secret_key!r},
        "key", end_point={gateway.endpoint!r}, region={gateway.region!r})
    await pipe.__aenter__()

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "was entered and never left" in done.stderr


def test_a_pipe_never_entered_is_no_warning():
    pipe = CloudPipe.s3("b", "a", "s", "k")
    del pipe
    gc.collect()
