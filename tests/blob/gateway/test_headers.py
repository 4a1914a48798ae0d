"""Header values, paths and queries: exact examples, round trips, arbitrary text."""

from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blob.errors import BlobError, InvalidArgumentError, InvalidDigestError
from blob.gateway.headers import (
    CopySource,
    http_date,
    parse_conditions,
    parse_content_length,
    parse_content_md5,
    parse_copy_range,
    parse_copy_source,
    parse_decoded_length,
    parse_etags,
    parse_http_date,
    parse_query,
    parse_range,
    quote_etag,
    split_path,
)
from blob.gateway.wire_errors import InvalidURIError, MissingContentLengthError
from blob.types import ByteRange, Conditions

received = st.binary(max_size=60).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NOON = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=5-", ByteRange(5, None)),
        ("bytes=-5", ByteRange(None, 5)),
        ("bytes=-0", ByteRange(None, 0)),
        ("Bytes = 1 - 2 ", ByteRange(1, 2)),
        ("bytes=0-" + "9" * 500, ByteRange(0, 2**63 - 1)),
        (f"bytes={2**63}-", ByteRange(2**63 - 1, None)),
        ("bytes=007-008", ByteRange(7, 8)),
        (None, None),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=2-1", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=-1-2", None),
        ("bytes=+1-2", None),
        ("bytes=٣-٤", None),
        ("items=0-1", None),
        ("0-1", None),
    ],
)
def test_range(value, wanted):
    assert parse_range(value) == wanted


def test_copy_range():
    assert parse_copy_range(None) is None
    assert parse_copy_range("bytes=0-9") == ByteRange(0, 9)


@pytest.mark.parametrize(
    "value",
    ["", "0-9", "bytes=0-", "bytes=-9", "bytes=9-0", "bytes=0-1,2-3", "bytes=a-b"],
)
def test_copy_range_that_is_none(value):
    with pytest.raises(InvalidArgumentError, match="x-amz-copy-source-range"):
        parse_copy_range(value)


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (None, None),
        ("*", ("*",)),
        (' "*" ', ("*",)),
        ('"a"', ("a",)),
        ("a", ("a",)),
        ('W/"a"', ("W/a",)),
        ('"a", W/"b" ,c', ("a", "W/b", "c")),
        ('"a","b",', ("a", "b")),
        ('""', ("",)),
        ('"a,b"', ("a,b",)),
        ('"a', ('"a',)),
        ('"a" "b"', ('"a" "b"',)),
        ("", ("",)),
        ('*, "a"', ("a",)),
        ("*,*", ("",)),
    ],
)
def test_etags(value, tags):
    assert parse_etags(value) == tags


etags = st.text(st.characters(codec="ascii", exclude_characters='"*'), max_size=8)


@given(tags=st.lists(etags, min_size=1, max_size=4))
def test_etags_round_trip(tags):
    assert parse_etags(", ".join(map(quote_etag, tags))) == tuple(tags)


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_the_three_forms_of_dates(value):
    assert parse_http_date(value) == NOON


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "0",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 anF 1994 08:49:37 GMT",
    ],
)
def test_dates_that_are_none(value):
    assert parse_http_date(value) is None


def test_two_digit_years_are_at_most_fifty_years_ahead():
    this = datetime.now(UTC).year
    for year in (this - 49, this, this + 49):
        value = f"Sunday, 06-Nov-{year % 100:02} 08:49:37 GMT"
        assert parse_http_date(value) == NOON.replace(year=year)


def test_a_leap_second_is_a_date():
    value = "Fri, 30 Jun 1972 23:59:60 GMT"
    assert parse_http_date(value) == datetime(1972, 6, 30, 23, 59, 59, tzinfo=UTC)


@given(st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)))
def test_dates_round_trip(moment):
    moment = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=3)))
    assert parse_http_date(http_date(moment)) == moment


def test_http_date():
    assert http_date(NOON) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_conditions():
    headers = [
        ("If-Match", '"a"'),
        ("if-match", '"b"'),
        ("IF-NONE-MATCH", "*"),
        ("If-Modified-Since", http_date(NOON)),
        ("If-Unmodified-Since", "junk"),
        ("If-Range", '"r"'),
        ("Host", "h"),
    ]
    assert parse_conditions(headers) == Conditions(
        if_match=("a", "b"),
        if_none_match=("*",),
        if_modified_since=NOON,
        if_range="r",
    )
    assert parse_conditions([("host", "h")]) is None
    assert parse_conditions([("if-modified-since", "junk")]) is None


def test_conditions_of_a_copy_source_are_apart():
    headers = [("x-amz-copy-source-if-match", '"a"'), ("if-match", '"b"')]
    prefix = "x-amz-copy-source-"
    assert parse_conditions(headers, prefix=prefix) == Conditions(if_match=("a",))
    assert parse_conditions(headers) == Conditions(if_match=("b",))


