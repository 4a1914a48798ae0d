"""Writes of any sizes make the same parts; memory is counted exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpipe import ClosedError, ConfigError, TooLargeError
from cloudpipe._buffer import Buffer
from cloudpipe._chunker import JOIN_BELOW, Chunker
from cloudpipe._sizes import MAX_PART, MAX_PARTS, MIN_PART, PartSizes

PART = 100_000  # below S3's least, so that many parts are made quickly
SIZES = PartSizes(PART)
DATA = bytes(range(256)) * 2_000

cuts = st.lists(st.integers(0, 120_000), max_size=12)


def pieces_of(cuts: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(DATA[start : start + cut])
        start += cut
    return pieces


def parts_of(pieces, **options) -> list[bytes]:
    chunker = Chunker(SIZES)
    done = [part for piece in pieces for part in chunker.feed(piece, **options)]
    done.append(chunker.end())
    assert [part.number for part in done] == list(range(1, len(done) + 1))
    assert [part.last for part in done] == [False] * (len(done) - 1) + [True]
    bodies = [b"".join(part.body.chunks) for part in done]
    assert [len(body) for body in bodies] == [part.body.size for part in done]
    return bodies


@given(cuts)
def test_any_split_of_writes_makes_the_same_parts(cuts):
    pieces = pieces_of(cuts)
    whole = b"".join(pieces)
    expected = [whole[at : at + PART] for at in range(0, len(whole), PART)] or [b""]
    assert parts_of(pieces) == expected
    assert parts_of([whole]) == expected
    assert parts_of([whole], pin=True) == expected
    assert parts_of([memoryview(bytearray(piece)) for piece in pieces]) == expected


@given(cuts)
def test_what_is_held_is_what_was_fed_and_not_cut(cuts):
    chunker, held = Chunker(SIZES), 0
    for piece in pieces_of(cuts):
        held += len(piece) - sum(part.body.size for part in chunker.feed(piece))
        assert chunker.filled == held <= PART


def test_what_fits_a_part_is_not_copied():
    chunker = Chunker(SIZES)
    pieces = [bytes(40_000), bytes(60_000)]
    for piece in pieces:
        chunker.feed(piece)
    kept = chunker.end().body.chunks
    assert [kept[0] is pieces[0], kept[1] is pieces[1]] == [True, True]


def test_pieces_across_a_boundary_keep_nothing_else_alive():
    chunker = Chunker(SIZES)
    (first,) = chunker.feed(bytes(150_000))
    for chunk in (*first.body.chunks, *chunker.end().body.chunks):
        assert type(chunk) is bytes


def test_pinned_pieces_are_views_of_the_one_object():
    chunker, data = Chunker(SIZES), bytes(350_000)
    parts = [*chunker.feed(data, pin=True), chunker.end()]
    assert all(chunk.obj is data for part in parts for chunk in part.body.chunks)


def test_a_view_of_what_may_change_is_copied():
    chunker, data = Chunker(SIZES), bytearray(b"a" * 50_000)
    chunker.feed(memoryview(data))
    data[:] = b"b" * 50_000
    assert b"".join(chunker.end().body.chunks) == b"a" * 50_000


def test_single_bytes_are_joined():
    chunker = Chunker(SIZES)
    for _ in range(PART):
        chunker.feed(b"x")
    chunks = chunker.end().body.chunks
    assert len(chunks) <= PART // JOIN_BELOW + 1
    assert b"".join(chunks) == b"x" * PART


def test_a_full_part_waits_for_the_byte_after_it():
    chunker = Chunker(SIZES)
    assert chunker.feed(bytes(PART)) == []
    (first,) = chunker.feed(b"x")
    assert (first.number, first.body.size, first.last) == (1, PART, False)


def test_nothing_follows_the_end():
    chunker = Chunker(SIZES)
    chunker.end()
    with pytest.raises(ClosedError):
        chunker.feed(b"x")


@given(cuts, st.integers(1, 4))
def test_the_buffer_counts_every_byte_once(cuts, concurrency):
    buffer, out = Buffer(SIZES, concurrency), 0
    for piece in pieces_of(cuts):
        buffer.add(piece)
        while buffer.ready:
            out += buffer.pop().body.size
    assert buffer.held == buffer.taken == sum(map(len, pieces_of(cuts)))
    buffer.release(out)
    assert buffer.held == buffer.taken - out
    assert buffer.stored == out


def test_a_write_of_up_to_a_part_can_always_be_taken_in_the_end():
    buffer = Buffer(SIZES, 1)
    buffer.add(bytes(PART))  # held back: it may be the only one
    assert buffer.takes_now(PART)
    buffer.add(bytes(PART))  # the first part is out now
    assert not buffer.takes_now(1)
    buffer.release(buffer.pop().body.size)
    assert buffer.takes_now(PART)


def test_a_write_larger_than_all_memory_is_taken_when_no_part_is_out():
    buffer = Buffer(SIZES, 1)
    buffer.add(bytes(PART // 2))
    assert buffer.takes_now(10 * PART)
    buffer.add(bytes(PART))
    assert not buffer.takes_now(10 * PART)


# -- sizes -------------------------------------------------------------------------


def whole(sizes: PartSizes) -> int:
    return sum(sizes.size(number) for number in range(1, MAX_PARTS + 1))


def plan(chunk: int, expected: int | None = None, *, equal: bool = False) -> PartSizes:
    return PartSizes.plan(chunk, expected_size=expected, equal_parts=equal)


def test_parts_are_at_least_five_mib():
    assert plan(1).size(1) == MIN_PART


def test_parts_grow_from_part_5000_on_and_reach_the_largest_object():
    sizes = plan(5 << 20)
    assert sizes.size(5_000) == 5 << 20 < sizes.size(5_001)
    assert whole(sizes) >= 5 << 40
    steps = [sizes.size(number) for number in range(1, MAX_PARTS + 1)]
    assert steps == sorted(steps)
    assert steps[-1] == MAX_PART


@given(st.integers(1, 5 << 40), st.integers(5 << 20, 64 << 20))
def test_an_expected_size_needs_no_growth_and_leaves_room_for_more(expected, chunk):
    sizes = plan(chunk, expected=expected)
    needed = -(-expected // sizes.first)
    assert needed <= 8_500
    assert sizes.size(needed) == sizes.first
    assert whole(sizes) == sizes.capacity >= 5 << 40


def test_the_largest_size_there_can_be_may_be_expected():
    assert whole(plan(1, expected=MAX_PART * MAX_PARTS)) == MAX_PART * MAX_PARTS
    with pytest.raises(ConfigError):
        plan(1, expected=MAX_PART * MAX_PARTS + 1)


def test_an_expected_size_may_be_exceeded():
    sizes = plan(10_000_000, expected=60_000_000_000)
    assert sizes.size(6_000) == 10_000_000 < sizes.size(6_001)


def test_equal_parts_never_grow():
    sizes = plan(10_000_000, equal=True)
    assert sizes.size(MAX_PARTS) == 10_000_000


@pytest.mark.parametrize("equal", [False, True])
def test_there_is_no_part_10001(equal):
    with pytest.raises(TooLargeError):
        plan(10_000_000, equal=equal).size(MAX_PARTS + 1)


def test_more_than_the_parts_can_hold_is_told_before_anything_is_taken():
    chunker = Chunker(PartSizes(1, None))
    chunker.check(MAX_PARTS)
    with pytest.raises(TooLargeError):
        chunker.check(MAX_PARTS + 1)
    with pytest.raises(TooLargeError):
        chunker.feed(bytes(MAX_PARTS + 1))
    assert (chunker.number, chunker.filled) == (1, 0)
    assert len(chunker.feed(bytes(MAX_PARTS))) == MAX_PARTS - 1


@pytest.mark.parametrize(
    ("chunk", "expected"), [(0, None), (-1, None), (MAX_PART + 1, None), (1, -1)]
)
def test_sizes_that_make_no_sense(chunk, expected):
    with pytest.raises(ConfigError):
        plan(chunk, expected)


def test_the_memory_limit_follows_the_parts():
    buffer = Buffer(PartSizes(100, grow_from=1), 2)
    assert buffer.limit == 300
    buffer.add(bytes(101))
    assert buffer.part == (2, 200)
    assert buffer.limit == 400
