"""The aws-chunked decoder: AWS's published bodies, botocore's, splits and lies."""

from __future__ import annotations

import hashlib
import hmac
import io

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from blob.errors import BlobError, IncompleteBodyError
from blob.gateway.chunked import MAX_LINE, MAX_TRAILER, ChunkedDecoder, ChunkSigning
from blob.gateway.wire_errors import (
    InvalidChunkSizeError,
    MalformedTrailerError,
    SignatureDoesNotMatchError,
)

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
STAMP = "20130524T000000Z"
SCOPE = "20130524/us-east-1/s3/aws4_request"
CRC = "x-amz-checksum-crc32c"


def signing_key():
    key = b"AWS4" + SECRET.encode()
    for text in SCOPE.split("/"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key


KEY = signing_key()


def signing(seed):
    return ChunkSigning(KEY, seed, STAMP, SCOPE)


def link(kind, previous, hashes):
    text = f"AWS4-HMAC-SHA256-{kind}\n{STAMP}\n{SCOPE}\n{previous}\n{hashes}"
    return hmac.digest(KEY, text.encode(), "sha256").hex()


def encode(chunks, *, seed=None, trailers=None):
    """Write a body as a client does: the chunks, the empty one, the trailers."""
    body = bytearray()
    signature = seed
    for chunk in [*chunks, b""]:
        body += b"%x" % len(chunk)
        if seed:
            digests = (
                f"{hashlib.sha256().hexdigest()}\n{hashlib.sha256(chunk).hexdigest()}"
            )
            signature = link("PAYLOAD", signature, digests)
            body += b";chunk-signature=" + signature.encode()
        body += b"\r\n"
        if chunk:
            body += chunk + b"\r\n"
    if trailers is not None:
        lines = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        body += lines.replace("\n", "\r\n").encode()
        if seed:
            digest = hashlib.sha256(lines.encode()).hexdigest()
            signature = link("TRAILER", signature, digest)
            body += f"x-amz-trailer-signature:{signature}\r\n".encode()
    return bytes(body + b"\r\n")


def decode(decoder, body, sizes=()):
    """Feed a body in pieces of the sizes (the rest at once); return the payload."""
    pieces = []
    position = 0
    for size in sizes:
        pieces += [bytes(p) for p in decoder.feed(body[position : position + size])]
        position += size
    pieces += [bytes(piece) for piece in decoder.feed(body[position:])]
    decoder.finish()
    return b"".join(pieces)


PUBLISHED_SIGNED = (
    b"10000;chunk-signature="
    b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + b"a"
    * 65536
    + b"\r\n400;chunk-signature="
    b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + b"a"
    * 1024
    + b"\r\n0;chunk-signature="
    b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)
SIGNED_SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

PUBLISHED_TRAILER = (
    b"10000;chunk-signature="
    b"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
    + b"a"
    * 65536
    + b"\r\n400;chunk-signature="
    b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
    + b"a"
    * 1024
    + b"\r\n0;chunk-signature="
    b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    b"x-amz-checksum-crc32c:sOO8/Q==\n\r\n"
    b"x-amz-trailer-signature:"
    b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"


def test_published_signed_chunks():
    decoder = ChunkedDecoder(decoded_length=66560, signing=signing(SIGNED_SEED))
    assert decode(decoder, PUBLISHED_SIGNED, [100, 7, 70_000]) == b"a" * 66560
    assert decoder.trailers == {}


def test_published_signed_chunks_with_trailer():
    decoder = ChunkedDecoder(
        decoded_length=66560,
        signing=signing(TRAILER_SEED),
        has_trailer=True,
        trailers=[CRC],
    )
    assert decode(decoder, PUBLISHED_TRAILER) == b"a" * 66560
    assert decoder.trailers == {CRC: "sOO8/Q=="}


@given(payload=st.binary(max_size=200), size=st.integers(1, 64))
@settings(deadline=None)
def test_what_botocore_sends_unsigned(payload, size):
    wrapper = AwsChunkedWrapper(
        io.BytesIO(payload),
        checksum_cls=Crc32Checksum,
        checksum_name="x-amz-checksum-crc32",
        chunk_size=size,
    )
    decoder = ChunkedDecoder(
        decoded_length=len(payload),
        has_trailer=True,
        trailers=["x-amz-checksum-crc32"],
    )
    assert decode(decoder, wrapper.read()) == payload
    checksum = Crc32Checksum()
    checksum.update(payload)
    assert decoder.trailers == {"x-amz-checksum-crc32": checksum.b64digest()}


def test_pieces_are_views_not_copies():
    body = encode([b"x" * 100])
    (piece,) = ChunkedDecoder(decoded_length=100).feed(body)
    assert piece.obj is body


def decoder_for(mode, length):
    return ChunkedDecoder(
        decoded_length=length,
        signing=signing(SIGNED_SEED) if "signed" in mode else None,
        has_trailer="trailer" in mode,
        trailers=[CRC] if "trailer" in mode else [],
    )


def body_for(mode, chunks):
    return encode(
        chunks,
        seed=SIGNED_SEED if "signed" in mode else None,
        trailers={CRC: "sOO8/Q=="} if "trailer" in mode else None,
    )


modes = st.sampled_from(["plain", "trailer", "signed", "signed trailer"])
chunk_lists = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@settings(deadline=None)
@given(mode=modes, chunks=chunk_lists, sizes=st.lists(st.integers(0, 30), max_size=40))
def test_however_it_is_split_the_result_is_the_same(mode, chunks, sizes):
    payload = b"".join(chunks)
    decoder = decoder_for(mode, len(payload))
    assert decode(decoder, body_for(mode, chunks), sizes) == payload
    assert decoder.trailers == ({CRC: "sOO8/Q=="} if "trailer" in mode else {})


@settings(deadline=None)
@given(mode=modes, chunks=chunk_lists, data=st.data())
def test_a_truncated_body_is_never_whole(mode, chunks, data):
    body = body_for(mode, chunks)
    cut = data.draw(st.integers(0, len(body) - 1))
    decoder = decoder_for(mode, len(b"".join(chunks)))
    with pytest.raises(IncompleteBodyError):
        decode(decoder, body[:cut])


@settings(deadline=None)
@given(
    signed=st.sampled_from(["signed", "signed trailer"]),
    chunks=chunk_lists,
    data=st.data(),
)
def test_a_changed_byte_is_found_or_means_nothing(signed, chunks, data):
    body = bytearray(body_for(signed, chunks))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    payload = b"".join(chunks)
    decoder = decoder_for(signed, len(payload))
    try:
        result = decode(decoder, bytes(body))
    except BlobError:
        return
    # The case of a hex digit or of a trailer's name: nothing that is signed.
    assert result == payload
    assert decoder.trailers == ({CRC: "sOO8/Q=="} if "trailer" in signed else {})


@settings(deadline=None)
@given(mode=modes, body=st.binary(max_size=300), length=st.integers(0, 100))
def test_arbitrary_bytes_raise_nothing_else(mode, body, length):
    with pytest.raises(BlobError):
        decode(decoder_for(mode, length), body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", IncompleteBodyError),
        (b"zz\r\n", IncompleteBodyError),
        (b"-1\r\n", IncompleteBodyError),
        (b"0x5\r\nhello\r\n0\r\n\r\n", IncompleteBodyError),
        (b"5\nhello\r\n0\r\n\r\n", IncompleteBodyError),
        (b"5\r\nhelloX\r\n0\r\n\r\n", IncompleteBodyError),
        (b"5\r\nhello0\r\n\r\n", IncompleteBodyError),
        (b"5;chunk-signature=00\r\nhello\r\n0\r\n\r\n", IncompleteBodyError),
        (b"4\r\nhell\r\n0\r\n\r\n", IncompleteBodyError),
        (b"6\r\nhello!\r\n0\r\n\r\n", IncompleteBodyError),
        (b"5\r\nhello\r\n0\r\n", IncompleteBodyError),
        (b"5\r\nhello\r\n0\r\nX\r\n\r\n", IncompleteBodyError),
        (b"5\r\nhello\r\n0\r\n\r\nmore", IncompleteBodyError),
        (b"0" * (MAX_LINE + 1), IncompleteBodyError),
        (b"140000001\r\n", InvalidChunkSizeError),
        (b"ffffffffffffffff\r\n", InvalidChunkSizeError),
    ],
)
def test_framing_that_lies(body, error):
    with pytest.raises(error):
        decode(ChunkedDecoder(decoded_length=5), body)


def test_endless_header_is_refused_at_its_bound():
    decoder = ChunkedDecoder(decoded_length=5)
    for _ in range(MAX_LINE - 1):
        assert decoder.feed(b"0") == []
    with pytest.raises(IncompleteBodyError, match="too long"):
        decoder.feed(b"0")


@pytest.mark.parametrize(
    "trailer",
    [
        b"\r\n",  # announced, not there
        b"x-amz-checksum-sha1:AAAA\r\n\r\n",
        b"x-amz-checksum-crc32c:a\r\nx-amz-checksum-crc32c:a\r\n\r\n",
        b"x-amz-checksum-crc32c:a\r\nx-amz-meta-x:a\r\n\r\n",
        b"x-amz-checksum-crc32c\r\n\r\n",
        b"x-amz-checksum-crc32c:\xff\r\n\r\n",
        b"x y:z\r\n\r\n",
    ],
)
def test_trailer_that_is_not_what_was_announced(trailer):
    decoder = ChunkedDecoder(decoded_length=0, has_trailer=True, trailers=[CRC])
    with pytest.raises(MalformedTrailerError):
        decode(decoder, b"0\r\n" + trailer)


def test_trailer_is_bounded():
    decoder = ChunkedDecoder(
        decoded_length=0, signing=signing(SIGNED_SEED), has_trailer=True
    )
    decoder.feed(encode([], seed=SIGNED_SEED)[:-2])
    with pytest.raises(MalformedTrailerError):
        decoder.feed(b"\r\n" * (MAX_TRAILER // 2 + 1))


def test_trailer_announced_for_a_body_that_has_none():
    with pytest.raises(MalformedTrailerError):
        decode(ChunkedDecoder(decoded_length=0, trailers=[CRC]), b"0\r\n\r\n")


def test_trailer_without_its_signature_is_not_the_end():
    body = encode([b"x"], seed=SIGNED_SEED)[:-2] + b"x-amz-checksum-crc32c:a\r\n\r\n"
    decoder = decoder_for("signed trailer", 1)
    with pytest.raises(IncompleteBodyError):
        decode(decoder, body)


def test_trailer_with_a_forged_signature():
    body = body_for("signed trailer", [b"x"]).replace(b"sOO8/Q==", b"sOO8/A==")
    with pytest.raises(SignatureDoesNotMatchError):
        decode(decoder_for("signed trailer", 1), body)


def test_nothing_may_follow_the_trailers_signature():
    body = body_for("signed trailer", [b"x"])[:-2] + b"x-amz-checksum-crc32c:a\r\n\r\n"
    with pytest.raises(MalformedTrailerError):
        decode(decoder_for("signed trailer", 1), body)


def test_chunks_out_of_order_or_replayed_are_found():
    one = encode([b"one", b"two"], seed=SIGNED_SEED)
    first, second, rest = one[:89], one[89:178], one[178:]
    assert decode(decoder_for("signed", 6), first + second + rest) == b"onetwo"
    with pytest.raises(SignatureDoesNotMatchError):
        decode(decoder_for("signed", 6), second + first + rest)
    with pytest.raises(SignatureDoesNotMatchError):
        decode(decoder_for("signed", 6), first + first + rest)


def test_a_chunk_without_its_signature_is_refused():
    with pytest.raises(IncompleteBodyError):
        decode(decoder_for("signed", 5), encode([b"hello"]))
