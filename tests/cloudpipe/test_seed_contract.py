"""The seed's contract, a test for each behaviour it had or only claimed to have."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from cloudpipe import (
    ClosedError,
    CloudPipe,
    ConfigError,
    Drained,
    End,
    Error,
    NoSuchBucketError,
    PartDone,
    PartRetried,
    Ready,
    TargetError,
    UnavailableError,
    UnreachableError,
)

MIB = 1 << 20


async def drained(queue: asyncio.Queue) -> None:
    while not isinstance(await queue.get(), Drained):
        pass


# -- constructor -------------------------------------------------------------------


def test_constructor_order_and_option_names():
    parameters = inspect.signature(CloudPipe.s3).parameters
    assert list(parameters)[:5] == [
        "bucket",
        "access_key",
        "secret",
        "key",
        "max_chunk_size",
    ]
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert defaults["end_point"] is None
    assert defaults["use_ssl"] is True
    assert defaults["max_retry"] == 3
    assert defaults["data_integrity"] is True
    assert defaults["rrs"] is False


@pytest.mark.parametrize("missing", ["bucket", "secret", "key", "max_chunk_size"])
def test_a_missing_required_parameter_is_an_error_at_once(missing):
    given = {
        "bucket": "b",
        "access_key": "a",
        "secret": "s",
        "key": "k",
        "max_chunk_size": 10_000_000,
    }
    given[missing] = {"secret": None, "max_chunk_size": 0}.get(missing, "")
    with pytest.raises(ConfigError):
        CloudPipe.s3(*given.values())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_chunk_size": "8MB"}, "max_chunk_size"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"max_retry": -1}, "max_retry is -1"),
        ({"abort_timeout": 0}, "abort_timeout is 0"),
        ({"integrity": "md4"}, "integrity is 'md4'"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(options, named):
    with pytest.raises(ConfigError, match=named):
        CloudPipe.s3("b", "a", "s", "k", **options)


def test_without_the_libraries_the_extra_is_named():
    code = (
        "import sys; sys.modules['awscrt'] = None; from cloudpipe import CloudPipe;"
        " CloudPipe.s3('b', 'a', 's', 'k')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    said = "CloudPipe.s3 needs awscrt: pip install 'aiostow[cloudpipe]'"
    assert done.stderr.splitlines()[-1] == f"ImportError: {said}"


@pytest.mark.parametrize("use_ssl", [True, False])
async def test_use_ssl_holds_whatever_other_options_are_given(use_ssl):
    pipe = CloudPipe.s3(
        "b",
        "a",
        "s",
        "k",
        end_point="127.0.0.1:1",
        use_ssl=use_ssl,
        rrs=True,
        max_retry=0,
        region="us-east-1",
        abort_timeout=1,
    )
    with pytest.raises(UnreachableError):
        async with pipe:
            assert pipe.public_url().startswith("https:" if use_ssl else "http:")


async def test_rrs_and_data_integrity_reach_the_store(make_pipe, store):
    async with make_pipe(rrs=True, data_integrity=False) as pipe:
        await pipe.write(b"data")
    result = await pipe.finish()
    assert result.checksum == ""
    head = store.client.head_object(Bucket=store.bucket, Key="file.zip")
    assert head["StorageClass"] == "REDUCED_REDUNDANCY"


async def test_max_retry_0_is_no_retry(make_pipe, faults, drain):
    faults.spoil("put", "503")
    pipe = make_pipe(end_point=faults.endpoint, max_retry=0)
    events = pipe.subscribe()
    with pytest.raises(UnavailableError):
        async with pipe:
            await pipe.write(b"data")
    assert faults.seen.count("put") == 1
    assert not [e for e in drain(events) if isinstance(e, PartRetried)]


async def test_max_retry_3_is_three_re_sends(make_pipe, faults, drain):
    faults.spoil("part 1", "503", times=9)
    pipe = make_pipe(end_point=faults.endpoint, max_retry=3)
    events = pipe.subscribe()
    with pytest.raises(UnavailableError):
        async with pipe:
            await pipe.write(bytes(6 * MIB))
    assert faults.seen.count("part 1") == 4
    retries = [e for e in drain(events) if isinstance(e, PartRetried)]
    assert [(e.number, e.attempt) for e in retries] == [(1, 1), (1, 2), (1, 3)]


# -- members -----------------------------------------------------------------------


async def test_writing_before_ready_is_refused(make_pipe):
    pipe = make_pipe()
    with pytest.raises(ClosedError):
        await pipe.write(b"data")
    with pytest.raises(ClosedError):
        pipe.write_nowait(b"data")


async def test_ready_comes_first_and_starts_one_upload_for_any_listeners(
    make_pipe, faults, drain
):
    pipe = make_pipe(end_point=faults.endpoint)
    queues = [pipe.subscribe(), pipe.subscribe()]
    async with pipe:
        await pipe.write(bytes(6 * MIB))
    for queue in queues:
        assert isinstance(drain(queue)[0], Ready)
    assert faults.seen.count("create") == 1


async def test_write_nowait_refuses_while_memory_is_full_and_takes_nothing(
    make_pipe, store
):
    pipe = make_pipe(concurrency=1)
    async with pipe:
        events = pipe.subscribe()
        pieces = [bytes([number]) * (4 * MIB) for number in range(6)]
        refused = 0
        for piece in pieces:
            taken = pipe.bytes_taken
            while not pipe.write_nowait(piece):
                refused += 1
                assert pipe.bytes_taken == taken
                await drained(events)
    assert refused
    assert store.read() == b"".join(pieces)


async def test_a_write_larger_than_the_memory_makes_progress_by_write_nowait(
    make_pipe, store
):
    data = bytes(24) * MIB
    async with make_pipe(concurrency=1) as pipe:
        events = pipe.subscribe()
        assert pipe.write_nowait(b"first")
        while not pipe.write_nowait(data):
            await drained(events)
    assert store.read() == b"first" + data


async def test_a_write_larger_than_a_chunk_is_split(make_pipe, faults, store):
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(bytes(11 * MIB))
    parts = [name for name in faults.seen if name.startswith("part")]
    assert sorted(parts) == ["part 1", "part 2", "part 3"]
    assert store.read() == bytes(11 * MIB)


async def test_every_part_but_the_last_has_exactly_the_part_size(make_pipe, drain):
    pipe = make_pipe()
    events = pipe.subscribe()
    async with pipe:
        for _ in range(13):
            await pipe.write(bytes(999_983))
    sizes = {e.number: e.size for e in drain(events) if isinstance(e, PartDone)}
    assert sizes == {1: 5 * MIB, 2: 5 * MIB, 3: 13 * 999_983 - 10 * MIB}


async def test_a_chunk_size_below_5_mib_is_raised(make_pipe, faults):
    async with make_pipe(size=1000, end_point=faults.endpoint) as pipe:
        await pipe.write(bytes(5 * MIB))
    assert faults.seen == ["put"]


async def test_text_is_encoded_and_bytes_are_taken(make_pipe, store):
    async with make_pipe() as pipe:
        await pipe.write("ééé")
        await pipe.write("ä", encoding="latin-1")
        await pipe.write(b"\x00")
        assert pipe.write_nowait("ß")
    assert store.read() == "ééé".encode() + b"\xe4\x00" + "ß".encode()


async def test_finish_while_parts_are_uploading_waits_for_them(make_pipe, store):
    async with make_pipe() as pipe:
        await pipe.write(bytes(12 * MIB))
        result = await pipe.finish()
        assert result.size == 12 * MIB
    assert store.read() == bytes(12 * MIB)


async def test_finish_twice_is_one_finish(make_pipe, faults):
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(bytes(6 * MIB))
        first, second = await asyncio.gather(pipe.finish(), pipe.finish())
        assert first is second is await pipe.finish()
    assert faults.seen.count("complete") == 1


async def test_nothing_is_taken_after_finish(make_pipe):
    async with make_pipe() as pipe:
        await pipe.finish()
        with pytest.raises(ClosedError):
            await pipe.write(b"late")


@pytest.mark.parametrize("size", [0, 1, 5 * MIB])
async def test_what_fits_one_chunk_is_one_plain_put(make_pipe, faults, store, size):
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(bytes(size))
    assert faults.seen == ["put"]
    assert store.read() == bytes(size)


async def test_an_exact_fill_is_sent_without_a_further_write(make_pipe, faults, store):
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(bytes(10 * MIB))
    assert "part 3" not in faults.seen
    assert store.read() == bytes(10 * MIB)


async def test_abort_removes_the_upload_and_end_confirms(make_pipe, store, drain):
    pipe = make_pipe()
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(bytes(12 * MIB))
        await pipe.abort()
        assert drain(events)[-1] == End("aborted")
        with pytest.raises(ClosedError):
            await pipe.write(b"more")
        with pytest.raises(ClosedError):
            await pipe.finish()
    assert store.read() is None
    assert store.uploads() == []


async def test_terminate_stops_at_once_and_keeps_the_upload(
    make_pipe, store, faults, drain
):
    pipe = make_pipe(end_point=faults.endpoint)
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(bytes(12 * MIB))
        await faults.reached("part 1").wait()
        await pipe.terminate()
    end = drain(events)[-1]
    assert end.outcome == "terminated"
    assert end.upload_id
    assert store.uploads() == ["file.zip"]
    assert store.read() is None


@pytest.mark.parametrize("method", ["abort", "terminate"])
async def test_abort_and_terminate_after_the_end_do_nothing(
    make_pipe, store, drain, method
):
    pipe = make_pipe()
    events = pipe.subscribe()
    async with pipe:
        await pipe.write(b"data")
        await pipe.finish()
        await getattr(pipe, method)()
    await getattr(pipe, method)()
    assert [type(e) for e in drain(events)].count(End) == 1
    assert store.read() == b"data"


@pytest.mark.parametrize("method", ["abort", "terminate"])
async def test_abort_and_terminate_after_an_error_do_nothing(
    make_pipe, faults, store, drain, method
):
    faults.spoil("part 1", "403")
    pipe = make_pipe(end_point=faults.endpoint)
    events = pipe.subscribe()
    with pytest.raises(TargetError):  # noqa: PT012 - the block is what must fail
        async with pipe:
            await pipe.write(bytes(6 * MIB))
            while not isinstance(await events.get(), Error):
                pass
            await getattr(pipe, method)()
    assert [type(e) for e in drain(events)] == [End]
    assert store.uploads() == []


async def test_public_url_encodes_what_a_key_may_hold(make_pipe, gateway, bucket):
    async with make_pipe(key="a b/ü?#&+.zip") as pipe:
        url = pipe.public_url()
    assert url == f"{gateway.endpoint}/{bucket}/a%20b/%C3%BC%3F%23%26%2B.zip"


async def test_any_key_arrives_as_it_is(make_pipe, store):
    for key in ("a b", "ü?#&+=%20", "a//b/../c", "/lead", "~*'()!;:@$,"):
        async with make_pipe(key=key) as pipe:
            await pipe.write(bytes(6 * MIB))
        assert store.read(key) == bytes(6 * MIB)


# -- events ------------------------------------------------------------------------


def test_the_seeds_event_names():
    names = {cls.__name__: cls.name for cls in (Ready, Drained, Error, End)}
    assert names == {
        "Ready": "cp-ready",
        "Drained": "cp-drained",
        "Error": "cp-error",
        "End": "cp-end",
    }


async def test_error_comes_once_and_end_once_and_last(make_pipe, faults, drain):
    for number in (1, 2, 3):
        faults.spoil(f"part {number}", "403")
    pipe = make_pipe(end_point=faults.endpoint)
    events = pipe.subscribe()
    with pytest.raises(TargetError):
        async with pipe:
            await pipe.write(bytes(15 * MIB))
    told = drain(events)
    assert [type(e) for e in told if isinstance(e, Error | End)] == [Error, End]
    assert told[-1] == End("failed")


async def test_a_start_that_fails_ends_with_error_and_end(drain):
    pipe = CloudPipe.s3("bucket", "key", "secret", "key", end_point="http://[no")
    events = pipe.subscribe()
    with pytest.raises(ConfigError):
        async with pipe:
            pytest.fail("it must not start without an address")
    assert [type(e) for e in drain(events)] == [Error, End]
    assert [type(e) async for e in pipe.events()] == [Error, End]


async def test_a_start_without_credentials_is_an_error(tmp_path):
    program = """
