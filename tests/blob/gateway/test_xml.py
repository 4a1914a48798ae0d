"""S3's response documents, read as boto3 reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from blob.gateway import xml
from blob.gateway._xml import iso_time
from blob.types import (
    ContainerInfo,
    DeleteResult,
    FileInfo,
    FileListing,
    Metadata,
    Part,
    PartListing,
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
    assert iso_time(WHEN) == "2026-02-03T16:45:09.120Z"
    assert iso_time(WHEN.replace(microsecond=0)) == "2026-02-03T16:45:09.000Z"
