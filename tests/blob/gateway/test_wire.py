"""What no well-behaved client shows: requests made by hand, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

BODY = os.urandom(200_000)
CRC = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
TRAILER = f"x-amz-checksum-crc32:{CRC}"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def chunked_headers(body=BODY, **more):
    return {
        "content-encoding": "gzip,aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def unsigned_chunks(pieces, trailer=""):
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return framed + b"0\r\n" + (f"{trailer}\r\n".encode() if trailer else b"") + b"\r\n"


PIECES = [BODY[:65536], BODY[65536:131072], BODY[131072:]]


def stored(wire, bucket, key="k"):
    reply = wire.request("GET", f"/{bucket}/{key}")
    return reply.body if reply.status == 200 else None


def put_signed_chunks(wire, bucket, change=lambda framed: framed, trailer=""):
    more = {"x_amz_trailer": "x-amz-checksum-crc32"} if trailer else {}
    payload = SIGNED + ("-TRAILER" if trailer else "")
    headers = wire.sign("PUT", f"/{bucket}/k", chunked_headers(**more), payload=payload)
    framed = change(wire.signed_chunks(headers, PIECES, trailer))
    headers["content-length"] = str(len(framed))
    return wire.send("PUT", f"/{bucket}/k", headers, framed)


@pytest.mark.parametrize("trailer", ["", TRAILER])
def test_signed_chunks(wire, bucket, trailer):
    reply = put_signed_chunks(wire, bucket, trailer=trailer)
    assert reply.status == 200, reply.body
    assert reply.headers["etag"] == f'"{hashlib.md5(BODY).hexdigest()}"'
    assert reply.headers.get("x-amz-checksum-crc32") == (CRC if trailer else None)
    reply = wire.request("GET", f"/{bucket}/k")
    assert reply.body == BODY
    assert reply.headers["content-encoding"] == "gzip"


def test_a_chunk_changed_on_its_way(wire, bucket):
    reply = put_signed_chunks(
        wire, bucket, lambda framed: framed.replace(BODY[70000:70008], b"tampered")
    )
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    assert stored(wire, bucket) is None


def test_a_chunk_left_out(wire, bucket):
    reply = put_signed_chunks(wire, bucket, lambda framed: framed[:100_000])
    assert (reply.status, reply.code) == (400, "IncompleteBody")
    assert stored(wire, bucket) is None


def test_a_signed_trailer_that_lies(wire, bucket):
    wrong = "x-amz-checksum-crc32:AAAAAA=="
    reply = put_signed_chunks(wire, bucket, trailer=wrong)
    assert (reply.status, reply.code) == (400, "BadDigest")
    assert stored(wire, bucket) is None


@pytest.mark.parametrize(
    ("trailer", "answer"),
    [
        (TRAILER, (200, None)),
        ("x-amz-checksum-crc32:AAAAAA==", (400, "BadDigest")),
        ("", (400, "MalformedTrailerError")),
        ("x-amz-checksum-sha1:AAAAAA==", (400, "MalformedTrailerError")),
    ],
)
def test_unsigned_chunks_with_a_trailer(wire, bucket, trailer, answer):
    headers = chunked_headers(x_amz_trailer="x-amz-checksum-crc32")
    framed = unsigned_chunks(PIECES, trailer)
    reply = wire.request(
        "PUT", f"/{bucket}/k", headers, framed, payload=UNSIGNED_TRAILER
    )
    assert (reply.status, reply.code) == answer
    assert stored(wire, bucket) == (BODY if answer[0] == 200 else None)


def test_chunks_within_chunks(wire, bucket):
    """Over https boto3 sends aws-chunked inside HTTP's own chunks."""
    headers = chunked_headers(
        x_amz_trailer="x-amz-checksum-crc32", transfer_encoding="chunked"
    )
    framed = unsigned_chunks(PIECES, TRAILER)
    cut = [framed[at : at + 7001] for at in range(0, len(framed), 7001)]
    reply = wire.request(
        "PUT", f"/{bucket}/k", headers, unsigned_chunks(cut), payload=UNSIGNED_TRAILER
    )
    assert reply.status == 200, reply.body
    assert stored(wire, bucket) == BODY