import asyncio, cloudpipe
async def main():
    async with cloudpipe.CloudPipe.s3("b", None, None, "k", end_point="http://h"):
        pass
try:
    asyncio.run(main())
except PermissionError as error:
    print(type(error).__name__)
"""
    env = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=env, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out == b"AccessDeniedError\n"


async def test_credentials_come_from_the_ordinary_chain(
    gateway, bucket, store, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", gateway.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", gateway.secret_key)
    end_point = gateway.endpoint.removeprefix("http://")
    async with CloudPipe.s3(
        bucket, None, None, "key", end_point=end_point, use_ssl=False
    ) as pipe:
        await pipe.write(b"data")
    assert store.read("key") == b"data"


async def test_a_missing_bucket_is_told(make_pipe, gateway):
    pipe = CloudPipe.s3(
        "no-such-bucket",
        gateway.access_key,
        gateway.secret_key,
        "key",
        end_point=gateway.endpoint,
        region=gateway.region,
    )
    with pytest.raises(NoSuchBucketError):
        async with pipe:
            await pipe.write(b"data")


async def test_on_a_fatal_error_the_upload_is_aborted(make_pipe, faults, store):
    faults.spoil("part 2", "403")
    pipe = make_pipe(end_point=faults.endpoint)
    with pytest.raises(TargetError, match="AccessDenied"):
        async with pipe:
            await pipe.write(bytes(12 * MIB))
    assert faults.hit == 1
    assert store.uploads() == []
    assert store.read() is None


async def test_the_plain_put_is_retried_too(make_pipe, faults, store):
    faults.spoil("put", "503", times=3)
    async with make_pipe(end_point=faults.endpoint) as pipe:
        await pipe.write(b"data")
    assert faults.seen == ["put"] * 4
    assert store.read() == b"data"
