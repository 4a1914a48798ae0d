"""Additional checksums: published check values, botocore's, combinations, headers."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from botocore.httpchecksum import (
    CrtCrc32cChecksum,
    CrtCrc32Checksum,
    CrtCrc64NvmeChecksum,
    Sha1Checksum,
    Sha256Checksum,
)
from hypothesis import given
from hypothesis import strategies as st

from blob.gateway.checksums import (
    ALGORITHMS,
    ChecksumSpec,
    UploadChecksum,
    check_value,
    combine_composite,
    combine_full_object,
    encode,
    header_name,
    new_hasher,
    parse_checksum,
    parse_trailer_names,
    parse_upload_checksum,
)
from blob.gateway.wire_errors import InvalidRequestError

BOTOCORE = {
    "crc32": CrtCrc32Checksum,
    "crc32c": CrtCrc32cChecksum,
    "crc64nvme": CrtCrc64NvmeChecksum,
    "sha1": Sha1Checksum,
    "sha256": Sha256Checksum,
}
algorithms = st.sampled_from(ALGORITHMS)


def value_of(algorithm, *pieces):
    hasher = new_hasher(algorithm)
    for piece in pieces:
        hasher.update(piece)
    return encode(hasher.digest())


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("crc32", "cbf43926"),
        ("crc32c", "e3069283"),
        ("crc64nvme", "ae8b14860a799888"),
        ("sha1", hashlib.sha1(b"123456789").hexdigest()),
        ("sha256", hashlib.sha256(b"123456789").hexdigest()),
    ],
)
def test_published_check_values(algorithm, digest):
    hasher = new_hasher(algorithm)
    hasher.update(b"12345")
    hasher.update(memoryview(bytearray(b"6789")))
    assert hasher.digest().hex() == digest


def test_every_algorithm_has_a_header():
    assert header_name("crc64nvme") == "x-amz-checksum-crc64nvme"
    assert set(BOTOCORE) == set(ALGORITHMS)


@given(algorithm=algorithms, pieces=st.lists(st.binary(max_size=50)))
def test_the_same_as_botocore(algorithm, pieces):
    theirs = BOTOCORE[algorithm]()
    for piece in pieces:
        theirs.update(piece)
    assert value_of(algorithm, *pieces) == theirs.b64digest()


@given(
    algorithm=st.sampled_from(["crc32", "crc32c", "crc64nvme"]),
    pieces=st.lists(st.binary(max_size=50)),
)
def test_full_object_checksum_from_the_parts(algorithm, pieces):
    parts = [(value_of(algorithm, piece), len(piece)) for piece in pieces]
    assert combine_full_object(algorithm, parts) == value_of(algorithm, *pieces)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_hashes_do_not_combine_to_a_full_object(algorithm):
    with pytest.raises(InvalidRequestError, match="FULL_OBJECT"):
        combine_full_object(algorithm, [(value_of(algorithm, b"x"), 1)])


def test_large_parts_combine():
    size = 5 * 1024**3
    value = combine_full_object("crc64nvme", [(value_of("crc64nvme", b"a"), 1)] * 3)
    assert value == value_of("crc64nvme", b"aaa")
    assert combine_full_object("crc32", [("AAAAAA==", size)] * 100) == "AAAAAA=="


@given(algorithm=algorithms, pieces=st.lists(st.binary(max_size=50), min_size=1))
def test_composite_checksum_is_that_of_the_checksums(algorithm, pieces):
    values = [value_of(algorithm, piece) for piece in pieces]
    digests = [base64.b64decode(value) for value in values]
    composite = combine_composite(algorithm, values)
    assert composite == f"{value_of(algorithm, *digests)}-{len(pieces)}"
    assert check_value(algorithm, composite, composite=True) == composite
    with pytest.raises(InvalidRequestError):
        check_value(algorithm, composite)


@pytest.mark.parametrize(
    "value",
    ["", "AAAA", "AAAAAA", "AAAAAAA=", "AAAA AA==", "ä", "AAAAAA==-0", "AAAAAA==-1"],
)
def test_values_that_are_none(value):
    with pytest.raises(InvalidRequestError, match="x-amz-checksum-crc32 header"):
        check_value("crc32", value)


@pytest.mark.parametrize(
    ("headers", "spec"),
    [
        ([], None),
        ([("x-amz-checksum-mode", "ENABLED")], None),
        ([("x-amz-checksum-algorithm", "CRC32")], None),
        ([("X-Amz-Checksum-Crc32", "AAAAAA==")], ChecksumSpec("crc32", "AAAAAA==")),
        (
            [
                ("x-amz-sdk-checksum-algorithm", "CRC32"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ],
            ChecksumSpec("crc32", None),
        ),
        (
            [
                ("x-amz-sdk-checksum-algorithm", "CRC32C"),
                ("x-amz-checksum-crc32c", "AAAAAA=="),
            ],
            ChecksumSpec("crc32c", "AAAAAA=="),
        ),
    ],
)
def test_checksum_of_a_body(headers, spec):
    assert parse_checksum(headers) == spec


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            [
                ("x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-checksum-crc32c", "AAAAAA=="),
            ],
            "single",
        ),
        ([("x-amz-checksum-crc32", "AAAAAA==")] * 2, "single"),
        (
            [
                ("x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ],
            "single",
        ),
        ([("x-amz-checksum-crc32", "AAAA")], "is invalid"),
        ([("x-amz-checksum-crc99", "AAAA")], "not supported"),
        ([("x-amz-trailer", "x-amz-meta-a")], "not supported"),
        ([("x-amz-trailer", "")], "not supported"),
        ([("x-amz-sdk-checksum-algorithm", "CRC32")], "no corresponding"),
        (
            [
                ("x-amz-sdk-checksum-algorithm", "SHA1"),
                ("x-amz-checksum-crc32", "AAAAAA=="),
            ],
            "x-amz-sdk-checksum-algorithm",
        ),
        ([("x-amz-checksum-crc32", "AAAAAA==-3")], "is invalid"),
    ],
)
def test_checksums_that_contradict_or_are_none(headers, message):
    with pytest.raises(InvalidRequestError, match=message):
        parse_checksum(headers)


def test_completion_may_name_a_composite_checksum():
    headers = [("x-amz-checksum-crc32", "AAAAAA==-3")]
    assert parse_checksum(headers, composite=True) == ChecksumSpec(
        "crc32", "AAAAAA==-3"
    )


def test_trailer_names():
    headers = [("X-Amz-Trailer", " X-Amz-Checksum-CRC32 , a"), ("b", "c")]
    assert parse_trailer_names(headers) == ("x-amz-checksum-crc32", "a")


@pytest.mark.parametrize(
    ("algorithm", "kind", "result"),
    [
        ("", "", None),
        ("CRC32", "", UploadChecksum("crc32", "COMPOSITE")),
        ("CRC32C", "FULL_OBJECT", UploadChecksum("crc32c", "FULL_OBJECT")),
        ("CRC64NVME", "", UploadChecksum("crc64nvme", "FULL_OBJECT")),
        ("SHA256", "COMPOSITE", UploadChecksum("sha256", "COMPOSITE")),
    ],
)
def test_checksum_of_an_upload(algorithm, kind, result):
    headers = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]
    assert parse_upload_checksum([pair for pair in headers if pair[1]]) == result


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("", "COMPOSITE"),
        ("MD4", ""),
        ("CRC32", "HALF"),
        ("CRC64NVME", "COMPOSITE"),
        ("SHA1", "FULL_OBJECT"),
    ],
)
def test_checksums_of_an_upload_that_s3_does_not_have(algorithm, kind):
    headers = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]
    with pytest.raises(InvalidRequestError):
        parse_upload_checksum([pair for pair in headers if pair[1]])


names = st.sampled_from(
    [*map(header_name, ALGORITHMS), "x-amz-trailer", "x-amz-sdk-checksum-algorithm"]
) | st.text(max_size=20).map(lambda text: "x-amz-checksum-" + text)
pairs = st.lists(st.tuples(names, st.text(max_size=20) | algorithms), max_size=3)


@given(headers=pairs)
def test_no_header_breaks_the_parsers(headers):
    with contextlib.suppress(InvalidRequestError):
        parse_checksum(headers)
    with contextlib.suppress(InvalidRequestError):
        parse_upload_checksum(headers)
