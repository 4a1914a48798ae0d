"""Metadata headers, in and out."""

from __future__ import annotations

import contextlib
from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blob.errors import InvalidArgumentError
from blob.gateway.metadata import MAX_USER_METADATA, metadata_headers, parse_metadata
from blob.gateway.wire_errors import MetadataTooLargeError
from blob.types import Metadata

received = st.binary(max_size=60).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)


def test_what_is_stored_of_a_request():
    headers = [
        ("Host", "h"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-cache"),
        ("Content-Disposition", 'attachment; filename="ä"'),
        ("Content-Encoding", "gzip"),
        ("Content-Language", "de"),
        ("Expires", "0"),
        ("X-Amz-Storage-Class", "STANDARD_IA"),
        ("X-Amz-Meta-One", " 1 "),
        ("x-amz-meta-two", "2"),
        ("x-amz-date", "20130524T000000Z"),
    ]
    assert parse_metadata(headers) == Metadata(
        content_type="text/plain; charset=utf-8",
        cache_control="no-cache",
        content_disposition='attachment; filename="ä"',
        content_encoding="gzip",
        content_language="de",
        expires="0",
        storage_class="STANDARD_IA",
        user={"one": "1", "two": "2"},
    )
    assert parse_metadata([]) == Metadata()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("aws-chunked", None),
        ("AWS-Chunked", None),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked, gzip, br", "gzip,br"),
        ("gzip, br", "gzip, br"),
        ("", None),
    ],
)
def test_aws_chunked_is_not_kept(sent, kept):
    assert parse_metadata([("content-encoding", sent)]).content_encoding == kept


def test_names_that_come_twice_are_joined():
    headers = [("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2")]
    assert parse_metadata(headers).user == {"a": "1,2"}


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("=?UTF-8?B?w6TDtg==?=", "äö"),
        ("=?utf-8?q?=C3=A4_b?=", "ä b"),
        ("=?iso-8859-1?Q?=E4?=", "ä"),
        ("x =?UTF-8?B?w6Q=?= y", "x ä y"),
        ("=?UTF-8?B?w6Q=?= =?UTF-8?B?w7Y=?=", "äö"),
        ("=?UTF-8?B?!!?=", "=?UTF-8?B?!!?="),
        ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="),
        ("=?koi8-r?B?w6Q=?=", "=?koi8-r?B?w6Q=?="),
        ("=?plain", "=?plain"),
        ("ä", "ä"),
        ("caf\udce9", "café"),  # Latin-1 on the wire
    ],
)
def test_values_beyond_ascii(value, decoded):
    assert parse_metadata([("x-amz-meta-a", value)]).user == {"a": decoded}


@pytest.mark.parametrize(
    "header",
    [
        ("x-amz-meta-a", "a\x00b"),
        ("x-amz-meta-a", "a\x7fb"),
        ("x-amz-meta-a", "=?UTF-8?B?DQphOiBi?="),  # CR LF, encoded
        ("x-amz-meta-a\x01", "b"),
        ("content-type", "a\x1b"),
    ],
)
def test_control_characters_are_refused(header):
    with pytest.raises(InvalidArgumentError, match="control"):
        parse_metadata([header])


def test_two_kibibytes_are_the_limit():
    name = "ä" * 10
    value = "x" * (MAX_USER_METADATA - 20)
    assert parse_metadata([("x-amz-meta-" + name, value)]).user == {name: value}
    with pytest.raises(MetadataTooLargeError):
        parse_metadata([("x-amz-meta-" + name, value + "x")])


def test_headers_of_a_response():
    metadata = Metadata(
        content_encoding="gzip",
        storage_class="STANDARD",
        user={"a": "plain", "b": "ä"},
    )
    assert metadata_headers(metadata) == [
        ("content-type", "binary/octet-stream"),
        ("content-encoding", "gzip"),
        ("x-amz-meta-a", "plain"),
        ("x-amz-meta-b", "=?UTF-8?B?w6Q=?="),
    ]
    assert metadata_headers(Metadata(content_type="a/b", storage_class="GLACIER")) == [
        ("content-type", "a/b"),
        ("x-amz-storage-class", "GLACIER"),
    ]


printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


@given(value=printable)
def test_what_is_sent_out_comes_back(value):
    value = value.strip(" \t")
    if "=?" in value:
        return
    pairs = metadata_headers(Metadata(user={"a": value}))
    assert all(text.isascii() for _, text in pairs)
    assert parse_metadata(pairs).user == {"a": value}


@given(value=printable.filter(lambda text: text.strip() == text and "=?" not in text))
def test_words_of_the_standard_library_are_read(value):
    word = Header(value, "utf-8", maxlinelen=10_000).encode()
    assert parse_metadata([("x-amz-meta-a", word)]).user == {"a": value}


@given(name=received, value=received)
def test_no_header_breaks_the_parser(name, value):
    for header in (("x-amz-meta-" + name, value), ("content-disposition", value)):
        with contextlib.suppress(InvalidArgumentError):
            for text in parse_metadata([header]).user.values():
                text.encode()