@pytest.mark.parametrize("length", ["199999", "200001"])
def test_a_decoded_length_that_is_wrong(wire, bucket, length):
    headers = chunked_headers(x_amz_trailer="x-amz-checksum-crc32")
    headers["x-amz-decoded-content-length"] = length
    framed = unsigned_chunks(PIECES, TRAILER)
    reply = wire.request(
        "PUT", f"/{bucket}/k", headers, framed, payload=UNSIGNED_TRAILER
    )
    assert (reply.status, reply.code) == (400, "IncompleteBody")
    assert stored(wire, bucket) is None


def test_the_signed_digest_of_the_body(wire, bucket):
    digest = hashlib.sha256(BODY).hexdigest()
    target = f"/{bucket}/k"
    assert wire.request("PUT", target, body=BODY, payload=digest).status == 200
    reply = wire.request("PUT", target, body=BODY[:-1] + b"x", payload=digest)
    assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")
    assert stored(wire, bucket) == BODY


def test_a_signed_document_cannot_be_left_out(wire):
    document = b"<CreateBucketConfiguration/>"
    digest = hashlib.sha256(document).hexdigest()
    signed = wire.sign("PUT", "/a-bucket-without-its-document", payload=digest)
    reply = wire.send("PUT", "/a-bucket-without-its-document", signed)
    assert (reply.status, reply.code) == (411, "MissingContentLength")
    assert wire.request("HEAD", "/a-bucket-without-its-document").status == 404


def test_a_body_must_have_a_length(wire, bucket):
    headers = {"transfer-encoding": "chunked"}
    reply = wire.request("PUT", f"/{bucket}/k", headers, unsigned_chunks([b"x"]))
    assert (reply.status, reply.code) == (411, "MissingContentLength")


def test_5_gib_are_the_most_of_one_put(wire, bucket):
    headers = wire.sign("PUT", f"/{bucket}/k", {"expect": "100-continue"})
    headers["content-length"] = str(5 * 1024**3 + 1)
    reply = wire.send("PUT", f"/{bucket}/k", headers)
    assert (reply.status, reply.code) == (400, "EntityTooLarge")


def test_metadata_has_a_limit(wire, bucket):
    headers = {"x-amz-meta-a": "x" * 2048}
    reply = wire.request("PUT", f"/{bucket}/k", headers, b"x")
    assert (reply.status, reply.code) == (400, "MetadataTooLarge")


# -- raw paths -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("a%2Fb", "a/b"),
        ("a//b", "a//b"),
        ("/", "/"),
        ("../x", "../x"),
        ("a/./b/..", "a/./b/.."),
        ("%2e%2e/x", "../x"),
        ("a%20b", "a b"),
        ("a%25b", "a%b"),
        ("a%0Ab", "a\nb"),
        ("%00", "\0"),
    ],
)
def test_the_key_is_the_path_as_it_was_sent(wire, boto3_client, bucket, raw, key):
    path = f"/{bucket}/{raw}"
    canonical = path.replace("%2e", ".")
    reply = wire.request("PUT", path, body=b"x", canonical_path=canonical)
    assert reply.status == 200, reply.body
    assert wire.request("GET", path, canonical_path=canonical).body == b"x"
    found = boto3_client.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == b"x"


def test_a_plus_is_a_plus(wire, boto3_client, bucket):
    canonical = f"/{bucket}/a%2Bb"
    wire.request("PUT", f"/{bucket}/a+b", body=b"x", canonical_path=canonical)
    assert boto3_client.get_object(Bucket=bucket, Key="a+b")["Body"].read() == b"x"