@pytest.mark.parametrize(
    ("value", "validator"),
    [
        ('"a"', "a"),
        ("a", "a"),
        ('W/"a"', "W/a"),
        (http_date(NOON), NOON),
        ("*", ""),
        ('"a", "b"', ""),
    ],
)
def test_if_range(value, validator):
    assert parse_conditions([("If-Range", value)]) == Conditions(if_range=validator)


@given(digest=st.binary(min_size=16, max_size=16))
def test_content_md5(digest):
    assert parse_content_md5(base64.b64encode(digest).decode()) == digest
    assert parse_content_md5(None) is None


@pytest.mark.parametrize("value", ["", "x", "YWJj", "=" * 24, "ä" * 24, "A" * 32])
def test_content_md5_that_is_none(value):
    with pytest.raises(InvalidDigestError):
        parse_content_md5(value)


def test_lengths():
    assert parse_content_length(None) is None
    assert parse_content_length("0") == 0
    assert parse_decoded_length("66560") == 66560
    with pytest.raises(MissingContentLengthError):
        parse_decoded_length(None)


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "1 2", "0x1", "٣", "9" * 20])
def test_lengths_that_are_none(value):
    with pytest.raises(InvalidArgumentError):
        parse_content_length(value)
    with pytest.raises(InvalidArgumentError):
        parse_decoded_length(value)


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("b/k", CopySource("b", "k")),
        ("/b/k", CopySource("b", "k")),
        ("/b/k%20x/y+z", CopySource("b", "k x/y+z")),
        ("b%2Fk%2Fx", CopySource("b", "k/x")),
        ("b//k", CopySource("b", "/k")),
        ("b/k%3FversionId%3D1", CopySource("b", "k?versionId=1")),
        ("b/k?versionId=null", CopySource("b", "k", "null")),
        ("b/%C3%A4", CopySource("b", "ä")),
        ("b/ä", CopySource("b", "ä")),
    ],
)
def test_copy_source(value, source):
    assert parse_copy_source(value) == source


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/",
        "b",
        "/b/",
        "//k",
        "b/k?x=1",
        "b/k?versionId=",
        "b/%ff",
        "b/%2",
        "b/\udcff",
    ],
)
def test_copy_source_that_is_none(value):
    with pytest.raises(InvalidArgumentError):
        parse_copy_source(value)


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ("/", (None, None)),
        ("/b", ("b", None)),
        ("/b/", ("b", None)),
        ("/b/k", ("b", "k")),
        ("/b//k", ("b", "/k")),
        ("/b/a//b/../c/", ("b", "a//b/../c/")),
        ("/b/a%2Fb", ("b", "a/b")),
        ("/b/%2F", ("b", "/")),
        ("/b/a+b%20c", ("b", "a+b c")),
        ("/b/%00%0d", ("b", "\0\r")),
        ("/b/%E4%B8%AD", ("b", "中")),
        ("//k", (None, "k")),
    ],
)
def test_split_path(raw, target):
    assert split_path(raw) == target


@pytest.mark.parametrize(
    "raw", ["", "b/k", "/b/%", "/b/%2", "/b/%zz", "/b/%ff", "/b/\udcff"]
)
def test_paths_that_are_none(raw):
    with pytest.raises(InvalidURIError):
        split_path(raw)


@given(bucket=text, key=text)
def test_paths_round_trip(bucket, key):
    raw = f"/{quote(bucket, safe='')}/{quote(key)}"
    assert split_path(raw) == (bucket or None, key or None)


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        ("", []),
        ("uploads", [("uploads", "")]),
        ("b=2&a=1&b=1", [("b", "2"), ("a", "1"), ("b", "1")]),
        ("&a=&", [("a", "")]),
        ("p=a+b%2Bc", [("p", "a b+c")]),
        ("p=a=b", [("p", "a=b")]),
    ],
)
def test_query(raw, pairs):
    assert parse_query(raw) == pairs


@given(pairs=st.lists(st.tuples(text.filter(bool), text)))
def test_queries_round_trip(pairs):
    raw = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    assert parse_query(raw) == pairs


@given(value=received)
def test_no_text_breaks_a_parser(value):
    parse_range(value)
    parse_etags(value)
    parse_http_date(value)
    for name in ("match", "none-match", "modified-since", "unmodified-since", "range"):
        parse_conditions([(f"If-{name}", value)])
    for parse in (
        parse_content_length,
        parse_content_md5,
        parse_copy_range,
        parse_copy_source,
        parse_decoded_length,
        parse_query,
        split_path,
    ):
        with contextlib.suppress(BlobError):
            parse(value)
