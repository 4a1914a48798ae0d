"""S3's documents: as botocore reads and writes them, and what no client should send."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from blob.errors import BlobError, InvalidArgumentError
from blob.gateway import xml
from blob.gateway.wire_errors import InvalidRequestError, MalformedXMLError
from blob.gateway.xml_requests import (
    MAX_BODY,
    DeleteMany,
    parse_complete_multipart_upload,
    parse_create_bucket,
    parse_delete_objects,
)
from blob.types import (
    ContainerInfo,
    DeleteGuard,
    DeleteRequest,
    DeleteResult,
    FileInfo,
    FileListing,
    Metadata,
    Part,
    PartListing,
    PartRef,
    Principal,
    Upload,
    UploadListing,
)

S3 = botocore.session.get_session().get_service_model("s3")
WHEN = datetime(2026, 2, 3, 16, 45, 9, 120_000, tzinfo=UTC)
OWNER = Principal("id-1", "Ann <ann@example>")
MD5 = "9b2cf535f27731c974343645a3985328"


def as_botocore(action, body):
    """Read a document as boto3 does; without the response's own metadata."""
    parser = create_parser(S3.metadata["protocol"])
    response = {"status_code": 200, "headers": {}, "body": body}
    result = parser.parse(response, S3.operation_model(action).output_shape)
    del result["ResponseMetadata"]
    return result


def from_botocore(action, arguments):
    """Write a request's document as boto3 does."""
    serializer = create_serializer(S3.metadata["protocol"])
    request = serializer.serialize_to_request(arguments, S3.operation_model(action))
    # What boto3's own handler `escape_xml_payload` does on the way out.
    return request["body"].replace(b"\r", b"&#xD;")


def file(key, **changes):
    fields = {
        "container": "b",
        "key": key,
        "size": 5,
        "etag": MD5,
        "last_modified": WHEN,
        "metadata": Metadata(),
        "owner": OWNER,
    }
    return FileInfo(**{**fields, **changes})


def listing(*files, prefixes=(), next_marker=None):
    return FileListing(files, prefixes, next_marker is not None, next_marker)


def upload(**changes):
    fields = {
        "container": "b",
        "key": "k&",
        "upload_id": "u-1",
        "initiated": WHEN,
        "metadata": Metadata(storage_class="STANDARD_IA"),
        "owner": OWNER,
        "checksum_algorithm": "crc32",
        "checksum_type": "COMPOSITE",
    }
    return Upload(**{**fields, **changes})


SHOWN_OWNER = {"ID": OWNER.id, "DisplayName": OWNER.display_name}
SHOWN_FILE = {
    "Key": "a",
    "LastModified": WHEN,
    "ETag": f'"{MD5}"',
    "Size": 5,
    "StorageClass": "STANDARD",
}


# -- responses -------------------------------------------------------------------------


def test_error_document():
    body = xml.error(
        "NoSuchKey", "no <key>", resource="/b/k", request_id="1", extra={"Key": "k"}
    )
    assert body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
        "<Message>no &lt;key&gt;</Message><Key>k</Key><Resource>/b/k</Resource>"
        "<RequestId>1</RequestId></Error>"
    )


def test_error_document_takes_bytes_that_were_no_text():
    body = xml.error("C", "m", resource="/\udcff\x00", request_id="1")
    assert "<Resource>/\ufffd&#x0;</Resource>" in body.decode()


def test_list_buckets():
    body = xml.list_buckets([ContainerInfo("one", WHEN)], owner=OWNER)
    assert as_botocore("ListBuckets", body) == {
        "Buckets": [{"Name": "one", "CreationDate": WHEN}],
        "Owner": SHOWN_OWNER,
    }


@pytest.mark.parametrize(
    ("region", "shown"), [("us-east-1", None), ("eu-west-1", "eu-west-1")]
)
def test_location(region, shown):
    assert ET.fromstring(xml.location(region)).text == shown


def test_list_objects():
    page = listing(file("a"), prefixes=["p/"], next_marker="p/")
    body = xml.list_objects(page, bucket="b", marker="0", delimiter="/", max_keys=2)
    assert as_botocore("ListObjects", body) == {
        "Name": "b",
        "Prefix": "",
        "Marker": "0",
        "NextMarker": "p/",
        "MaxKeys": 2,
        "Delimiter": "/",
        "IsTruncated": True,
        "Contents": [SHOWN_FILE | {"Owner": SHOWN_OWNER}],
        "CommonPrefixes": [{"Prefix": "p/"}],
    }


def test_next_marker_is_told_with_a_delimiter_only():
    body = xml.list_objects(listing(file("a"), next_marker="a"), bucket="b")
    assert "NextMarker" not in as_botocore("ListObjects", body)


