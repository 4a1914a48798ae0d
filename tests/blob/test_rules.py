"""The rules every driver applies alike, against naive models and the RFC's tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blob.errors import (
    EntityTooSmallError,
    InvalidArgumentError,
    InvalidContainerNameError,
    InvalidDigestError,
    InvalidKeyError,
    InvalidPartError,
    InvalidPartOrderError,
    InvalidRangeError,
    NoSuchFileError,
    NoSuchVersionError,
    NotModifiedError,
    PreconditionFailedError,
)
from blob.rules import (
    MAX_KEY_BYTES,
    MAX_PAGE,
    check_container,
    check_copy,
    check_copy_range,
    check_create,
    check_delete,
    check_key,
    check_part_number,
    check_part_page,
    check_parts,
    check_read,
    check_target,
    check_version,
    check_write,
    etag_matches,
    page_size,
    range_applies,
    resolve_range,
)
from blob.types import (
    ByteRange,
    Conditions,
    CopyOptions,
    CreateOptions,
    DeleteGuard,
    FileInfo,
    Metadata,
    Part,
    PartRef,
)

MODIFIED = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
SECOND = MODIFIED.replace(microsecond=0)
DAY = timedelta(days=1)
INFO = FileInfo(
    container="container",
    key="key",
    size=10,
    etag="abc",
    last_modified=MODIFIED,
    metadata=Metadata(),
)

positions = st.integers(min_value=0, max_value=40)


@given(first=st.none() | positions, last=st.none() | positions, size=positions)
@example(first=None, last=0, size=5)
@example(first=None, last=5, size=0)
@example(first=0, last=None, size=0)
@example(first=5, last=2, size=10)
def test_a_range_selects_the_bytes_a_naive_model_selects(first, last, size):
    body = list(range(size))
    if first is None and last is None:
        with pytest.raises(InvalidArgumentError):
            resolve_range(ByteRange(first, last), size)
        return
    if first is None:
        expected = body[max(0, size - last) :]
    else:
        expected = [n for n in body if n >= first and (last is None or n <= last)]
    if not expected:
        with pytest.raises(InvalidRangeError) as caught:
            resolve_range(ByteRange(first, last), size)
        assert caught.value.size == size
        return
    start, stop = resolve_range(ByteRange(first, last), size)
    assert body[start:stop] == expected
    assert 0 <= start < stop <= size


@given(size=positions)
def test_no_range_is_the_whole_body(size):
    assert resolve_range(None, size) == (0, size)


@pytest.mark.parametrize("wanted", [(-1, None), (-5, 3), (0, -1), (None, -1)])
def test_negative_positions_select_nothing(wanted):
    with pytest.raises(InvalidRangeError):
        resolve_range(ByteRange(*wanted), 10)


# RFC 9110 8.8.3.2: the table of comparisons, then lists and the asterisk.
@pytest.mark.parametrize(
    ("tags", "etag", "weak", "strong"),
    [
        (("W/1",), "1", True, False),
        (("W/2",), "1", False, False),
        (("1",), "1", True, True),
        (("2", "1"), "1", True, True),
        (("*",), "1", True, True),
        (("*",), None, False, False),
        ((), "1", False, False),
        (("1",), None, False, False),
    ],
)
def test_etags_are_compared_as_the_rfc_says(tags, etag, weak, strong):
    assert etag_matches(tags, etag, weak=True) is weak
    assert etag_matches(tags, etag, weak=False) is strong


def _expected_read(match, unmodified, none_match, modified):
    """RFC 9110 13.2.2, step by step; each argument True, False, or None (absent)."""
    if match is False or (match is None and unmodified is False):
        return PreconditionFailedError
    if none_match is False or (none_match is None and modified is False):
        return NotModifiedError
    return None


_STATES = [None, False, True]


@pytest.mark.parametrize("modified", _STATES)
@pytest.mark.parametrize("none_match", _STATES)
@pytest.mark.parametrize("unmodified", _STATES)
@pytest.mark.parametrize("match", _STATES)
def test_conditions_of_a_read_have_the_precedence_of_the_rfc(
    match, unmodified, none_match, modified
):
    conditions = Conditions(
        if_match={None: None, True: ("abc",), False: ("no",)}[match],
        if_none_match={None: None, True: ("no",), False: ("abc",)}[none_match],
        if_unmodified_since={None: None, True: SECOND, False: SECOND - DAY}[unmodified],
        if_modified_since={None: None, True: SECOND - DAY, False: SECOND}[modified],
    )
    expected = _expected_read(match, unmodified, none_match, modified)
    if expected is None:
        check_read(conditions, INFO)
        check_copy(conditions, INFO)
        return
    with pytest.raises(expected):
        check_read(conditions, INFO)
    with pytest.raises(PreconditionFailedError):
        check_copy(conditions, INFO)


def test_no_conditions_always_hold():
    check_read(None, INFO)
    check_copy(None, INFO)
    check_write(None, None)
    check_write(None, "abc")
    check_delete(None, None)
    assert range_applies(None, INFO)
    assert range_applies(Conditions(), INFO)


def test_not_modified_carries_the_file():
    with pytest.raises(NotModifiedError) as caught:
        check_read(Conditions(if_none_match=("*",)), INFO)
    assert caught.value.info is INFO


def test_a_date_in_the_future_is_no_valid_if_modified_since():
    check_read(Conditions(if_modified_since=datetime.now(UTC) + DAY), INFO)


def test_dates_are_compared_by_whole_seconds_in_any_zone():
    zone = timezone(timedelta(hours=5, minutes=30))
    with pytest.raises(NotModifiedError):
        check_read(Conditions(if_modified_since=SECOND.astimezone(zone)), INFO)
    check_read(Conditions(if_unmodified_since=SECOND.astimezone(zone)), INFO)
    assert range_applies(Conditions(if_range=SECOND.astimezone(zone)), INFO)


@pytest.mark.parametrize(
    ("validator", "applies"),
    [
        ("abc", True),
        ("W/abc", False),
        ("other", False),
        ("*", False),
        (SECOND, True),
        (SECOND - DAY, False),
        (SECOND + DAY, False),
    ],
)
def test_if_range_compares_strongly(validator, applies):
    assert range_applies(Conditions(if_range=validator), INFO) is applies


@pytest.mark.parametrize(
    ("match", "none_match", "current", "expected"),
    [
        (None, ("*",), None, None),
        (None, ("*",), "abc", PreconditionFailedError),
        (None, ("abc",), "abc", PreconditionFailedError),
        (None, ("W/abc",), "abc", PreconditionFailedError),
        (None, ("no",), "abc", None),
        (("abc",), None, "abc", None),
        (("no", "abc"), None, "abc", None),
        (("*",), None, "abc", None),
        (("no",), None, "abc", PreconditionFailedError),
        (("W/abc",), None, "abc", PreconditionFailedError),
        ((), None, "abc", PreconditionFailedError),
        (("*",), None, None, NoSuchFileError),
        (("abc",), None, None, NoSuchFileError),
        (("abc",), ("*",), "abc", PreconditionFailedError),
    ],
)
def test_conditions_of_a_write(match, none_match, current, expected):
    conditions = Conditions(if_match=match, if_none_match=none_match)
    if expected is None:
        check_write(conditions, current)
        return
    with pytest.raises(expected):
        check_write(conditions, current)


def test_dates_are_no_conditions_of_a_write():
    check_write(Conditions(if_unmodified_since=SECOND - DAY), "abc")
    check_write(Conditions(if_modified_since=SECOND), "abc")


@pytest.mark.parametrize("if_match", [None, True, False])
@pytest.mark.parametrize("if_size", [None, True, False])
@pytest.mark.parametrize("if_last_modified", [None, True, False])
def test_every_part_of_a_guard_must_hold(if_match, if_size, if_last_modified):
    parts = (if_match, if_size, if_last_modified)
    guard = DeleteGuard(
        if_match={None: None, True: ("no", "abc"), False: ("no",)}[if_match],
        if_size={None: None, True: 10, False: 0}[if_size],
        if_last_modified={None: None, True: SECOND, False: SECOND - DAY}[
            if_last_modified
        ],
    )
    if False in parts:
        with pytest.raises(PreconditionFailedError):
            check_delete(guard, INFO)
    else:
        check_delete(guard, INFO)
    if parts == (None, None, None):
        check_delete(guard, None)
    else:
        with pytest.raises(NoSuchFileError):
            check_delete(guard, None)


@given(st.text(max_size=MAX_KEY_BYTES + 10))
@example("")
@example("x" * MAX_KEY_BYTES)
@example("x" * (MAX_KEY_BYTES + 1))
@example("\U0001f600" * 256)
@example("\U0001f600" * 257)
@example("\ud800")
def test_a_key_is_its_bytes_or_refused(key):
    try:
        raw = check_key(key)
    except InvalidKeyError:
        size = len(key.encode(errors="surrogatepass"))
        surrogates = any("\ud800" <= char <= "\udfff" for char in key)
        assert surrogates or not 0 < size <= MAX_KEY_BYTES
    else:
        assert raw.decode() == key
        assert 0 < len(raw) <= MAX_KEY_BYTES


@given(st.text(alphabet="abz09.-AZ_ /é\n", max_size=70))
@example("a.b")
@example("1.2.3.4")
@example("01.2.3.4")
@example("1.2.3.4.5")
def test_a_container_name_is_taken_exactly_by_the_rules(name):
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    numbers = name.split(".")
    good = (
        3 <= len(name) <= 63
        and set(name) <= allowed
        and name[0] not in ".-"
        and name[-1] not in ".-"
        and not any(pair in name for pair in ("..", ".-", "-."))
        and not (len(numbers) == 4 and all(number.isdigit() for number in numbers))
    )
    if good:
        assert check_container(name) == name
    else:
        with pytest.raises(InvalidContainerNameError):
            check_container(name)


def test_only_the_null_version_can_be():
    check_version(None)
    check_version("null")
    with pytest.raises(NoSuchVersionError):
        check_version("1")


def test_pages_are_cut_to_what_they_may_be():
    assert [page_size(n) for n in (0, 1, MAX_PAGE, MAX_PAGE + 1, 2**70)] == [
        *(0, 1, MAX_PAGE, MAX_PAGE, MAX_PAGE)
    ]
    assert check_part_page(0, 5) == (0, 5)
    assert check_part_page(2**70, 2**70) == (10_000, MAX_PAGE)
    for wrong in ((-1, 5), (0, -1)):
        with pytest.raises(InvalidArgumentError):
            check_part_page(*wrong)


def test_part_numbers_go_from_1_to_10_000():
    check_part_number(1)
    check_part_number(10_000)
    for wrong in (0, -1, 10_001):
        with pytest.raises(InvalidArgumentError):
            check_part_number(wrong)


def test_a_copy_onto_itself_must_replace():
    replace = CopyOptions(directive="REPLACE")
    check_target(("a", "b"), ("a", "b"), replace)
    check_target(("a", "b"), ("a", "c"), CopyOptions())
    with pytest.raises(InvalidArgumentError):
        check_target(("a", "b"), ("a", "b"), CopyOptions())


def test_a_copied_range_is_not_cut():
    for fine in (None, ByteRange(0, 9), ByteRange(3, None), ByteRange(None, 20)):
        check_copy_range(fine, 10)
    with pytest.raises(InvalidRangeError) as caught:
        check_copy_range(ByteRange(0, 10), 10)
    assert caught.value.size == 10


def test_lengths_and_digests_that_are_none():
    assert check_create(None) == CreateOptions()
    check_create(CreateOptions(content_length=0, content_md5=bytes(16)))
    with pytest.raises(InvalidArgumentError):
        check_create(CreateOptions(content_length=-1))
    with pytest.raises(InvalidDigestError):
        check_create(CreateOptions(content_md5=b""))


def _part(number, size=5 << 20, **sums):
    return Part(number, size, f"etag-{number}", MODIFIED, sums)


STORED = {1: _part(1, crc32="x"), 2: _part(2), 3: _part(3, 1), 4: _part(4, 1)}


def _refs(*numbers, **sums):
    return [PartRef(number, f"etag-{number}", sums) for number in numbers]


@pytest.mark.parametrize("refs", [_refs(1, 2, 3), _refs(4), _refs(1, crc32="x")])
def test_parts_that_make_a_file(refs):
    check_parts(refs, STORED)


@pytest.mark.parametrize(
    ("refs", "error"),
    [
        ([], InvalidArgumentError),
        (_refs(2, 1), InvalidPartOrderError),
        (_refs(1, 1), InvalidPartOrderError),
        (_refs(5), InvalidPartError),
        ([PartRef(1, "other")], InvalidPartError),
        (_refs(1, crc32="y"), InvalidPartError),
        (_refs(2, crc32="x"), InvalidPartError),
        (_refs(3, 4), EntityTooSmallError),
    ],
)
def test_parts_that_make_none(refs, error):
    with pytest.raises(error):
        check_parts(refs, STORED)
