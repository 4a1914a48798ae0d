"""Objects, as boto3's users have them, over http and https."""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

BODY = b"0123456789abcdef"
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'
PAST = datetime.now(UTC) - timedelta(days=1)
FUTURE = datetime.now(UTC) + timedelta(days=1)


def failure(call, **arguments):
    """Call, and return the Code and status it fails with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def stored(s3, any_bucket):
    """Name a bucket with BODY under "k"."""
    s3.put_object(Bucket=any_bucket, Key="k", Body=BODY)
    return {"Bucket": any_bucket, "Key": "k"}


@pytest.mark.parametrize("size", [0, 1, 65536, 3 * 1024 * 1024 + 1])
def test_what_was_put_comes_back(s3, any_bucket, size):
    body = os.urandom(size)
    made = s3.put_object(Bucket=any_bucket, Key="k", Body=body)
    assert made["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    found = s3.get_object(Bucket=any_bucket, Key="k")
    assert found["Body"].read() == body
    assert found["ContentLength"] == size
    assert found["ETag"] == made["ETag"]
    assert found["ChecksumCRC32"] == made["ChecksumCRC32"]
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert s3.head_object(Bucket=any_bucket, Key="k")["ContentLength"] == size


KEYS = [" ", "a b", "a//b", "//", "/", "..", "a/../b", "./a", "+", "%2F", "%", "ümläut"]
KEYS += [
    "a?b=c&d",
    "#",
    "\n\t\x7f",
    "x" * 1024,
    "é" * 512,
    "\U0001f600",
    "a;b=c",
    "'\"<&>",
]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_any_key_is_a_name_of_its_own(s3, any_bucket, key):
    s3.put_object(Bucket=any_bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=any_bucket, Key=key)["Body"].read() == key.encode()
    listing = s3.list_objects_v2(Bucket=any_bucket)
    assert [entry["Key"] for entry in listing["Contents"]] == [key]
    s3.delete_objects(Bucket=any_bucket, Delete={"Objects": [{"Key": key}]}) if (
        key.isprintable()
    ) else s3.delete_object(Bucket=any_bucket, Key=key)
    assert s3.list_objects_v2(Bucket=any_bucket)["KeyCount"] == 0


def test_a_key_of_more_than_1024_bytes(s3, any_bucket):
    for call in (s3.put_object, s3.get_object, s3.delete_object):
        code = failure(call, Bucket=any_bucket, Key="é" * 513)
        assert code == ("KeyTooLongError", 400)


def test_metadata_comes_back(s3, any_bucket):
    given = {
        "CacheControl": "max-age=3",
        "ContentDisposition": 'attachment; filename="x"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain",
        "Metadata": {"one": "1", "two": "zwei"},
    }
    s3.put_object(Bucket=any_bucket, Key="k", Body=b"not gzip", Expires=FUTURE, **given)
    for found in (
        s3.head_object(Bucket=any_bucket, Key="k"),
        s3.get_object(Bucket=any_bucket, Key="k"),
    ):
        assert {name: found[name] for name in given} == given
        assert found["ExpiresString"]
    assert found["Body"].read() == b"not gzip"


def test_content_type_has_a_default(s3, any_bucket):
    s3.put_object(Bucket=any_bucket, Key="k", Body=b"")
    found = s3.get_object(Bucket=any_bucket, Key="k")
    assert found["ContentType"] == "binary/octet-stream"


def test_response_headers_can_be_overridden(s3, stored):
    found = s3.get_object(
        **stored,
        ResponseCacheControl="no-cache",
        ResponseContentDisposition="inline",
        ResponseContentEncoding="x",
        ResponseContentLanguage="fr",
        ResponseContentType="text/x",
        ResponseExpires=FUTURE,
    )
    assert found["CacheControl"] == "no-cache"
    assert found["ContentDisposition"] == "inline"
    assert found["ContentEncoding"] == "x"
    assert found["ContentLanguage"] == "fr"
    assert found["ContentType"] == "text/x"
    assert found["ExpiresString"]


def test_an_override_cannot_inject_a_header(wire, bucket):
    wire.request("PUT", f"/{bucket}/k")
    target = f"/{bucket}/k?response-content-type=a%0D%0Ax-evil%3A%201"
    reply = wire.request("GET", target)
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert "x-evil" not in reply.headers


@pytest.mark.parametrize(
    ("range_", "first", "last"),
    [
        ("bytes=0-3", 0, 3),
        ("bytes=3-", 3, 15),
        ("bytes=-3", 13, 15),
        ("bytes=0-9999", 0, 15),
        ("bytes=-9999", 0, 15),
        ("bytes=15-15", 15, 15),
    ],
)
def test_ranges(s3, stored, range_, first, last):
    for found in (
        s3.head_object(**stored, Range=range_),
        s3.get_object(**stored, Range=range_),
    ):
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert found["ContentRange"] == f"bytes {first}-{last}/16"
        assert found["ContentLength"] == last - first + 1
        assert "ChecksumCRC32" not in found
    assert found["Body"].read() == BODY[first : last + 1]


@pytest.mark.parametrize("range_", ["bytes=0-1,3-4", "bytes=", "lines=1-2", "junk"])
def test_what_is_no_single_range_is_ignored(s3, stored, range_):
    found = s3.get_object(**stored, Range=range_)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert found["Body"].read() == BODY


@pytest.mark.parametrize("range_", ["bytes=16-", "bytes=99-100", "bytes=-0"])
def test_a_range_outside(wire, bucket, range_):
    wire.request("PUT", f"/{bucket}/k", body=BODY)
    reply = wire.request("GET", f"/{bucket}/k", {"range": range_})
    assert (reply.status, reply.code) == (416, "InvalidRange")
    assert reply.headers["content-range"] == "bytes */16"
    reply = wire.request("HEAD", f"/{bucket}/k", {"range": range_})
    assert (reply.status, reply.body) == (416, b"")


def test_if_range(wire, bucket):
    wire.request("PUT", f"/{bucket}/k", body=BODY)
    part = {"range": "bytes=1-2"}
    modified = wire.request("HEAD", f"/{bucket}/k").headers["last-modified"]
    for validator in (ETAG, modified):
        reply = wire.request("GET", f"/{bucket}/k", {**part, "if-range": validator})
        assert (reply.status, reply.body) == (206, BODY[1:3])
    for validator in ('"other"', "Sun, 06 Nov 1994 08:49:37 GMT", f"W/{ETAG}"):
        reply = wire.request("GET", f"/{bucket}/k", {**part, "if-range": validator})
        assert (reply.status, reply.body) == (200, BODY)


@pytest.mark.parametrize("method", ["get_object", "head_object"])
def test_conditions_of_reads(s3, stored, method):
    read = getattr(s3, method)
    read(**stored, IfMatch=ETAG)
    read(**stored, IfMatch="*")
    read(**stored, IfMatch=f'"x", {ETAG}')
    read(**stored, IfNoneMatch='"x"')
    read(**stored, IfModifiedSince=PAST)
    read(**stored, IfModifiedSince=FUTURE)  # a date to come is none (RFC 9110)
    read(**stored, IfUnmodifiedSince=FUTURE)
    read(**stored, IfMatch=ETAG, IfUnmodifiedSince=PAST)
    read(**stored, IfNoneMatch='"x"', IfModifiedSince=datetime.now(UTC))
    failed = ("PreconditionFailed" if method == "get_object" else "412", 412)
    assert failure(read, **stored, IfMatch='"x"') == failed
    assert failure(read, **stored, IfUnmodifiedSince=PAST) == failed
    assert failure(read, **stored, IfNoneMatch=ETAG) == ("304", 304)
    assert failure(read, **stored, IfNoneMatch="*") == ("304", 304)
    assert failure(read, **stored, IfNoneMatch=f"W/{ETAG}") == ("304", 304)
    since = s3.head_object(**stored)["LastModified"]
    assert failure(read, **stored, IfModifiedSince=since) == ("304", 304)


def test_not_modified_says_what_caches_need(wire, bucket):
    wire.request("PUT", f"/{bucket}/k", {"cache-control": "no-store"}, BODY)
    reply = wire.request("GET", f"/{bucket}/k", {"if-none-match": ETAG})
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["etag"] == ETAG
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["last-modified"]


def test_an_empty_version_is_none(wire, bucket):
    for method in ("GET", "DELETE"):
        reply = wire.request(method, f"/{bucket}/k?versionId=")
        assert (reply.status, reply.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("date", ["Wed, 21 Oct 2099 07:28:00 GMT", "some day"])
def test_conditions_that_writes_do_not_have_are_refused(wire, bucket, date):
    for name in ("if-modified-since", "if-unmodified-since"):
        reply = wire.request("PUT", f"/{bucket}/k", {name: date}, b"x")
        assert (reply.status, reply.code) == (501, "NotImplemented")
    assert wire.request("HEAD", f"/{bucket}/k").status == 404


def test_a_copy_does_not_pretend_to_change_the_class(wire, bucket):
    wire.request("PUT", f"/{bucket}/k", body=b"x")
    source = {"x-amz-copy-source": f"/{bucket}/k"}
    reply = wire.request(
        "PUT",
        f"/{bucket}/copy",
        {**source, "x-amz-storage-class": "REDUCED_REDUNDANCY"},
    )
    assert (reply.status, reply.code) == (501, "NotImplemented")
    reply = wire.request(
        "PUT", f"/{bucket}/copy", {**source, "x-amz-storage-class": "STANDARD"}
    )
    assert reply.status == 200


def test_missing_things(s3, any_bucket):
    nothing = {"Bucket": any_bucket, "Key": "nothing"}
    assert failure(s3.get_object, **nothing) == ("NoSuchKey", 404)
    assert failure(s3.head_object, **nothing) == ("404", 404)
    assert failure(s3.get_object, Bucket="no-such-bucket", Key="k") == (
        "NoSuchBucket",
        404,
    )
    assert failure(s3.put_object, Bucket="no-such-bucket", Key="k") == (
        "NoSuchBucket",
        404,
    )
    assert failure(s3.get_object, **nothing, VersionId="x")[1] == 404
    s3.delete_object(**nothing)


def test_conditional_writes(s3, any_bucket):
    where = {"Bucket": any_bucket, "Key": "k"}
    missing = failure(s3.put_object, **where, Body=BODY, IfMatch=ETAG)
    assert missing == ("NoSuchKey", 404)
    s3.put_object(**where, Body=BODY, IfNoneMatch="*")
    failed = ("PreconditionFailed", 412)
    assert failure(s3.put_object, **where, Body=b"x", IfNoneMatch="*") == failed
    assert failure(s3.put_object, **where, Body=b"x", IfMatch='"x"') == failed
    assert s3.get_object(**where)["Body"].read() == BODY
    s3.put_object(**where, Body=b"new", IfMatch=ETAG)
    assert s3.get_object(**where)["Body"].read() == b"new"
    refused = failure(s3.put_object, **where, Body=b"x", IfNoneMatch=ETAG)
    assert refused == ("NotImplemented", 501)


def test_conditional_deletes(s3, stored):
    failed = ("PreconditionFailed", 412)
    assert failure(s3.delete_object, **stored, IfMatch='"x"') == failed
    assert failure(s3.delete_object, **stored, IfMatchSize=1) == failed
    assert failure(s3.delete_object, **stored, IfMatchLastModifiedTime=PAST) == failed
    modified = s3.head_object(**stored)["LastModified"]
    s3.delete_object(
        **stored, IfMatch=ETAG, IfMatchSize=16, IfMatchLastModifiedTime=modified
    )
    gone = failure(s3.delete_object, **stored, IfMatch=ETAG)
    assert gone == ("NoSuchKey", 404)


@pytest.mark.parametrize(
    ("header", "value"),
    [("x-amz-if-match-size", "-1"), ("x-amz-if-match-last-modified-time", "soon")],
)
def test_a_guard_that_cannot_be_read_deletes_nothing(wire, bucket, header, value):
    wire.request("PUT", f"/{bucket}/k")
    reply = wire.request("DELETE", f"/{bucket}/k", {header: value})
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert wire.request("HEAD", f"/{bucket}/k").status == 200


def test_delete_many(s3, any_bucket):
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=any_bucket, Key=key, Body=BODY)
    wanted = [
        {"Key": "a"},
        {"Key": "b", "ETag": "other"},
        {"Key": "absent"},
        {"Key": "c", "ETag": ETAG},
    ]
    answer = s3.delete_objects(Bucket=any_bucket, Delete={"Objects": wanted})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a", "absent", "c"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [
        ("b", "PreconditionFailed")
    ]
    answer = s3.delete_objects(
        Bucket=any_bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True}
    )
    assert "Deleted" not in answer
    assert s3.list_objects_v2(Bucket=any_bucket)["KeyCount"] == 0


def test_delete_a_thousand(s3, any_bucket):
    s3.put_object(Bucket=any_bucket, Key="k999", Body=b"")
    wanted = [{"Key": f"k{n}"} for n in range(1000)]
    answer = s3.delete_objects(Bucket=any_bucket, Delete={"Objects": wanted})
    assert len(answer["Deleted"]) == 1000
    wanted.append({"Key": "one too many"})
    code = failure(s3.delete_objects, Bucket=any_bucket, Delete={"Objects": wanted})
    assert code == ("MalformedXML", 400)


DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"


def test_delete_many_must_be_protected_by_a_digest(wire, bucket):
    wire.request("PUT", f"/{bucket}/k")
    reply = wire.request("POST", f"/{bucket}?delete", body=DELETE)
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    reply = wire.request("POST", f"/{bucket}?delete", {"content-md5": wrong}, DELETE)
    assert (reply.status, reply.code) == (400, "BadDigest")
    assert wire.request("HEAD", f"/{bucket}/k").status == 200
    right = base64.b64encode(hashlib.md5(DELETE).digest()).decode()
    reply = wire.request("POST", f"/{bucket}?delete", {"content-md5": right}, DELETE)
    assert reply.status == 200
    assert wire.request("HEAD", f"/{bucket}/k").status == 404


def test_copy(s3, any_bucket):
    where = {"Bucket": any_bucket, "Key": "to + there"}
    s3.put_object(
        Bucket=any_bucket,
        Key="from ü+",
        Body=BODY,
        Metadata={"a": "b"},
        ContentType="x/y",
    )
    source = {"Bucket": any_bucket, "Key": "from ü+"}
    answer = s3.copy_object(**where, CopySource=source)
    assert answer["CopyObjectResult"]["ETag"] == ETAG
    found = s3.get_object(**where)
    assert found["Body"].read() == BODY
    assert (found["Metadata"], found["ContentType"]) == ({"a": "b"}, "x/y")
    s3.copy_object(
        **where, CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "d"}
    )
    found = s3.head_object(**where)
    assert found["Metadata"] == {"c": "d"}
    assert found["ContentType"] == "binary/octet-stream"
    itself = failure(s3.copy_object, **where, CopySource=where)
    assert itself == ("InvalidRequest", 400)
    s3.copy_object(
        **where, CopySource=where, MetadataDirective="REPLACE", Metadata={"e": "f"}
    )
    assert s3.head_object(**where)["Metadata"] == {"e": "f"}


def test_copy_conditions(s3, stored):
    where = {"Bucket": stored["Bucket"], "Key": "copy", "CopySource": stored}
    failed = ("PreconditionFailed", 412)
    for condition in (
        {"CopySourceIfMatch": '"x"'},
        {"CopySourceIfNoneMatch": ETAG},
        {"CopySourceIfUnmodifiedSince": PAST},
        {"CopySourceIfModifiedSince": s3.head_object(**stored)["LastModified"]},
    ):
        assert failure(s3.copy_object, **where, **condition) == failed
    code = failure(s3.head_object, Bucket=stored["Bucket"], Key="copy")
    assert code == ("404", 404)
    s3.copy_object(**where, CopySourceIfMatch=ETAG, IfNoneMatch="*")
    assert failure(s3.copy_object, **where, IfNoneMatch="*") == failed


def test_copy_errors(s3, stored, wire, bucket):
    where = {"Bucket": stored["Bucket"], "Key": "copy"}
    for source, code in (
        ({"Bucket": stored["Bucket"], "Key": "absent"}, "NoSuchKey"),
        ({"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket"),
    ):
        assert failure(s3.copy_object, **where, CopySource=source) == (code, 404)
    source = {"x-amz-copy-source": f"{bucket}/k", "x-amz-metadata-directive": "MIX"}
    reply = wire.request("PUT", f"/{bucket}/k", source)
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    for source in ("", "nokey", "%zz/k"):
        reply = wire.request("PUT", f"/{bucket}/k", {"x-amz-copy-source": source})
        assert (reply.status, reply.code) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
)
def test_checksums_are_verified_kept_and_returned(s3, any_bucket, algorithm):
    where = {"Bucket": any_bucket, "Key": algorithm}
    made = s3.put_object(**where, Body=BODY, ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    asked = s3.head_object(**where, ChecksumMode="ENABLED")
    assert asked[name] == made[name]
    assert name not in s3.head_object(**where)
    wrong = base64.b64encode(bytes(len(base64.b64decode(made[name])))).decode()
    code = failure(s3.put_object, **where, Body=b"other", **{name: wrong})
    assert code == ("BadDigest", 400)
    assert s3.get_object(**where)["Body"].read() == BODY


def test_content_md5(s3, any_bucket, wire, bucket):
    where = {"Bucket": any_bucket, "Key": "k"}
    right = base64.b64encode(hashlib.md5(BODY).digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(**where, Body=BODY, ContentMD5=right)
    code = failure(s3.put_object, **where, Body=b"y", ContentMD5=wrong)
    assert code == ("BadDigest", 400)
    assert s3.get_object(**where)["Body"].read() == BODY
    reply = wire.request("PUT", f"/{bucket}/k", {"content-md5": "9M/h"}, BODY)
    assert (reply.status, reply.code) == (400, "InvalidDigest")


def test_expected_bucket_owner(s3, stored):
    owner = s3.list_buckets()["Owner"]["ID"]
    s3.head_object(**stored, ExpectedBucketOwner=owner)
    code = failure(s3.get_object, **stored, ExpectedBucketOwner="1" * 12)
    assert code == ("AccessDenied", 403)
    code = failure(s3.put_object, **stored, Body=b"", ExpectedBucketOwner="1" * 12)
    assert code == ("AccessDenied", 403)
    assert s3.get_object(**stored)["Body"].read() == BODY
