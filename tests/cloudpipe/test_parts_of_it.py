"""The small pure pieces: subscribers' queues, errors, backoff, digests, signing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import pickle
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore import exceptions as boto
from botocore.auth import S3SigV4Auth
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

import cloudpipe
from cloudpipe import (
    AbortFailedError,
    Backoff,
    CloudPipe,
    CloudPipeError,
    ConfigError,
    Drained,
    End,
    Error,
    Part,
    PartStarted,
    Progress,
    Ready,
    TargetError,
    UnreachableError,
)
from cloudpipe._integrity import checksum_of_object, digest, etag_of_object
from cloudpipe._subscribers import Events, Subscribers
from cloudpipe.s3stream import Response
from cloudpipe.s3wire import object_url, sign_put
from cloudpipe.targets._lost import (
    by_store_clock,
    check_each_has_its_span,
    of_our_kind,
)
from cloudpipe.targets._s3errors import error_of, error_of_response, translated

if TYPE_CHECKING:
    import asyncio

# -- subscribers -------------------------------------------------------------------


def drain(queue: asyncio.Queue) -> list:
    return [queue.get_nowait() for _ in range(queue.qsize())]


def progress(number: int) -> Progress:
    return Progress(number, number, None)


def test_each_subscriber_has_its_own_queue():
    subscribers = Subscribers()
    first, second = subscribers.add(9), subscribers.add(9)
    subscribers.tell(progress(1))
    assert drain(first) == drain(second) == [progress(1)]


def test_drained_is_told_once_while_it_waits():
    subscribers = Subscribers()
    queue = subscribers.add(9)
    for _ in range(3):
        subscribers.tell(Drained())
    assert drain(queue) == [Drained()]
    subscribers.tell(Drained())
    assert drain(queue) == [Drained()]


def test_a_slow_subscriber_loses_the_oldest_progress_first():
    subscribers = Subscribers()
    queue = subscribers.add(3)
    told = [PartStarted(1, 1), *map(progress, range(4)), Drained()]
    for event in told:
        subscribers.tell(event)
    assert drain(queue) == [PartStarted(1, 1), progress(2), progress(3), Drained()]


def test_a_full_queue_without_progress_loses_the_oldest():
    subscribers = Subscribers()
    queue = subscribers.add(2)
    for number in range(5):
        subscribers.tell(PartStarted(number, 1))
    assert drain(queue) == [PartStarted(3, 1), PartStarted(4, 1)]


def test_what_somebody_waits_for_is_never_dropped():
    subscribers = Subscribers()
    queue = subscribers.add(1)
    kept = [Drained(), Error(TargetError("no")), End("failed")]
    told = [PartStarted(number, 1) for number in range(4)]
    for pair in itertools.zip_longest(told, kept):
        for event in filter(None, pair):
            subscribers.tell(event)
    assert drain(queue) == [*kept, told[-1]]


def test_a_queue_given_back_hears_nothing_more():
    pipe = CloudPipe.s3("b", "a", "s", "k")
    queue = pipe.subscribe()
    for _ in range(2):
        pipe.unsubscribe(queue)
    pipe._subscribers.tell(Ready())
    assert queue.empty()


async def test_events_that_nobody_iterates_are_not_kept():
    subscribers = Subscribers()
    first, second = Events(subscribers, 9), Events(subscribers, 9)
    await first.aclose()
    del second
    assert subscribers._queues == []
    with pytest.raises(StopAsyncIteration):
        await anext(first)


def test_a_late_subscriber_hears_what_lasts():
    subscribers = Subscribers()
    error = Error(TargetError("no"))
    for event in (Ready(), progress(1), error, End("failed")):
        subscribers.tell(event)
    assert drain(subscribers.add(9)) == [Ready(), error, End("failed")]


def test_a_queue_of_nothing_is_refused():
    with pytest.raises(ConfigError):
        Subscribers().add(0)


async def test_a_slow_subscriber_never_stalls_the_upload(make_pipe, store):
    pipe = make_pipe()
    slow = pipe.subscribe(maxsize=2)
    async with pipe:
        await pipe.write(bytes(12 << 20))
    assert len(store.read()) == 12 << 20
    assert slow.qsize() == 3
    assert [e async for e in pipe.events()] == [Ready(), End("finished")]


async def test_a_consumer_of_events_may_leave_and_others_go_on(make_pipe, store):
    async with make_pipe() as pipe:
        events = pipe.events()
        assert await anext(events) == Ready()
        await events.aclose()
        await pipe.write(b"data")
    assert store.read() == b"data"


# -- errors ------------------------------------------------------------------------

ERRORS = [
    value
    for name in cloudpipe.__all__
    if isinstance(value := getattr(cloudpipe, name), type)
    and issubclass(value, CloudPipeError)
]


@pytest.mark.parametrize("cls", ERRORS)
def test_every_error_pickles(cls):
    options = {}
    if issubclass(cls, TargetError):
        options = {"operation": "PutObject", "code": "SlowDown", "status": 503}
    elif cls is AbortFailedError:
        options = {"upload_id": "an id"}
    error = cls("what happened", **options)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == "what happened"
    assert vars(again) == vars(error)


def test_the_tree_in_the_docstring_is_the_tree():
    line = re.compile(r"^([│ ]*(?:[├└]── )?)(\w+Error)\b(?: \((\w+)\))?", re.MULTILINE)
    above: list[str] = []
    drawn = {}
    for match in line.finditer(cloudpipe.errors.__doc__):
        depth = len(match[1]) // 4
        del above[depth:]
        drawn[match[2]] = [*filter(None, [*above[-1:], match[3]])]
        above.append(match[2])
    bases = {cls.__name__: [base.__name__ for base in cls.__bases__] for cls in ERRORS}
    assert drawn == bases | {"CloudPipeError": []}


def test_what_is_retried_and_what_may_have_been_applied():
    retryable = {cls.__name__ for cls in ERRORS if cls.retryable}
    assert retryable == {
        "ConnectionLostError",
        "IntegrityError",
        "InternalError",
        "StalledError",
        "UnavailableError",
        "UnreachableError",
    }
    ambiguous = {cls.__name__ for cls in ERRORS if cls.ambiguous}
    assert ambiguous == {
        "ConnectionLostError",
        "InternalError",
        "OutcomeUnknownError",
        "StalledError",
    }


@pytest.mark.parametrize(
    ("code", "status", "cls"),
    [
        ("SlowDown", 503, "UnavailableError"),
        ("", 503, "InternalError"),
        ("503", 503, "InternalError"),
        ("NotImplemented", 501, "TargetError"),
        ("", 501, "TargetError"),
        ("", 505, "TargetError"),
        ("RequestTimeout", 400, "UnavailableError"),
        ("InternalError", 200, "InternalError"),
        ("", 502, "InternalError"),
        ("AccessDenied", 403, "AccessDeniedError"),
        ("NoSuchBucket", 404, "NoSuchBucketError"),
        ("NoSuchUpload", 404, "NoSuchUploadError"),
        ("NoSuchKey", 404, "NoSuchKeyError"),
        ("BadDigest", 400, "IntegrityError"),
        ("EntityTooSmall", 400, "TargetError"),
    ],
)
def test_every_code_has_its_error(code, status, cls):
    error = error_of("PutObject", code, status, "message")
    assert type(error).__name__ == cls
    assert code in str(error)


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (b"<Error><Code>SlowDown</Code></Error>", "UnavailableError"),
        (b"<Error><Code>Busy</Code></Error>", "UnavailableError"),
        # No S3 error: a balancer's, which does not know what the store did.
        (b"", "InternalError"),
        (b"<html>busy</html>", "InternalError"),
        (b"not xml <", "InternalError"),
    ],
)
def test_any_error_body_is_an_error_of_ours(body, cls):
    error = error_of_response("UploadPart", Response(503, {}, body))
    assert type(error).__name__ == cls


def test_a_connection_not_made_in_time_sent_nothing():
    with pytest.raises(UnreachableError), translated("CreateMultipartUpload"):
        raise boto.ConnectTimeoutError(endpoint_url="http://h")


# -- looking for uploads whose beginning was not answered ----------------------------

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seconds(*numbers: float) -> list[datetime]:
    return [NOON + timedelta(seconds=number) for number in numbers]


def spans(*pairs: tuple[float, float]) -> list[tuple[datetime, datetime]]:
    return [tuple(seconds(*pair)) for pair in pairs]


@pytest.mark.parametrize(
    ("begun", "lost"),
    [([], [(0, 1)]), ([1], [(0, 1)]), ([5, 1], [(0, 9), (0, 2)]), ([1], [(0, 1)] * 2)],
)
def test_each_upload_may_be_that_of_a_request_of_its_own(begun, lost):
    check_each_has_its_span(seconds(*begun), spans(*lost))


@pytest.mark.parametrize(
    ("begun", "lost"),
    [([1, 1], [(0, 2)]), ([1, 2], [(0, 3), (7, 9)]), ([5], [(0, 1)])],
)
def test_more_uploads_than_requests_are_in_doubt(begun, lost):
    with pytest.raises(AbortFailedError):
        check_each_has_its_span(seconds(*begun), spans(*lost))


def test_the_stores_clock_is_reckoned_from_its_answer():
    headers = {"date": "Thu, 01 Jan 2026 12:00:00 GMT"}
    (span,) = by_store_clock(headers, 1000.0, [(990.0, 995.0)])
    assert span == tuple(seconds(-11, -3))
    for wrong in ({}, {"date": "noon"}):
        with pytest.raises(AbortFailedError):
            by_store_clock(wrong, 1000.0, [(990.0, 995.0)])


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        ({}, True),
        ({"Initiator": {"ID": "me"}, "StorageClass": "STANDARD"}, True),
        ({"Initiator": {"ID": "you"}}, False),
        ({"StorageClass": "STANDARD_IA"}, False),
        ({"ChecksumAlgorithm": "CRC32"}, False),
    ],
)
def test_an_upload_of_another_kind_is_not_ours(told, ours):
    kind = {"storage_class": None, "algorithm": "CRC64NVME", "initiator": "me"}
    assert of_our_kind(told, **kind) is ours


# -- backoff -----------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_delays_double_with_jitter_up_to_the_longest(attempt, jitter):
    backoff = Backoff(first=0.5, longest=8.0)
    step = min(8.0, 0.5 * 2 ** min(attempt - 1, 10))
    assert step / 2 <= backoff.delay(attempt, jitter) <= step


@pytest.mark.parametrize(
    "options", [{"first": -1.0}, {"factor": 0.5}, {"longest": -1.0}]
)
def test_a_backoff_that_makes_no_sense(options):
    with pytest.raises(ConfigError):
        Backoff(**options)


# -- digests -----------------------------------------------------------------------

pieces = st.lists(st.binary(max_size=200), min_size=1, max_size=8)


@given(pieces)
@pytest.mark.parametrize("algorithm", ["crc64nvme", "crc32c", "crc32"])
def test_the_parts_crcs_make_the_whole_objects(algorithm, pieces):
    parts = [
        Part(number, len(piece), "", digest(algorithm, [piece]))
        for number, piece in enumerate(pieces, 1)
    ]
    whole = digest(algorithm, [b"".join(pieces)])
    assert checksum_of_object(algorithm, parts) == whole == digest(algorithm, pieces)


def test_known_digests():
    # CRC check values of "123456789" (the catalogue of parametrised CRCs).
    data = [b"123", memoryview(b"456789")]
    known = {
        "crc64nvme": "ae8b14860a799888",
        "crc32c": "e3069283",
        "crc32": f"{zlib.crc32(b'123456789'):08x}",
        "md5": hashlib.md5(b"123456789").hexdigest(),
        "sha256": hashlib.sha256(b"123456789").hexdigest(),
    }
    for algorithm, value in known.items():
        assert base64.b64decode(digest(algorithm, data)).hex() == value
    assert digest("none", data) == ""


def test_the_etag_of_a_multipart_object():
    parts = [Part(n, 1, hashlib.md5(b).hexdigest()) for n, b in ((1, b"a"), (2, b"b"))]
    joined = hashlib.md5(b"a").digest() + hashlib.md5(b"b").digest()
    assert etag_of_object(parts) == hashlib.md5(joined).hexdigest() + "-2"
    assert etag_of_object([*parts, Part(3, 1, "no-md5")]) == ""


# -- signing -----------------------------------------------------------------------


def test_a_put_is_signed_without_its_body():
    auth = S3SigV4Auth(Credentials("AK", "SK", "token"), "s3", "eu-west-1")
    url = object_url("http://h/b", "a b/ü", {"partNumber": "1", "uploadId": "x/+="})
    assert url == "http://h/b/a%20b/%C3%BC?partNumber=1&uploadId=x%2F%2B%3D"
    request = sign_put(auth, url, {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, 7)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert headers["content-length"] == "7"
    assert headers["x-amz-security-token"] == "token"
    assert "x-amz-checksum-crc64nvme" in headers["authorization"]
    assert "/eu-west-1/s3/aws4_request" in headers["authorization"]
