"""Multipart uploads, as boto3's users have them, over http and https."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib

import pytest
from awscrt import checksums as crt
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024
PARTS = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"the last may be small"]
WHOLE = b"".join(PARTS)
ETAGS = [hashlib.md5(part).hexdigest() for part in PARTS]
ETAG = hashlib.md5(b"".join(map(bytes.fromhex, ETAGS))).hexdigest() + "-3"


def b64(number, size):
    return base64.b64encode(number.to_bytes(size, "big")).decode()


def failure(call, **arguments):
    """Call, and return the Code and status it fails with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def where(any_bucket):
    return {"Bucket": any_bucket, "Key": "large file"}


@pytest.fixture
def upload(s3, where):
    return {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}


def put_parts(s3, upload, **options):
    made = []
    for number, body in enumerate(PARTS, 1):
        answer = s3.upload_part(**upload, PartNumber=number, Body=body, **options)
        sums = {name: answer[name] for name in answer if name.startswith("Checksum")}
        made.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
    return made


def test_the_whole_way(s3, where, upload):
    parts = put_parts(s3, upload)
    assert [part["ETag"] for part in parts] == [f'"{etag}"' for etag in ETAGS]
    listed = s3.list_parts(**upload)
    assert [part["Size"] for part in listed["Parts"]] == [len(part) for part in PARTS]
    assert "Contents" not in s3.list_objects_v2(Bucket=where["Bucket"])
    made = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert made["ETag"] == f'"{ETAG}"'
    assert made["Location"].endswith("/large%20file")
    found = s3.get_object(**where)
    assert found["Body"].read() == WHOLE
    assert found["ETag"] == f'"{ETAG}"'
    middle = s3.get_object(**where, Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    assert middle["Body"].read() == WHOLE[5 * MIB - 2 : 5 * MIB + 2]
    gone = failure(s3.list_parts, **upload)
    assert gone == ("NoSuchUpload", 404)


def test_a_completion_asked_again_is_answered_again(s3, where, upload):
    parts = [
        {
            "PartNumber": n,
            "ETag": s3.upload_part(**upload, PartNumber=n, Body=b)["ETag"],
        }
        for n, b in enumerate(PARTS, 1)
    ]
    for _ in range(2):  # the answer of the first was lost, say
        made = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        assert made["ETag"] == f'"{ETAG}"'
    gone = ("NoSuchUpload", 404)
    for others in (parts[:1], [{"PartNumber": 1, "ETag": "no digest"}]):
        answer = failure(
            s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": others}
        )
        assert answer == gone
    s3.put_object(**where, Body=b"replaced since")
    answer = failure(
        s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}
    )
    assert answer == gone


def test_by_transfer_manager(s3, where, tmp_path):
    (tmp_path / "up").write_bytes(WHOLE)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(tmp_path / "up"), where["Bucket"], where["Key"], Config=config)
    s3.download_file(
        where["Bucket"], where["Key"], str(tmp_path / "down"), Config=config
    )
    assert (tmp_path / "down").read_bytes() == WHOLE
    s3.copy(where, where["Bucket"], "copy", Config=config)
    assert s3.get_object(Bucket=where["Bucket"], Key="copy")["Body"].read() == WHOLE


def test_listing_parts_by_pages(s3, upload):
    for number in (1, 3, 7, 10000):
        s3.upload_part(**upload, PartNumber=number, Body=b"x")
    page = s3.list_parts(**upload, MaxParts=3)
    assert [part["PartNumber"] for part in page["Parts"]] == [1, 3, 7]
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 7)
    page = s3.list_parts(**upload, PartNumberMarker=7)
    assert [part["PartNumber"] for part in page["Parts"]] == [10000]
    assert not page["IsTruncated"]