def test_list_objects_v2():
    checked = file("a", checksums={"crc32": "AAAAAA=="}, owner=None)
    body = xml.list_objects_v2(
        listing(checked, prefixes=["p/"], next_marker="p/"),
        bucket="b",
        prefix="",
        delimiter="/",
        max_keys=2,
        start_after="0",
        continuation_token="t1",
        next_token="t2",
    )
    assert as_botocore("ListObjectsV2", body) == {
        "Name": "b",
        "Prefix": "",
        "StartAfter": "0",
        "ContinuationToken": "t1",
        "NextContinuationToken": "t2",
        "KeyCount": 2,
        "MaxKeys": 2,
        "Delimiter": "/",
        "IsTruncated": True,
        "Contents": [
            SHOWN_FILE | {"ChecksumAlgorithm": ["CRC32"], "ChecksumType": "FULL_OBJECT"}
        ],
        "CommonPrefixes": [{"Prefix": "p/"}],
    }


def test_owners_are_shown_where_asked():
    page = listing(file("a"), file("b", owner=Principal("x")))
    body = xml.list_objects_v2(page, bucket="b", fetch_owner=True)
    contents = as_botocore("ListObjectsV2", body)["Contents"]
    assert [item["Owner"] for item in contents] == [SHOWN_OWNER, {"ID": "x"}]
    body = xml.list_objects_v2(page, bucket="b")
    assert "Owner" not in as_botocore("ListObjectsV2", body)["Contents"][0]


def test_list_object_versions():
    body = xml.list_object_versions(
        listing(file("a"), next_marker="a"), bucket="b", key_marker="0", max_keys=1
    )
    assert as_botocore("ListObjectVersions", body) == {
        "Name": "b",
        "Prefix": "",
        "KeyMarker": "0",
        "VersionIdMarker": "",
        "NextKeyMarker": "a",
        "NextVersionIdMarker": "null",
        "MaxKeys": 1,
        "IsTruncated": True,
        "Versions": [
            SHOWN_FILE | {"VersionId": "null", "IsLatest": True, "Owner": SHOWN_OWNER}
        ],
    }


def test_list_object_versions_that_ends_in_a_prefix():
    page = listing(prefixes=["p/"], next_marker="p/")
    body = xml.list_object_versions(page, bucket="b", delimiter="/")
    result = as_botocore("ListObjectVersions", body)
    assert result["NextKeyMarker"] == "p/"
    assert "NextVersionIdMarker" not in result


def test_copy_results():
    info = file("a", checksums={"crc64nvme": "AAAAAAAAAAA="})
    assert as_botocore("CopyObject", xml.copy_object(info)) == {
        "CopyObjectResult": {
            "LastModified": WHEN,
            "ETag": f'"{MD5}"',
            "ChecksumCRC64NVME": "AAAAAAAAAAA=",
            "ChecksumType": "FULL_OBJECT",
        }
    }
    assert as_botocore("UploadPartCopy", xml.copy_part(MD5, WHEN, {})) == {
        "CopyPartResult": {"LastModified": WHEN, "ETag": f'"{MD5}"'}
    }


def test_multipart_results():
    body = xml.initiate_multipart_upload(upload())
    assert as_botocore("CreateMultipartUpload", body) == {
        "Bucket": "b",
        "Key": "k&",
        "UploadId": "u-1",
    }
    info = file(
        "k", etag=MD5 + "-2", checksums={"sha1": "x-2"}, checksum_type="COMPOSITE"
    )
    body = xml.complete_multipart_upload(info, url="http://h/b/k?a&b")
    assert as_botocore("CompleteMultipartUpload", body) == {
        "Location": "http://h/b/k?a&b",
        "Bucket": "b",
        "Key": "k",
        "ETag": f'"{MD5}-2"',
        "ChecksumSHA1": "x-2",
        "ChecksumType": "COMPOSITE",
    }


def test_list_parts():
    part = Part(3, 7, MD5, WHEN, {"crc32": "AAAAAA=="})
    page = PartListing(upload(), [part], is_truncated=True, next_marker=3)
    body = xml.list_parts(page, marker=2, max_parts=1)
    assert as_botocore("ListParts", body) == {
        "Bucket": "b",
        "Key": "k&",
        "UploadId": "u-1",
        "Initiator": SHOWN_OWNER,
        "Owner": SHOWN_OWNER,
        "StorageClass": "STANDARD_IA",
        "PartNumberMarker": 2,
        "NextPartNumberMarker": 3,
        "MaxParts": 1,
        "IsTruncated": True,
        "ChecksumAlgorithm": "CRC32",
        "ChecksumType": "COMPOSITE",
        "Parts": [
            {
                "PartNumber": 3,
                "LastModified": WHEN,
                "ETag": f'"{MD5}"',
                "Size": 7,
                "ChecksumCRC32": "AAAAAA==",
            }
        ],
    }


