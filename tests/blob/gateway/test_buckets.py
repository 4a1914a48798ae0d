"""Buckets and listings, as boto3's users have them, over http and https."""

from __future__ import annotations

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError


def failure(call, **arguments):
    """Call, and return the Code and status it fails with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_bucket_is_created_listed_found_and_deleted(s3):
    name = f"b-{uuid4().hex}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    answer = s3.list_buckets()
    assert name in {bucket["Name"] for bucket in answer["Buckets"]}
    assert answer["Owner"]["ID"]
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    s3.delete_bucket(Bucket=name)
    assert failure(s3.head_bucket, Bucket=name) == ("404", 404)
    assert name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


def test_creating_ones_own_bucket_again_succeeds(s3, any_bucket):
    s3.put_object(Bucket=any_bucket, Key="kept", Body=b"kept")
    s3.create_bucket(Bucket=any_bucket)
    assert s3.head_object(Bucket=any_bucket, Key="kept")["ContentLength"] == 4


def test_location(s3, any_bucket):
    assert s3.get_bucket_location(Bucket=any_bucket)["LocationConstraint"] is None
    name = f"b-{uuid4().hex}"
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"}
    )
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-3"


def test_bucket_errors(s3, any_bucket):
    gone = f"b-{uuid4().hex}"
    missing = ("NoSuchBucket", 404)
    assert failure(s3.delete_bucket, Bucket=gone) == missing
    assert failure(s3.get_bucket_location, Bucket=gone) == missing
    assert failure(s3.list_objects, Bucket=gone) == missing
    assert failure(s3.list_objects_v2, Bucket=gone) == missing
    assert failure(s3.list_object_versions, Bucket=gone) == missing
    assert failure(s3.list_multipart_uploads, Bucket=gone) == missing
    s3.put_object(Bucket=any_bucket, Key="k", Body=b"")
    assert failure(s3.delete_bucket, Bucket=any_bucket) == ("BucketNotEmpty", 409)


@pytest.mark.parametrize("name", ["CAPITAL", "under_score", "a..b", "1.2.3.4", "-a-"])
def test_bucket_names_that_break_the_rules(wire, name):
    reply = wire.request("PUT", f"/{name}")
    assert (reply.status, reply.code) == (400, "InvalidBucketName")


KEYS = ["a", "a+b c", "d/1", "d/2", "d/e/3", "z%2F", "é"]


@pytest.fixture
def filled(s3, any_bucket):
    for key in KEYS:
        s3.put_object(Bucket=any_bucket, Key=key, Body=key.encode())
    return any_bucket


def keys(answer):
    return [entry["Key"] for entry in answer.get("Contents", ())]


def prefixes(answer):
    return [entry["Prefix"] for entry in answer.get("CommonPrefixes", ())]


def test_list_v1(s3, filled):
    answer = s3.list_objects(Bucket=filled)
    assert keys(answer) == sorted(KEYS)
    assert not answer["IsTruncated"]
    first = answer["Contents"][0]
    assert (first["Size"], first["StorageClass"]) == (1, "STANDARD")
    assert first["ETag"] == '"0cc175b9c0f1b6a831c399e269772661"'
    page = s3.list_objects(Bucket=filled, MaxKeys=2, Delimiter="/")
    assert keys(page) == ["a", "a+b c"]
    assert page["IsTruncated"]
    rest = s3.list_objects(Bucket=filled, Delimiter="/", Marker=page["NextMarker"])
    assert (keys(rest), prefixes(rest)) == (["z%2F", "é"], ["d/"])
    assert keys(s3.list_objects(Bucket=filled, Prefix="d/", Marker="d/1")) == [
        "d/2",
        "d/e/3",
    ]
    assert keys(s3.list_objects(Bucket=filled, MaxKeys=0)) == []


def test_list_v2(s3, filled):
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=filled, PaginationConfig={"PageSize": 2}
    )
    found = list(pages)
    assert [key for page in found for key in keys(page)] == sorted(KEYS)
    assert [page["KeyCount"] for page in found] == [2, 2, 2, 1]
    answer = s3.list_objects_v2(Bucket=filled, StartAfter="d/2", FetchOwner=True)
    assert keys(answer) == ["d/e/3", "z%2F", "é"]
    assert answer["Contents"][0]["Owner"]["ID"] == s3.list_buckets()["Owner"]["ID"]
    answer = s3.list_objects_v2(Bucket=filled, Prefix="d/", Delimiter="/")
    assert (keys(answer), prefixes(answer)) == (["d/1", "d/2"], ["d/e/"])
    code = failure(s3.list_objects_v2, Bucket=filled, ContinuationToken="?")
    assert code == ("InvalidArgument", 400)


def test_list_versions_of_a_bucket_without_versioning(s3, filled):
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=filled, PaginationConfig={"PageSize": 3}
    )
    versions = [version for page in pages for version in page["Versions"]]
    assert [version["Key"] for version in versions] == sorted(KEYS)
    assert {(version["VersionId"], version["IsLatest"]) for version in versions} == {
        ("null", True)
    }
    for version in versions:
        s3.delete_object(
            Bucket=filled, Key=version["Key"], VersionId=version["VersionId"]
        )
    assert "Versions" not in s3.list_object_versions(Bucket=filled)


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "9" * 30, ""])
def test_max_keys_that_are_no_number(wire, bucket, value):
    reply = wire.request("GET", f"/{bucket}?max-keys={value}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_encoding_type_is_url_or_nothing(wire, bucket):
    reply = wire.request("GET", f"/{bucket}?encoding-type=base64")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_a_parameter_given_twice_is_refused(wire, bucket):
    reply = wire.request("GET", f"/{bucket}?prefix=a&prefix=b")
    assert (reply.status, reply.code) == (400, "InvalidArgument")