def test_listing_uploads(s3, any_bucket):
    begun = {}
    for key in ("a/1", "a/2", "b"):
        answer = s3.create_multipart_upload(Bucket=any_bucket, Key=key)
        begun[key] = answer["UploadId"]
    answer = s3.list_multipart_uploads(Bucket=any_bucket)
    found = {upload["Key"]: upload["UploadId"] for upload in answer["Uploads"]}
    assert found == begun
    assert answer["Uploads"][0]["Initiated"]
    answer = s3.list_multipart_uploads(Bucket=any_bucket, Delimiter="/")
    assert [upload["Key"] for upload in answer["Uploads"]] == ["b"]
    assert answer["CommonPrefixes"] == [{"Prefix": "a/"}]
    page = s3.list_multipart_uploads(Bucket=any_bucket, Prefix="a/", MaxUploads=1)
    assert page["IsTruncated"]
    page = s3.list_multipart_uploads(
        Bucket=any_bucket,
        Prefix="a/",
        KeyMarker=page["NextKeyMarker"],
        UploadIdMarker=page["NextUploadIdMarker"],
    )
    assert [upload["Key"] for upload in page["Uploads"]] == ["a/2"]


def test_abort(s3, upload):
    s3.upload_part(**upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**upload)
    gone = ("NoSuchUpload", 404)
    assert failure(s3.abort_multipart_upload, **upload) == gone
    assert failure(s3.upload_part, **upload, PartNumber=2, Body=b"x") == gone


def test_completions_that_fail_leave_the_upload_as_it_was(s3, where, upload):
    parts = put_parts(s3, upload)
    small = s3.upload_part(**upload, PartNumber=4, Body=b"x")["ETag"]
    for wrong, code in (
        ([*parts[:2], {"PartNumber": 3, "ETag": '"other"'}], "InvalidPart"),
        ([*parts, {"PartNumber": 9, "ETag": parts[0]["ETag"]}], "InvalidPart"),
        ([parts[1], parts[0]], "InvalidPartOrder"),
        ([*parts, {"PartNumber": 4, "ETag": small}], "EntityTooSmall"),
        ([], "MalformedXML"),
    ):
        call = s3.complete_multipart_upload
        told = failure(call, **upload, MultipartUpload={"Parts": wrong})
        assert told == (code, 400)
    assert failure(s3.head_object, **where) == ("404", 404)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts[:1]})
    assert s3.get_object(**where)["Body"].read() == PARTS[0]


def test_conditional_completion(s3, where, upload):
    parts = {"Parts": put_parts(s3, upload)}
    s3.put_object(**where, Body=b"first")
    call = s3.complete_multipart_upload
    failed = ("PreconditionFailed", 412)
    assert failure(call, **upload, MultipartUpload=parts, IfNoneMatch="*") == failed
    assert failure(call, **upload, MultipartUpload=parts, IfMatch='"x"') == failed
    assert s3.get_object(**where)["Body"].read() == b"first"
    etag = s3.head_object(**where)["ETag"]
    call(**upload, MultipartUpload=parts, IfMatch=etag)
    assert s3.head_object(**where)["ContentLength"] == len(WHOLE)


def test_declared_size_of_the_object(s3, upload):
    parts = {"Parts": put_parts(s3, upload)}
    call = s3.complete_multipart_upload
    told = failure(call, **upload, MultipartUpload=parts, MpuObjectSize=1)
    assert told == ("InvalidRequest", 400)
    call(**upload, MultipartUpload=parts, MpuObjectSize=len(WHOLE))


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1", "1" * 30])
def test_part_numbers_are_1_to_10000(wire, bucket, number):
    target = f"/{bucket}/k?partNumber={number}&uploadId=x"
    reply = wire.request("PUT", target, body=b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_parts_by_copy(s3, where, upload):
    s3.put_object(Bucket=where["Bucket"], Key="source", Body=WHOLE)
    source = {"Bucket": where["Bucket"], "Key": "source"}
    copy = s3.upload_part_copy
    first = copy(
        **upload, PartNumber=1, CopySource=source, CopySourceRange="bytes=1-5242880"
    )["CopyPartResult"]["ETag"]
    assert first == f'"{hashlib.md5(WHOLE[1 : 5 * MIB + 1]).hexdigest()}"'
    second = copy(**upload, PartNumber=2, CopySource=source)
    parts = [
        {"PartNumber": 1, "ETag": first},
        {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]},
    ]
    past = f"bytes=0-{len(WHOLE)}"
    told = failure(
        copy, **upload, PartNumber=3, CopySource=source, CopySourceRange=past
    )
    assert told == ("InvalidRange", 416)
    told = failure(
        copy, **upload, PartNumber=3, CopySource=source, CopySourceRange="bytes=3-"
    )
    assert told == ("InvalidArgument", 400)
    told = failure(
        copy, **upload, PartNumber=3, CopySource=source, CopySourceIfMatch='"x"'
    )
    assert told == ("PreconditionFailed", 412)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**where)["Body"].read() == WHOLE[1 : 5 * MIB + 1] + WHOLE


