"""Many writers, and writes larger than the memory: in turn, whole, within the bound."""

from __future__ import annotations

import asyncio

import pytest

from cloudpipe import ClosedError, Drained, TooLargeError

MIB = 1 << 20
PART = 5 * MIB


async def drained(queue):
    while not isinstance(await queue.get(), Drained):
        pass


async def test_finish_waits_for_the_writes_under_way(make_pipe, faults, store):
    data = bytes(range(256)) * (160 << 10)  # 40 MiB, the memory is 10
    async with make_pipe(end_point=faults.endpoint, concurrency=1) as pipe:
        writers = [asyncio.create_task(pipe.write(data)) for _ in range(2)]
        await faults.reached("part 1").wait()
        result = await pipe.finish()
        await asyncio.gather(*writers)
    assert result.size == 2 * len(data)
    assert store.read() == 2 * data


async def test_leaving_the_block_waits_for_the_writes_under_way(
    make_pipe, faults, store
):
    data = bytes(range(256)) * (80 << 10)
    async with make_pipe(end_point=faults.endpoint, concurrency=1) as pipe:
        writer = asyncio.create_task(pipe.write(data))
        await faults.reached("part 1").wait()
    await writer
    assert store.read() == data


async def test_a_write_cut_short_after_finish_makes_no_object(make_pipe, faults, store):
    faults.spoil("part 1", "hold")
    pipe = make_pipe(end_point=faults.endpoint, concurrency=1)
    with pytest.raises(ClosedError, match="half taken"):  # noqa: PT012 - the block is what must fail
        async with pipe:
            writer = asyncio.create_task(pipe.write(bytes(40 * MIB)))
            await faults.reached("part 1").wait()
            finishing = asyncio.create_task(pipe.finish())
            await asyncio.sleep(0)
            writer.cancel()
            faults.released.set()
            await finishing
    assert writer.cancelled()
    assert store.read() is None
    assert store.uploads() == []


async def test_new_writes_are_refused_while_finishing(make_pipe, faults, store):
    faults.spoil("complete", "hold")
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(bytes(6 * MIB))
        finishing = asyncio.create_task(pipe.finish())
        await faults.reached("complete").wait()
        with pytest.raises(ClosedError):
            await pipe.write(b"more")
        with pytest.raises(ClosedError):
            pipe.write_nowait(b"more")
        faults.released.set()
        await finishing
    assert store.read() == bytes(6 * MIB)


async def test_nobodys_bytes_come_between_those_of_one_write(make_pipe, store):
    data = b"A" * (30 * MIB)
    taken = 0
    async with make_pipe(concurrency=1) as pipe:
        events = pipe.subscribe()
        writer = asyncio.create_task(pipe.write(data))
        await asyncio.sleep(0)
        while not writer.done():
            taken += pipe.write_nowait(b"b" * 1000)
            await asyncio.sleep(0)
        await writer
        while not pipe.write_nowait(b"c"):
            await drained(events)
    assert store.read() == data + b"b" * 1000 * taken + b"c"


async def test_a_waiting_write_is_not_starved(make_pipe, faults):
    faults.spoil("part 1", "stall", times=99)
    async with make_pipe(end_point=faults.endpoint, concurrency=1) as pipe:
        await pipe.write(bytes(8 * MIB))
        writer = asyncio.create_task(pipe.write(bytes(5 * MIB)))
        await asyncio.sleep(0)
        assert pipe.write_nowait(b"x") is False  # there is room, but not its turn
        await pipe.abort()
        with pytest.raises(ClosedError):
            await writer


async def test_who_was_refused_because_of_a_write_hears_of_its_end(make_pipe, store):
    async with make_pipe() as pipe:
        events = pipe.subscribe(maxsize=1)
        writer = asyncio.create_task(pipe.write("ä" * (3 << 20)))
        await asyncio.sleep(0)
        assert pipe.write_nowait(b"x") is False
        await drained(events)
        assert writer.done()
        assert pipe.write_nowait(b"x")
    assert store.read() == ("ä" * (3 << 20)).encode() + b"x"


async def test_drained_reaches_the_smallest_queue(make_pipe, store):
    pieces = [bytes([number]) * (4 * MIB) for number in range(20)]
    async with make_pipe() as pipe:
        events = pipe.subscribe(maxsize=1)
        for piece in pieces:
            while not pipe.write_nowait(piece):
                await drained(events)
    assert store.read() == b"".join(pieces)


@pytest.mark.parametrize("make", [bytearray, lambda n: memoryview(bytes(n))])
async def test_what_must_be_copied_is_refused_when_memory_cannot_hold_it(
    make_pipe, store, make
):
    async with make_pipe(concurrency=1) as pipe:
        with pytest.raises(TooLargeError):
            pipe.write_nowait(make(PART + 1))
        with pytest.raises(TooLargeError):
            pipe.write_nowait("x" * ((1 << 20) + 1))
        assert pipe.bytes_taken == 0
        assert pipe.write_nowait(make(PART))
        await pipe.write(make(3 * PART))
    assert store.read() == bytes(4 * PART)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
async def test_long_text_is_encoded_in_pieces(make_pipe, store, encoding):
    text = "aé€😀" * (1 << 20)
    async with make_pipe(concurrency=1) as pipe:
        held = []
        writer = asyncio.create_task(pipe.write(text, encoding))
        while not writer.done():
            held.append(pipe.bytes_held)
            await asyncio.sleep(0)
        await writer
        assert max(held) <= pipe.memory_limit == 2 * PART
    assert store.read() == text.encode(encoding)


@pytest.mark.parametrize("piece", [999_983, PART, 17 * MIB])
async def test_the_bound_holds_inside_writes_too(make_pipe, piece):
    data, most = bytearray(piece), 0

    async def watch():
        nonlocal most
        while True:
            most = max(most, pipe.bytes_held)
            await asyncio.sleep(0)

    async with make_pipe(concurrency=1) as pipe:
        watching = asyncio.create_task(watch())
        events = pipe.subscribe()
        for _ in range(34 * MIB // piece):
            await pipe.write(data)
            while piece <= PART and not pipe.write_nowait(data):
                most = max(most, pipe.bytes_held)
                await drained(events)
            most = max(most, pipe.bytes_held)
        watching.cancel()
    assert PART < most <= pipe.memory_limit == 2 * PART
