"""SigV4: AWS's published examples, botocore's own signer, and what must be refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from blob.errors import BlobError, InvalidArgumentError, NotSupportedError
from blob.gateway._canonical import (
    canonical_headers,
    canonical_paths,
    canonical_query,
)
from blob.gateway.sigv4 import PayloadKind, parse_authorization, verify
from blob.gateway.wire_errors import (
    AuthError,
    AuthorizationHeaderMalformedError,
    InvalidAccessKeyIdError,
    InvalidDateError,
    InvalidRequestError,
    MissingAuthError,
    RequestTimeTooSkewedError,
    SignatureDoesNotMatchError,
    UnsignedHeadersError,
    UnsupportedAuthError,
)

ACCESS = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
THEN = datetime(2013, 5, 24, tzinfo=UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
received = st.binary(max_size=60).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)


def authorization(signed, signature, *, credential=None):
    credential = credential or f"{ACCESS}/20130524/us-east-1/s3/aws4_request"
    return (
        "Authorization",
        (
            f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},"
            f"Signature={signature}"
        ),
    )


def check(method, path, query, headers, *, secret=SECRET, now=THEN, region="us-east-1"):
    claim = parse_authorization(headers, query=query, region=region)
    return verify(
        claim, secret, method=method, path=path, query=query, headers=headers, now=now
    )


HOST = ("Host", "examplebucket.s3.amazonaws.com")
DATE = ("x-amz-date", "20130524T000000Z")
SHA = ("x-amz-content-sha256", EMPTY)
BASE = "host;x-amz-content-sha256;x-amz-date"
LIFECYCLE = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"

PUBLISHED = {
    "get object": (
        "GET",
        "/test.txt",
        "",
        [HOST, ("Range", "bytes=0-9"), SHA, DATE],
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put object": (
        "PUT",
        "/test$file.text",
        "",
        [
            HOST,
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
            DATE,
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            (
                "x-amz-content-sha256",
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            ),
        ],
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get lifecycle": ("GET", "/", "lifecycle", [HOST, SHA, DATE], BASE, LIFECYCLE),
    "list": (
        "GET",
        "/",
        "max-keys=2&prefix=J",
        [HOST, SHA, DATE],
        BASE,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
    "signed chunks": (
        "PUT",
        "/examplebucket/chunkObject.txt",
        "",
        [
            ("Host", "s3.amazonaws.com"),
            DATE,
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("Content-Length", "66824"),
        ],
        (
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
            "x-amz-decoded-content-length;x-amz-storage-class"
        ),
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_example(name):
    method, path, query, headers, signed, signature = PUBLISHED[name]
    headers = [*headers, authorization(signed, signature)]
    verified = check(method, path, query, headers)
    assert verified.access_key == ACCESS
    assert verified.signature == signature
    assert verified.timestamp == "20130524T000000Z"
    assert verified.scope == "20130524/us-east-1/s3/aws4_request"


def lifecycle(*, signature=LIFECYCLE, signed=BASE, extra=(), credential=None, drop=""):
    headers = [HOST, SHA, DATE, authorization(signed, signature, credential=credential)]
    return [pair for pair in headers if pair[0] != drop] + list(extra)


def test_payload_declaration_is_told():
    verified = check("GET", "/", "lifecycle", lifecycle())
    assert verified.payload is PayloadKind.DIGEST
    assert verified.sha256 == EMPTY
    name = "signed chunks"
    method, path, query, headers, signed, signature = PUBLISHED[name]
    verified = check(method, path, query, [*headers, authorization(signed, signature)])
    assert verified.payload is PayloadKind.SIGNED_CHUNKS
    assert verified.sha256 is None


def test_payload_kinds_say_how_to_read_the_body():
    assert [kind.name for kind in PayloadKind if kind.is_chunked] == [
        "UNSIGNED_TRAILER",
        "SIGNED_CHUNKS",
        "SIGNED_CHUNKS_TRAILER",
    ]
    assert [kind.name for kind in PayloadKind if kind.has_trailer] == [
        "UNSIGNED_TRAILER",
        "SIGNED_CHUNKS_TRAILER",
    ]
    assert [kind.name for kind in PayloadKind if kind.has_signed_chunks] == [
        "SIGNED_CHUNKS",
        "SIGNED_CHUNKS_TRAILER",
    ]


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ([HOST], MissingAuthError),
        ([HOST, ("Authorization", "AWS AKID:sig")], UnsupportedAuthError),
        ([HOST, ("Authorization", "Basic abc")], UnsupportedAuthError),
        (
            [HOST, ("Authorization", "AWS4-ECDSA-P256-SHA256 Credential=a")],
            UnsupportedAuthError,
        ),
        (
            [HOST, ("Authorization", "AWS4-HMAC-SHA256 ")],
            AuthorizationHeaderMalformedError,
        ),
        (
            [HOST, ("Authorization", "AWS4-HMAC-SHA256 Credential=a,Credential=b")],
            AuthorizationHeaderMalformedError,
        ),
        (
            [HOST, ("Authorization", "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b")],
            AuthorizationHeaderMalformedError,
        ),
        (
            lifecycle(credential="AKID/2013/us-east-1/s3/aws4_request"),
            AuthorizationHeaderMalformedError,
        ),
        (
            lifecycle(credential=f"{ACCESS}/20130524/us-east-1/sqs/aws4_request"),
            AuthorizationHeaderMalformedError,
        ),
        (lifecycle(signature="zz"), SignatureDoesNotMatchError),
        (lifecycle(signed="host;host"), AuthorizationHeaderMalformedError),
        (lifecycle(extra=[authorization(BASE, LIFECYCLE)]), InvalidArgumentError),
    ],
)
def test_authorization_that_cannot_be_read(headers, error):
    with pytest.raises(error):
        parse_authorization(headers)


def test_wrong_region_names_the_right_one():
    with pytest.raises(AuthorizationHeaderMalformedError) as caught:
        check("GET", "/", "lifecycle", lifecycle(), region="eu-west-1")
    assert caught.value.extra == {"Region": "eu-west-1"}
    assert caught.value.status == 400


def test_presigned_urls_are_refused_as_not_supported_yet():
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"
    with pytest.raises(NotSupportedError):
        parse_authorization([HOST], query=query)
    with pytest.raises(InvalidArgumentError, match="Only one auth mechanism"):
        parse_authorization(lifecycle(), query=query)


def test_access_key_may_hold_slashes():
    headers = [
        authorization("host", "0" * 64, credential="a/b/20130524/r/s3/aws4_request")
    ]
    assert parse_authorization(headers, region="r").access_key == "a/b"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        (lifecycle(signature="0" * 64), SignatureDoesNotMatchError),
        (lifecycle(signed="x-amz-content-sha256;x-amz-date"), UnsignedHeadersError),
        (lifecycle(signed="host;x-amz-date"), UnsignedHeadersError),
        (lifecycle(extra=[("X-Amz-Acl", "public-read")]), UnsignedHeadersError),
        (lifecycle(signed=BASE + ";x-gone"), SignatureDoesNotMatchError),
        (
            lifecycle(drop="x-amz-date", signed="host;x-amz-content-sha256"),
            InvalidDateError,
        ),
        (
            lifecycle(drop="x-amz-content-sha256", signed="host;x-amz-date"),
            InvalidRequestError,
        ),
    ],
)
def test_request_that_proves_nothing(headers, error):
    with pytest.raises(error):
        check("GET", "/", "lifecycle", headers)


def test_unsigned_headers_are_named():
    headers = lifecycle(extra=[("X-Amz-Acl", "public-read")])
    with pytest.raises(UnsignedHeadersError) as caught:
        check("GET", "/", "lifecycle", headers)
    assert caught.value.extra == {"HeadersNotSigned": "x-amz-acl"}


def test_unknown_access_key():
    with pytest.raises(InvalidAccessKeyIdError) as caught:
        check("GET", "/", "lifecycle", lifecycle(), secret=None)
    assert caught.value.extra == {"AWSAccessKeyId": ACCESS}


@pytest.mark.parametrize("minutes", [-16, 16])
def test_clock_skew(minutes):
    now = THEN + timedelta(minutes=minutes)
    with pytest.raises(RequestTimeTooSkewedError) as caught:
        check("GET", "/", "lifecycle", lifecycle(), now=now)
    assert caught.value.extra["MaxAllowedSkewMilliseconds"] == "900000"


@pytest.mark.parametrize("minutes", [-15, 0, 15])
def test_clock_skew_that_is_allowed(minutes):
    now = THEN + timedelta(minutes=minutes)
    assert check("GET", "/", "lifecycle", lifecycle(), now=now)


def test_scope_of_another_day():
    headers = lifecycle(credential=f"{ACCESS}/20130525/us-east-1/s3/aws4_request")
    with pytest.raises(AuthorizationHeaderMalformedError, match="credential date"):
        check("GET", "/", "lifecycle", headers)


@pytest.mark.parametrize(
    "stamp", ["20130524", "20131324T000000Z", "yesterday", "", "20130524T000000Z,x"]
)
def test_dates_that_are_none(stamp):
    headers = [HOST, SHA, ("x-amz-date", stamp), authorization(BASE, LIFECYCLE)]
    with pytest.raises(InvalidDateError):
        check("GET", "/", "lifecycle", headers)


@pytest.mark.parametrize(
    "declared", ["", "UNSIGNED", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"]
)
def test_payload_declaration_that_is_none(declared):
    headers = [HOST, DATE, ("x-amz-content-sha256", declared)]
    headers.append(authorization(BASE, LIFECYCLE))
    with pytest.raises(InvalidArgumentError, match="x-amz-content-sha256"):
        check("GET", "/", "lifecycle", headers)


# -- against botocore's signer ---------------------------------------------------------


def botocore_signed(method, url, headers):
    request = AWSRequest(method, url, headers=headers)
    S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", "us-east-1").add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    pairs = [(str(name), str(value)) for name, value in prepared.headers.items()]
    return parts.path, parts.query, [*pairs, ("Host", parts.netloc), ("Accept", "*/*")]


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
queries = st.lists(st.tuples(keys, st.text("aé &=+/%~", max_size=5)), max_size=4)
values = st.text(" \tabc,\"'", max_size=12).map(lambda text: f"v{text}v")


@settings(deadline=None, max_examples=150)
@given(key=keys, pairs=queries, value=values)
def test_what_botocore_signs_is_accepted(key, pairs, value):
    query = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in pairs)
    url = f"http://127.0.0.1:9000/bucket/{quote(key, safe='/~')}?{query}"
    path, query, headers = botocore_signed("PUT", url, {"x-amz-meta-a": value})
    now = datetime.now(UTC)
    assert check("PUT", path, query, headers, now=now).access_key == ACCESS
    with pytest.raises(SignatureDoesNotMatchError):
        check("GET", path, query, headers, now=now)
    with pytest.raises(SignatureDoesNotMatchError):
        check("PUT", path + "x", query, headers, now=now)
    with pytest.raises(SignatureDoesNotMatchError):
        check("PUT", path, query + "&x=1", headers, now=now)
    with pytest.raises(SignatureDoesNotMatchError):
        check("PUT", path, query, headers, now=now, secret=SECRET + "x")
    changed = [(n, v + "x" if n == "x-amz-meta-a" else v) for n, v in headers]
    with pytest.raises(SignatureDoesNotMatchError):
        check("PUT", path, query, changed, now=now)


@pytest.mark.parametrize(
    "path", ["/b//a/../c", "/b/./x", "/b/a%2Fb", "/b/%41%7E~", "/b/"]
)
def test_paths_are_never_normalised(path):
    path, query, headers = botocore_signed("GET", f"http://h{path}", {})
    if "%41" not in path:  # what needs no escape is signed without one
        assert check("GET", path, query, headers, now=datetime.now(UTC))
    assert canonical_paths("/b//a/../c") == ("/b//a/../c",)


def test_a_path_sent_with_an_escaped_slash_may_be_signed_with_a_plain_one():
    _, query, headers = botocore_signed("GET", "http://h/b/x/y", {})
    assert check("GET", "/b/x%2fy", query, headers, now=datetime.now(UTC))
    with pytest.raises(SignatureDoesNotMatchError):
        check("GET", "/b/x%2fz", query, headers, now=datetime.now(UTC))


@pytest.mark.parametrize("zone", ["-0000", "GMT"])
def test_a_date_header_may_stand_for_x_amz_date(zone):
    path, query, headers = botocore_signed("GET", "http://h/b/k", {"Date": "any"})
    assert not any(name.lower() == "x-amz-date" for name, _ in headers)
    now = datetime.now(UTC)
    if zone == "-0000":
        assert check("GET", path, query, headers, now=now)
        return
    (date,) = [value for name, value in headers if name == "Date"]
    swapped = [pair for pair in headers if pair[0] != "Date"]
    swapped.append(("Date", date.replace("-0000", zone)))
    with pytest.raises(SignatureDoesNotMatchError):  # read, but not what was signed
        check("GET", path, query, swapped, now=now)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/a b", "/a%20b"),
        ("/a+b", "/a%2Bb"),
        ("/a%20b", "/a%20b"),
        ("/a%e9", "/a%E9"),
        ("/a%zz", "/a%25zz"),
        ("/ä", "/%C3%A4"),
        ("/%7e(x)", "/~%28x%29"),
    ],
)
def test_canonical_path(raw, canonical):
    assert canonical_paths(raw) == (canonical,)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", ""),
        ("uploads", "uploads="),
        ("a=1", "a=1"),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1&a", "a=&a=1&a=2"),
        ("&&a", "a="),
        ("p=a+b", "p=a%20b"),
        ("p=a%2bb/c", "p=a%2Bb%2Fc"),
        ("a=b=c", "a=b%3Dc"),
        ("A=1&a=1&%c3%a4=x", "%C3%A4=x&A=1&a=1"),
    ],
)
def test_canonical_query(raw, canonical):
    assert canonical_query(raw) == canonical


def test_duplicate_headers_are_joined_and_spaces_folded():
    url = "http://h/b/k"
    path, query, headers = botocore_signed("GET", url, {"x-amz-meta-a": "one  x,two"})
    split = [pair for pair in headers if pair[0] != "x-amz-meta-a"]
    split += [("X-AMZ-META-A", " one x "), ("x-amz-meta-a", "two")]
    assert check("GET", path, query, split, now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("value", "forms"),
    [
        ("  a   b ", {"a b"}),
        ("a\t b", {"a\t b", "a b"}),
        ("\u3000a \u2003\u00a0 b", {"\u3000a \u2003\u00a0 b"}),
    ],
)
def test_only_spaces_are_folded_and_tabs_where_botocore_does(value, forms):
    found = canonical_headers({"host": ["h"], "x-amz-a": [value]}, ("host", "x-amz-a"))
    assert {form.split(":", 2)[2].removesuffix("\n") for form in found} == forms


# -- whatever comes --------------------------------------------------------------------


@settings(deadline=None)
@given(
    value=received | received.map(lambda text: f"AWS4-HMAC-SHA256 Credential={text}")
)
def test_no_authorization_breaks_the_parser(value):
    with contextlib.suppress(BlobError):
        parse_authorization([("authorization", value)])


@settings(deadline=None)
@given(
    path=received,
    query=received,
    name=received,
    value=received,
    stamp=st.just(DATE[1]) | received,
    declared=st.sampled_from([kind.value for kind in PayloadKind]) | received,
    signed=st.just(BASE) | received,
)
def test_no_request_breaks_the_verification(
    path, query, name, value, stamp, declared, signed
):
    headers = [HOST, ("x-amz-date", stamp), ("x-amz-content-sha256", declared)]
    headers += [(name, value), authorization(BASE, "0" * 64)]
    claim = parse_authorization([authorization(BASE, "0" * 64)])
    with pytest.raises((AuthError, InvalidRequestError, InvalidArgumentError)):
        verify(
            claim,
            SECRET,
            method="GET",
            path=path,
            query=query,
            headers=headers,
            now=THEN,
        )
