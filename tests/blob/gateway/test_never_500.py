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
raw = st.one_of(texts.map(lambda text: quote(text, safe="")), st.just("%ff"))
parameters = st.sampled_from(
    [
        *("list-type", "prefix", "delimiter", "marker", "max-keys", "start-after"),
        *("continuation-token", "uploads", "uploadId", "partNumber", "versionId"),
        *("versions", "key-marker", "max-parts", "part-number-marker", "location"),
        *(
            "response-content-type",
            "response-expires",
            "encoding-type",
            "delete",
            "acl",
        ),
    ]
)
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
    query=st.dictionaries(parameters, raw, max_size=3),
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
    assert wire.request("PUT", f"/{bucket}").status == 200