def test_list_multipart_uploads():
    plain = upload(
        key="z",
        owner=None,
        metadata=Metadata(),
        checksum_algorithm=None,
        checksum_type=None,
    )
    page = UploadListing(
        [upload(), plain],
        ["p/"],
        is_truncated=True,
        next_key_marker="z",
        next_upload_id_marker="u-1",
    )
    body = xml.list_multipart_uploads(
        page, bucket="b", prefix="", delimiter="/", key_marker="a", max_uploads=3
    )
    result = as_botocore("ListMultipartUploads", body)
    assert result["Uploads"] == [
        {
            "Key": "k&",
            "UploadId": "u-1",
            "Initiator": SHOWN_OWNER,
            "Owner": SHOWN_OWNER,
            "StorageClass": "STANDARD_IA",
            "Initiated": WHEN,
            "ChecksumAlgorithm": "CRC32",
            "ChecksumType": "COMPOSITE",
        },
        {"Key": "z", "UploadId": "u-1", "StorageClass": "STANDARD", "Initiated": WHEN},
    ]
    del result["Uploads"]
    assert result == {
        "Bucket": "b",
        "KeyMarker": "a",
        "UploadIdMarker": "",
        "NextKeyMarker": "z",
        "NextUploadIdMarker": "u-1",
        "Prefix": "",
        "Delimiter": "/",
        "MaxUploads": 3,
        "IsTruncated": True,
        "CommonPrefixes": [{"Prefix": "p/"}],
    }


def test_delete_objects():
    done, failed = DeleteResult("a"), DeleteResult("b", "v")
    wrong = [(failed, "NoSuchVersion", "no")]
    body = xml.delete_objects([done, DeleteResult("c", "null")], wrong)
    assert as_botocore("DeleteObjects", body) == {
        "Deleted": [{"Key": "a"}, {"Key": "c", "VersionId": "null"}],
        "Errors": [
            {"Key": "b", "VersionId": "v", "Code": "NoSuchVersion", "Message": "no"}
        ],
    }
    body = xml.delete_objects([done], wrong, quiet=True)
    assert as_botocore("DeleteObjects", body).keys() == {"Errors"}


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
any_keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(key=legal_keys)
def test_every_key_that_xml_has_a_form_for_comes_back(key):
    page = listing(file(key), prefixes=[key], next_marker=key)
    body = xml.list_objects(page, bucket="b", prefix=key, marker=key, delimiter=key)
    result = as_botocore("ListObjects", body)
    assert result["Contents"][0]["Key"] == key
    assert result["CommonPrefixes"] == [{"Prefix": key}]
    for name in ("Prefix", "Marker", "NextMarker", "Delimiter"):
        assert result[name] == key


@given(key=any_keys)
def test_every_key_comes_back_url_encoded(key):
    page = listing(file(key), prefixes=[key], next_marker=key)
    names = {
        "ListObjects": ("Prefix", "Marker", "NextMarker", "Delimiter"),
        "ListObjectsV2": ("Prefix", "StartAfter", "Delimiter"),
        "ListObjectVersions": ("Prefix", "KeyMarker", "NextKeyMarker", "Delimiter"),
    }
    common = {"bucket": "b", "prefix": key, "delimiter": key, "encode_url": True}
    bodies = {
        "ListObjects": xml.list_objects(page, marker=key, **common),
        "ListObjectsV2": xml.list_objects_v2(page, start_after=key, **common),
        "ListObjectVersions": xml.list_object_versions(page, key_marker=key, **common),
    }
    for action, body in bodies.items():
        result = as_botocore(action, body)
        assert result["EncodingType"] == "url"
        items = result.get("Contents") or result["Versions"]
        found = [items[0]["Key"], result["CommonPrefixes"][0]["Prefix"]]
        found += [result[name] for name in names[action]]
        assert {unquote_plus(text) for text in found} == {key}


def test_how_keys_are_written():
    page = listing(file("a\r\n\t\x01&<\">'"))
    body = xml.list_objects_v2(page, bucket="b").decode()
    assert "<Key>a&#xD;\n\t&#x1;&amp;&lt;&quot;&gt;'</Key>" in body
    page = listing(file("a b/c+d~é"))
    body = xml.list_objects_v2(page, bucket="b", encode_url=True).decode()
    assert "<Key>a%20b/c%2Bd~%C3%A9</Key>" in body


def test_multipart_listings_url_encoded():
    page = UploadListing(
        [upload(key="a b")],
        ["p q/"],
        is_truncated=True,
        next_key_marker="a b",
        next_upload_id_marker="u",
    )
    body = xml.list_multipart_uploads(page, bucket="b", encode_url=True)
    result = as_botocore("ListMultipartUploads", body)
    assert result["EncodingType"] == "url"
    assert result["Uploads"][0]["Key"] == "a%20b"
    assert result["NextKeyMarker"] == "a%20b"
    assert result["CommonPrefixes"] == [{"Prefix": "p%20q/"}]
    body = xml.list_parts(
        PartListing(upload(key="a b"), [], is_truncated=False, next_marker=None),
        encode_url=True,
    )
    assert as_botocore("ListParts", body)["Key"] == "a%20b"


def test_iso_time_is_in_milliseconds():
    assert xml.iso_time(WHEN) == "2026-02-03T16:45:09.120Z"
    assert xml.iso_time(WHEN.replace(microsecond=0)) == "2026-02-03T16:45:09.000Z"


# -- requests --------------------------------------------------------------------------


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
