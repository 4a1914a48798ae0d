"""S3's request documents: as boto3 writes them, and what no client should send."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from blob.errors import BlobError, InvalidArgumentError
from blob.gateway.wire_errors import InvalidRequestError, MalformedXMLError
from blob.gateway.xml_requests import (
    MAX_BODY,
    DeleteMany,
    parse_complete_multipart_upload,
    parse_create_bucket,
    parse_delete_objects,
)
from blob.types import DeleteGuard, DeleteRequest, PartRef

S3 = botocore.session.get_session().get_service_model("s3")
WHEN = datetime(2026, 2, 3, 16, 45, 9, 120_000, tzinfo=UTC)
MD5 = "9b2cf535f27731c974343645a3985328"


LEGAL = st.characters(
    exclude_categories=["Cs"],
    exclude_characters=[
        *map(chr, range(9)),
        *map(chr, range(11, 32)),
        "\ufffe",
        "\uffff",
    ],
)
legal_keys = st.text(LEGAL | st.just("\r"), min_size=1, max_size=30)


def from_botocore(action, arguments):
    """Write a request's document as boto3 does."""
    serializer = create_serializer(S3.metadata["protocol"])
    request = serializer.serialize_to_request(arguments, S3.operation_model(action))
    # What boto3's own handler `escape_xml_payload` does on the way out.
    return request["body"].replace(b"\r", b"&#xD;")


def test_create_bucket():
    body = from_botocore(
        "CreateBucket",
        {
            "Bucket": "b",
            "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
        },
    )
    assert parse_create_bucket(body) == "eu-west-1"
    assert parse_create_bucket(b"") is None
    assert parse_create_bucket(b" \n") is None
    assert parse_create_bucket(b"<CreateBucketConfiguration/>") is None


checksums = st.fixed_dictionaries(
    {},
    optional={
        "ChecksumCRC32": st.just("AAAAAA=="),
        "ChecksumSHA1": st.just("A" * 27 + "="),
    },
)
etags = st.text("0123456789abcdef-", min_size=1, max_size=40)


@settings(deadline=None)
@given(parts=st.lists(st.tuples(st.integers(1, 10_000), etags, checksums), min_size=1))
def test_complete_multipart_upload(parts):
    body = from_botocore(
        "CompleteMultipartUpload",
        {
            "Bucket": "b",
            "Key": "k",
            "UploadId": "u",
            "MultipartUpload": {
                "Parts": [
                    {"PartNumber": number, "ETag": f'"{etag}"', **sums}
                    for number, etag, sums in parts
                ]
            },
        },
    )
    assert parse_complete_multipart_upload(body) == tuple(
        PartRef(
            number,
            etag,
            {name.removeprefix("Checksum").lower(): v for name, v in sums.items()},
        )
        for number, etag, sums in parts
    )


@pytest.mark.parametrize(
    "namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"']
)
def test_namespaces_of_requests(namespace):
    body = (
        f"<CompleteMultipartUpload{namespace}><Part><PartNumber> 1 </PartNumber>"
        "<ETag>&quot;e&quot;</ETag><Unknown>x</Unknown></Part></CompleteMultipartUpload>"
    )
    assert parse_complete_multipart_upload(body.encode()) == (PartRef(1, "e"),)


def part(inner):
    return f"<CompleteMultipartUpload><Part>{inner}</Part></CompleteMultipartUpload>"