FULL = {
    "CRC32": b64(zlib.crc32(WHOLE), 4),
    "CRC32C": b64(crt.crc32c(WHOLE), 4),
    "CRC64NVME": b64(crt.crc64nvme(WHOLE), 8),
}


@pytest.mark.parametrize("algorithm", sorted(FULL))
def test_checksum_of_the_full_object(s3, where, algorithm):
    kind = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}
    begun = s3.create_multipart_upload(**where, **kind)
    assert {name: begun[name] for name in kind} == kind
    upload = {**where, "UploadId": begun["UploadId"]}
    parts = put_parts(s3, upload, ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    call = s3.complete_multipart_upload
    wrong = {name: b64(0, 8 if algorithm == "CRC64NVME" else 4)}
    told = failure(call, **upload, MultipartUpload={"Parts": parts}, **wrong)
    assert told == ("BadDigest", 400)
    right = {name: FULL[algorithm], "ChecksumType": "FULL_OBJECT"}
    made = call(**upload, MultipartUpload={"Parts": parts}, **right)
    assert made[name] == FULL[algorithm]
    found = s3.get_object(**where, ChecksumMode="ENABLED")
    assert found[name] == FULL[algorithm]
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert found["Body"].read() == WHOLE


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA1", "CRC32"])
def test_composite_checksum(s3, where, algorithm):
    begun = s3.create_multipart_upload(**where, ChecksumAlgorithm=algorithm)
    assert begun["ChecksumType"] == "COMPOSITE"
    upload = {**where, "UploadId": begun["UploadId"]}
    parts = put_parts(s3, upload, ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    raw = b"".join(base64.b64decode(part[name]) for part in parts)
    if algorithm == "CRC32":
        expected = b64(zlib.crc32(raw), 4) + "-3"
    else:
        digest = hashlib.new(algorithm, raw).digest()
        expected = base64.b64encode(digest).decode() + "-3"
    swapped = [{**part, name: parts[0][name]} for part in parts]
    call = s3.complete_multipart_upload
    told = failure(call, **upload, MultipartUpload={"Parts": swapped})
    assert told == ("InvalidPart", 400)
    made = call(**upload, MultipartUpload={"Parts": parts})
    assert made[name] == expected
    found = s3.head_object(**where, ChecksumMode="ENABLED")
    assert (found[name], found["ChecksumType"]) == (expected, "COMPOSITE")


def test_a_checksum_of_another_kind_than_announced(s3, where, upload):
    parts = put_parts(s3, upload)
    call = s3.complete_multipart_upload
    wrong = {"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}
    told = failure(call, **upload, MultipartUpload={"Parts": parts}, **wrong)
    assert told == ("InvalidRequest", 400)


def test_a_large_document_with_parts_that_are_not_there(s3, upload):
    parts = [{"PartNumber": n, "ETag": '"absent"'} for n in range(1, 2000)]
    call = s3.complete_multipart_upload
    told = failure(call, **upload, MultipartUpload={"Parts": parts})
    assert told == ("InvalidPart", 400)
