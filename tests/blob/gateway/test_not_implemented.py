"""What is not in the table of actions answers 501, and nothing is touched."""

from __future__ import annotations

import pytest

BUCKET_SUBRESOURCES = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "versioning",
    "website",
    "metadataTable",
    "session",
]
OBJECT_SUBRESOURCES = [
    "acl",
    "attributes",
    "legal-hold",
    "retention",
    "tagging",
    "torrent",
    "restore",
    "select",
    "renameObject",
]


@pytest.fixture
def precious(wire, bucket):
    """Name a bucket whose one object must come to no harm."""
    wire.request("PUT", f"/{bucket}/k", {"x-amz-meta-a": "b"}, b"precious")
    return bucket


def is_unharmed(wire, bucket):
    reply = wire.request("GET", f"/{bucket}/k")
    listing = wire.request("GET", f"/{bucket}").body
    return (
        reply.body == b"precious"
        and reply.headers["x-amz-meta-a"] == "b"
        and listing.count(b"<Key>") == 1
        and b"<Upload>" not in wire.request("GET", f"/{bucket}?uploads").body
    )


@pytest.mark.parametrize("subresource", BUCKET_SUBRESOURCES)
def test_subresources_of_a_bucket(wire, precious, subresource):
    for method in ("GET", "PUT", "DELETE", "POST"):
        reply = wire.request(method, f"/{precious}?{subresource}", body=b"<x/>")
        assert (reply.status, reply.code) == (501, "NotImplemented")
    assert is_unharmed(wire, precious)


@pytest.mark.parametrize("subresource", OBJECT_SUBRESOURCES)
def test_subresources_of_an_object(wire, precious, subresource):
    for method in ("GET", "PUT", "DELETE", "POST"):
        reply = wire.request(method, f"/{precious}/k?{subresource}", body=b"<x/>")
        assert (reply.status, reply.code) == (501, "NotImplemented")
    assert is_unharmed(wire, precious)


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("PUT", "uploadId=x"),
        ("PUT", "partNumber=1"),
        ("GET", "partNumber=1"),
        ("PUT", "versionId=null"),
        ("DELETE", "uploadId=x&versionId=null"),
        ("POST", ""),
        ("POST", "delete"),
        ("PATCH", ""),
        ("PUT", "append&position=0"),
        ("GET", "x-amz-invented=1"),
        ("PUT", "invented"),
    ],
)
def test_parameters_that_make_no_action(wire, precious, method, query):
    reply = wire.request(method, f"/{precious}/k?{query}", body=b"<x/>")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert is_unharmed(wire, precious)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_methods_on_the_service(wire, method):
    reply = wire.request(method, "/")
    assert (reply.status, reply.code) == (501, "NotImplemented")


WRITE_HEADERS = {
    "x-amz-acl": "public-read",
    "x-amz-grant-read": "id=1",
    "x-amz-invented": "1",
    "x-amz-object-lock-legal-hold": "ON",
    "x-amz-object-lock-mode": "COMPLIANCE",
    "x-amz-object-lock-retain-until-date": "2030-01-01T00:00:00Z",
    "x-amz-security-token": "x",
    "x-amz-server-side-encryption": "AES256",
    "x-amz-server-side-encryption-aws-kms-key-id": "x",
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-storage-class": "GLACIER",
    "x-amz-tagging": "a=b",
    "x-amz-website-redirect-location": "/x",
    "x-amz-write-offset-bytes": "8",
}


@pytest.mark.parametrize("header", sorted(WRITE_HEADERS))
def test_headers_that_would_change_what_a_write_means(wire, precious, header):
    headers = {header: WRITE_HEADERS[header]}
    copy = {**headers, "x-amz-copy-source": f"/{precious}/k"}
    for method, target, asked in (
        ("PUT", f"/{precious}/k", headers),
        ("PUT", f"/{precious}/other", copy),
        ("POST", f"/{precious}/k?uploads", headers),
    ):
        reply = wire.request(method, target, asked, b"")
        assert (reply.status, reply.code) == (501, "NotImplemented")
    assert is_unharmed(wire, precious)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-amz-bucket-object-lock-enabled", "true"),
        ("x-amz-acl", "public-read-write"),
        ("x-amz-grant-full-control", "id=1"),
    ],
)
def test_headers_of_a_bucket_to_be(wire, header, value):
    reply = wire.request("PUT", "/test-never-made", {header: value})
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert wire.request("HEAD", "/test-never-made").status == 404


def test_conditions_where_they_would_not_hold(wire, precious):
    for header in ("if-modified-since", "if-unmodified-since"):
        headers = {header: "Sun, 06 Nov 1994 08:49:37 GMT"}
        reply = wire.request("PUT", f"/{precious}/k", headers, b"x")
        assert (reply.status, reply.code) == (501, "NotImplemented")
    for target in (f"/{precious}/k?partNumber=1&uploadId=x", f"/{precious}/k?uploads"):
        method = "PUT" if "uploadId" in target else "POST"
        reply = wire.request(method, target, {"if-match": '"x"'}, b"x")
        assert (reply.status, reply.code) == (501, "NotImplemented")
    assert is_unharmed(wire, precious)


def test_noise_of_real_clients_is_passed_over(wire, precious):
    noise = {"x-amz-storage-class": "STANDARD", "x-amz-acl": "private"}
    reply = wire.request("PUT", f"/{precious}/k?x-id=PutObject", noise, b"new")
    assert reply.status == 200
    lock = {"x-amz-bucket-object-lock-enabled": "false"}
    assert wire.request("PUT", f"/{precious}", lock).status == 200
    payer = {"x-amz-request-payer": "requester", "x-amz-user-agent": "x"}
    assert wire.request("GET", f"/{precious}/k", payer).body == b"new"


def test_the_body_is_not_read(wire, precious):
    """A 501 comes before a single byte of the body."""
    headers = wire.sign("PUT", f"/{precious}/k?acl", {"expect": "100-continue"})
    headers["content-length"] = str(10**12)
    reply = wire.send("PUT", f"/{precious}/k?acl", headers)
    assert reply.status == 501
    assert reply.headers["connection"] == "close"