@pytest.mark.parametrize("raw", ["%ff", "%zz", "a%2"])
def test_paths_that_are_no_text(wire, bucket, raw):
    reply = wire.request("PUT", f"/{bucket}/{raw}", body=b"x")
    assert (reply.status, reply.code) in {
        (400, "InvalidURI"),
        (403, "SignatureDoesNotMatch"),  # the canonical form of %zz is no one's
    }
    assert wire.request("GET", f"/{bucket}").body.count(b"<Key>") == 0


def test_absolute_request_targets(wire, bucket):
    wire.request("PUT", f"/{bucket}/k", body=b"x")
    headers = wire.sign("GET", f"/{bucket}/k")
    target = f"{wire.gateway.endpoint}/{bucket}/k"
    assert wire.send("GET", target, headers).body == b"x"


# -- who asks --------------------------------------------------------------------------


def test_nobody_gets_nothing(wire, bucket):
    for method, target in (
        ("GET", "/"),
        ("GET", f"/{bucket}"),
        ("PUT", f"/{bucket}/k"),
        ("DELETE", f"/{bucket}"),
        ("GET", f"/{bucket}?acl"),
        ("PATCH", "/"),
    ):
        headers = {"host": wire.address.netloc, "content-length": "0"}
        reply = wire.send(method, target, headers)
        assert (reply.status, reply.code) == (403, "AccessDenied")
        assert reply.headers["x-amz-request-id"]


def test_a_wrong_signature(wire, bucket):
    headers = wire.sign("PUT", f"/{bucket}/k", {"content-length": "1"})
    reply = wire.send("PUT", f"/{bucket}/other", headers, b"x")
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    assert wire.gateway.secret_key.encode() not in reply.body


def test_an_unknown_key(wire):
    headers = wire.sign("GET", "/")
    known, access = headers["authorization"], wire.gateway.access_key
    headers["authorization"] = known.replace(access, "AKNOBODY")
    reply = wire.send("GET", "/", headers)
    assert (reply.status, reply.code) == (403, "InvalidAccessKeyId")


def test_another_region(wire):
    headers = wire.sign("GET", "/")
    known = headers["authorization"]
    headers["authorization"] = known.replace("/us-east-1/", "/mars-1/")
    reply = wire.send("GET", "/", headers)
    assert (reply.status, reply.code) == (400, "AuthorizationHeaderMalformed")
    assert b"<Region>us-east-1</Region>" in reply.body


def test_presigned_urls_come_later(wire, bucket):
    target = f"/{bucket}/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0"
    reply = wire.send("GET", target, {"host": wire.address.netloc})
    assert (reply.status, reply.code) == (501, "NotImplemented")


# -- answers ---------------------------------------------------------------------------


def test_every_answer_can_be_found_again(wire, bucket):
    replies = [
        wire.request("GET", "/"),
        wire.request("PUT", f"/{bucket}/k", body=b"x"),
        wire.request("GET", f"/{bucket}/k"),
        wire.request("GET", f"/{bucket}/absent"),
    ]
    ids = {reply.headers["x-amz-request-id"] for reply in replies}
    assert len(ids) == 4
    for reply in replies:
        assert reply.headers["x-amz-id-2"]
        assert reply.headers["date"]
        assert reply.headers["server"] == "aiostow"
    error = replies[-1]
    assert error.headers["content-type"] == "application/xml"
    assert f"<Resource>/{bucket}/absent</Resource>".encode() in error.body
    request_id = error.headers["x-amz-request-id"]
    assert f"<RequestId>{request_id}</RequestId>".encode() in error.body


def test_errors_of_head_have_no_body(wire, bucket):
    reply = wire.request("HEAD", f"/{bucket}/absent")
    assert (reply.status, reply.body) == (404, b"")


DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"