ONE = "<PartNumber>1</PartNumber><ETag>e</ETag>"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", MalformedXMLError),
        ("junk", MalformedXMLError),
        ("<CompleteMultipartUpload/>", MalformedXMLError),
        ("<CompleteMultipartUpload><Part>", MalformedXMLError),
        (part(ONE).replace("CompleteMultipartUpload", "Other"), MalformedXMLError),
        (
            part(ONE).replace("Upload>", 'Upload xmlns="urn:x">', 1),
            MalformedXMLError,
        ),
        (part("<PartNumber>1</PartNumber>"), MalformedXMLError),
        (part("<PartNumber>1</PartNumber><ETag/>"), MalformedXMLError),
        (part("<ETag>e</ETag>"), MalformedXMLError),
        (part("<PartNumber>x</PartNumber><ETag>e</ETag>"), MalformedXMLError),
        (part("<PartNumber>-1</PartNumber><ETag>e</ETag>"), MalformedXMLError),
        (
            part(f"<PartNumber>{'9' * 5000}</PartNumber><ETag>e</ETag>"),
            MalformedXMLError,
        ),
        (part(ONE + "<ETag>f</ETag>"), MalformedXMLError),
        (part("<PartNumber>0</PartNumber><ETag>e</ETag>"), InvalidArgumentError),
        (part("<PartNumber>10001</PartNumber><ETag>e</ETag>"), InvalidArgumentError),
        (part(ONE + "<ChecksumCRC32>A</ChecksumCRC32>"), InvalidRequestError),
        (part(ONE) + " " * MAX_BODY, MalformedXMLError),
        ('<?xml version="1.0" encoding="nonsense"?>' + part(ONE), MalformedXMLError),
        (
            "<CompleteMultipartUpload>"
            + f"<Part>{ONE}</Part>" * 10_001
            + "</CompleteMultipartUpload>",
            MalformedXMLError,
        ),
    ],
)
def test_completions_that_are_refused(body, error):
    with pytest.raises(error):
        parse_complete_multipart_upload(body.encode())


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
    ],
)
def test_document_types_are_refused(declaration):
    body = (declaration + part("<PartNumber>1</PartNumber><ETag>&a;</ETag>")).encode()
    for parse in (
        parse_complete_multipart_upload,
        parse_create_bucket,
        parse_delete_objects,
    ):
        with pytest.raises(MalformedXMLError):
            parse(body)


@settings(deadline=None)
@given(keys=st.lists(legal_keys, min_size=1, max_size=20), quiet=st.booleans())
def test_delete_objects_of_botocore(keys, quiet):
    objects = [{"Key": key} for key in keys]
    body = from_botocore(
        "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": objects, "Quiet": quiet}}
    )
    assert parse_delete_objects(body) == DeleteMany(
        tuple(DeleteRequest(key) for key in keys), quiet=quiet
    )


def test_delete_objects_with_guards():
    body = from_botocore(
        "DeleteObjects",
        {
            "Bucket": "b",
            "Delete": {
                "Objects": [
                    {
                        "Key": "k",
                        "VersionId": "null",
                        "ETag": f'"{MD5}"',
                        "LastModifiedTime": WHEN.replace(microsecond=0),
                        "Size": 0,
                    }
                ]
            },
        },
    )
    guard = DeleteGuard((MD5,), 0, WHEN.replace(microsecond=0))
    assert parse_delete_objects(body) == DeleteMany(
        (DeleteRequest("k", "null", guard),), quiet=False
    )


GUARDED = (
    "<Delete><Object><Key>k</Key><LastModifiedTime>TIME</LastModifiedTime>"
    "</Object></Delete>"
)


@pytest.mark.parametrize("text", ["2026-02-03T16:45:09Z", "2026-02-03T17:45:09+01:00"])
def test_delete_guard_takes_iso_dates(text):
    (request,) = parse_delete_objects(GUARDED.replace("TIME", text).encode()).requests
    assert request.guard == DeleteGuard(if_last_modified=WHEN.replace(microsecond=0))


@pytest.mark.parametrize(
    "body",
    [
        "<Delete/>",
        "<Delete><Quiet>true</Quiet></Delete>",
        "<Delete><Object/></Delete>",
        "<Delete><Object><Key></Key></Object></Delete>",
        "<Delete><Object><Key>k</Key><Size>x</Size></Object></Delete>",
        GUARDED.replace("TIME", "x"),
        GUARDED.replace("TIME", "0001-01-01T00:00:00+05:00"),
        "<Delete>" + "<Object><Key>k</Key></Object>" * 1001 + "</Delete>",
    ],
)
def test_deletions_that_are_refused(body):
    with pytest.raises(MalformedXMLError):
        parse_delete_objects(body.encode())


pieces = st.lists(
    st.sampled_from(
        [
            "Delete",
            "Object",
            "Key",
            "Size",
            "CompleteMultipartUpload",
            "Part",
            "PartNumber",
        ]
    ).flatmap(lambda name: st.sampled_from([f"<{name}>", f"</{name}>", f"<{name}/>"]))
    | st.text(max_size=5),
    max_size=12,
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))


@given(body=st.binary(max_size=100) | pieces)
def test_no_body_breaks_the_parsers(body):
    for parse in (
        parse_complete_multipart_upload,
        parse_create_bucket,
        parse_delete_objects,
    ):
        with contextlib.suppress(BlobError):
            parse(body)
