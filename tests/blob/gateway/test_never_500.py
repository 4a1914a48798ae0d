"""Whatever a holder of a key sends, the answer is an answer, and the store is well."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SOUND = {200, 204, 206, 304, 400, 403, 404, 405, 409, 411, 412, 416, 501}

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "..", "/", "//", "\0", "a" * 70, "x" * 1025, "null", "-1"]),
    st.integers(-(2**70), 2**70).map(str),
)
raw = st.one_of(texts.map(lambda text: quote(text, safe="")), st.just("%FF"))

# What marks an action of a bucket or an object, and what it may say beside that: with
# parameters of other actions nearly every request would be a 501.
LISTING = ("prefix", "delimiter", "max-keys", "encoding-type")
ACTIONS = [
    ((), ("marker", *LISTING)),
    (("list-type",), ("start-after", "continuation-token", "fetch-owner", *LISTING)),
    (("versions",), ("key-marker", "version-id-marker", *LISTING)),
    (("uploads",), ("key-marker", "upload-id-marker", "max-uploads", "prefix")),
    (("location",), ()),
    (("delete",), ()),
    ((), ("versionId", "response-content-type", "response-expires")),
    (("uploadId",), ("max-parts", "part-number-marker")),
    (("uploadId", "partNumber"), ()),
    (("acl",), ()),
]


@st.composite
def queries(draw):
    marks, others = draw(st.sampled_from(ACTIONS))
    chosen = draw(st.sets(st.sampled_from(others), max_size=3)) if others else ()
    values = {name: draw(raw) for name in (*marks, *chosen)}
    if "list-type" in values:
        values["list-type"] = "2"
    return values


headers = st.dictionaries(
    st.sampled_from(
        [
            *("range", "if-match", "if-none-match", "if-range", "if-modified-since"),
            *("content-md5", "content-type", "content-encoding", "x-amz-meta-a"),
            *("x-amz-copy-source", "x-amz-copy-source-range", "x-amz-checksum-crc32"),
            *("x-amz-trailer", "x-amz-sdk-checksum-algorithm", "x-amz-acl"),
            *("x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-storage-class"),
            *("x-amz-mp-object-size", "x-amz-if-match-size", "x-amz-checksum-mode"),
        ]
    ),
    st.one_of(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
        st.sampled_from(["bytes=0-", "bytes=-0", '"a"', "*", "CRC32", "FULL_OBJECT"]),
    ).map(str.strip),
    max_size=3,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    container=st.one_of(st.just(None), raw),
    key=st.one_of(st.just(""), raw),
    query=queries(),
    headers=headers,
    body=st.one_of(
        st.binary(max_size=50),
        st.sampled_from([b"<Delete/>", b"<CompleteMultipartUpload/>", b"<a>&b;</a>"]),
    ),
)
def test_never_500(wire, bucket, method, container, key, query, headers, body):
    path = f"/{bucket if container is None else container}"
    path += f"/{key}" if key else ""
    asked = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
    target = f"{path}?{asked}" if asked else path
    reply = wire.request(method, target, headers, body)
    assert reply.status in SOUND, (reply.status, reply.body)
    assert b"SignatureDoesNotMatch" not in reply.body, "the test signs it wrong"
    assert wire.request("PUT", f"/{bucket}").status == 200