def test_documents_of_requests_that_are_none(wire, bucket):
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>' + DELETE.replace(b"k", b"&a;")
    for document in (b"no xml", bomb, b"<Delete/>"):
        md5 = base64.b64encode(hashlib.md5(document).digest()).decode()
        reply = wire.request(
            "POST", f"/{bucket}?delete", {"content-md5": md5}, document
        )
        assert (reply.status, reply.code) == (400, "MalformedXML")
    reply = wire.request("PUT", "/test-no-xml", body=b"<x")
    assert (reply.status, reply.code) == (400, "MalformedXML")


# -- the body and the connection -------------------------------------------------------


def begin(wire, headers, target, *, length):
    """Send the head of a PUT over a connection of its own, and return that."""
    headers = {**headers, "content-length": str(length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection = socket.create_connection(
        (wire.address.hostname, wire.address.port), timeout=20
    )
    connection.sendall(f"PUT {target} HTTP/1.1\r\n{lines}\r\n".encode())
    return connection


def read_all(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_100_continue_is_for_those_who_may(wire, bucket):
    target = f"/{bucket}/k"
    headers = wire.sign("PUT", target, {"expect": "100-continue"})
    with begin(wire, headers, target, length=5) as connection:
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    assert stored(wire, bucket) == b"hello"


def test_a_refused_upload_needs_no_body(wire, bucket):
    target = f"/{bucket}/k"
    headers = wire.sign("PUT", target, {"expect": "100-continue"})
    forged = {**headers, "authorization": headers["authorization"][:-4] + "beef"}
    began = time.monotonic()
    answer = read_all(begin(wire, forged, target, length=10**9))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"100 Continue" not in answer
    assert b"Connection: close" in answer
    other = "/test-no-such-bucket/k"
    headers = wire.sign("PUT", other, {"expect": "100-continue"})
    answer = read_all(begin(wire, headers, other, length=10**9))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert time.monotonic() - began < 5  # it was not waited for


def test_a_refused_upload_without_expect_is_told_too(wire, bucket):
    headers = wire.sign("PUT", "/test-no-such-bucket/k")
    connection = begin(wire, headers, "/test-no-such-bucket/k", length=len(BODY))
    connection.sendall(BODY)
    with connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")


def test_a_client_that_goes_stores_nothing(wire, bucket):
    target = f"/{bucket}/k"
    wire.request("PUT", target, body=b"old")
    with begin(wire, wire.sign("PUT", target), target, length=10**6) as connection:
        connection.sendall(b"x" * 500_000)
    with begin(wire, wire.sign("PUT", target), target, length=10**6) as connection:
        connection.sendall(b"x" * 500_000)
        linger = b"\1\0\0\0\0\0\0\0"  # on, 0 seconds: close by a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert stored(wire, bucket) == b"old"


def test_a_bucket_deleted_during_an_upload(wire, bucket):
    target = f"/{bucket}/k"
    headers = wire.sign("PUT", target, {"expect": "100-continue"})
    with begin(wire, headers, target, length=10) as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"12345")
        assert wire.request("DELETE", f"/{bucket}").status == 204
        connection.sendall(b"67890")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"NoSuchBucket" in answer
    assert wire.request("PUT", f"/{bucket}").status == 200
    assert b"<Key>" not in wire.request("GET", f"/{bucket}").body


def test_two_writers_of_one_key(wire, bucket):
    """One whole body wins, never a mixture."""
    bodies = [bytes([65 + n]) * 300_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(
            pool.map(
                lambda body: wire.request("PUT", f"/{bucket}/k", body=body), bodies
            )
        )
    assert {reply.status for reply in replies} == {200}
    assert stored(wire, bucket) in bodies


def test_one_connection_serves_many_requests(wire, bucket):
    target = f"/{bucket}/k"
    with begin(wire, wire.sign("PUT", target), target, length=3) as connection:
        connection.sendall(b"one")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        headers = wire.sign("GET", target)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
        answer = b""
        while not answer.endswith(b"one"):
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 ")
