"""The gateway inside an application: mounts, owners, drivers that break."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientPayloadError, ClientSession, web
from botocore.exceptions import ClientError, HTTPClientError

from blob import Principal, create_driver
from blob.errors import CorruptDataError, StorageBusyError, StorageFullError
from blob.gateway import AccessKey, Server, StaticKeys, make_app
from tests.fix_gateway import Gateway

ALICE = AccessKey("ALICE", "secret of alice", Principal("id-of-alice", "Alice"))
BOB = AccessKey("BOB", "secret of bob", Principal("id-of-bob", "Bob"))
ALICE_TOO = AccessKey("ALICE2", "another of alice", Principal("id-of-alice", "Alice"))
KEYS = StaticKeys([ALICE, BOB, ALICE_TOO])


@pytest.fixture
async def driver():
    async with create_driver({"type": "memory"}) as driver:
        yield driver


@pytest.fixture
def serving(aiobotocore_for):
    """Serve an application; yields a factory of clients by key."""

    @asynccontextmanager
    async def _serving(app, prefix=""):
        async with Server(app, grace=2) as server:

            def _client(key=ALICE):
                endpoint = server.endpoint + prefix
                return aiobotocore_for(
                    Gateway(endpoint, key.access_key, key.secret_key, "us-east-1", 0)
                )

            _client.endpoint = server.endpoint
            yield _client

    return _serving


async def failure(call, **arguments):
    """Call, and return the Code and status it fails with."""
    with pytest.raises(ClientError) as caught:
        await call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


async def body_of(answer):
    async with answer["Body"] as stream:
        return await stream.read()


@pytest.mark.parametrize("prefix", ["/s3", "/deep/er"])
async def test_mounted_under_a_prefix(driver, serving, prefix):
    async def hello(_request):
        return web.Response(text="hello")

    parent = web.Application()
    parent.router.add_get("/", hello)
    parent.add_subapp(prefix, make_app(driver, auth=KEYS))
    async with serving(parent, prefix) as client_for, client_for() as s3:
        await s3.create_bucket(Bucket="bucket")
        await s3.put_object(Bucket="bucket", Key="a//b %2F", Body=b"x")
        assert (
            await body_of(await s3.get_object(Bucket="bucket", Key="a//b %2F")) == b"x"
        )
        assert [b["Name"] for b in (await s3.list_buckets())["Buckets"]] == ["bucket"]
        async with (
            ClientSession() as session,
            session.get(client_for.endpoint) as answer,
        ):
            assert await answer.text() == "hello"
        async with (
            ClientSession() as session,
            session.get(client_for.endpoint + "/absent") as answer,
        ):
            assert answer.status == 404


async def test_a_bucket_is_its_owners_alone(driver, serving):
    async with (
        serving(make_app(driver, auth=KEYS)) as client_for,
        client_for(ALICE) as alice,
        client_for(BOB) as bob,
        client_for(ALICE_TOO) as alice_too,
    ):
        await alice.create_bucket(Bucket="alices")
        await alice.put_object(Bucket="alices", Key="k", Body=b"secret")
        where = {"Bucket": "alices", "Key": "k"}
        denied = ("AccessDenied", 403)
        taken = await failure(bob.create_bucket, Bucket="alices")
        assert taken == ("BucketAlreadyExists", 409)
        assert await failure(bob.get_object, **where) == denied
        assert await failure(bob.put_object, **where, Body=b"") == denied
        assert await failure(bob.delete_object, **where) == denied
        assert await failure(bob.list_objects_v2, Bucket="alices") == denied
        assert await failure(bob.list_multipart_uploads, Bucket="alices") == denied
        assert await failure(bob.create_multipart_upload, **where) == denied
        assert await failure(bob.delete_bucket, Bucket="alices") == denied
        assert await failure(bob.head_bucket, Bucket="alices") == ("403", 403)
        await bob.create_bucket(Bucket="bobs")
        copy = {"Bucket": "bobs", "Key": "stolen", "CopySource": where}
        assert await failure(bob.copy_object, **copy) == denied
        assert [b["Name"] for b in (await bob.list_buckets())["Buckets"]] == ["bobs"]
        await alice_too.create_bucket(Bucket="alices")
        assert await body_of(await alice_too.get_object(**where)) == b"secret"


async def test_a_bucket_of_the_application_is_open_to_every_key(driver, serving):
    await driver.container_create("common")
    async with (
        serving(make_app(driver, auth=KEYS)) as client_for,
        client_for(ALICE) as alice,
        client_for(BOB) as bob,
    ):
        await alice.put_object(Bucket="common", Key="k", Body=b"x")
        assert await body_of(await bob.get_object(Bucket="common", Key="k")) == b"x"
        assert [b["Name"] for b in (await bob.list_buckets())["Buckets"]] == ["common"]


async def test_a_body_is_stored_as_it_came(driver, serving):
    packed = gzip.compress(b"x" * 100_000)
    async with serving(make_app(driver, auth=KEYS)) as client_for, client_for() as s3:
        await s3.create_bucket(Bucket="bucket")
        where = {"Bucket": "bucket", "Key": "k"}
        await s3.put_object(**where, Body=packed, ContentEncoding="gzip")
        reader = await driver.file_read("bucket", "k")
        async with reader:
            assert b"".join([piece async for piece in reader]) == packed


async def test_a_runner_that_decompresses_bodies_is_told(
    driver, aiobotocore_for, logged
):
    await driver.container_create("bucket")
    runner = web.AppRunner(make_app(driver, auth=KEYS))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway = Gateway(
        f"http://127.0.0.1:{runner.addresses[0][1]}",
        ALICE.access_key,
        ALICE.secret_key,
        "us-east-1",
        0,
    )
    try:
        async with aiobotocore_for(gateway) as s3:
            told = await failure(
                s3.put_object,
                Bucket="bucket",
                Key="k",
                Body=gzip.compress(b"x" * 100_000),
                ContentEncoding="gzip",
            )
    finally:
        await runner.cleanup()
    assert told == ("InternalError", 500)
    assert "auto_decompress=False" in logged.text
    assert not (await driver.file_list("bucket")).files


class Breaking:
    """A driver before the real one, whose calls can be made to fail."""

    def __init__(self, driver):
        self._driver = driver
        self.failure = None
        self.read_failure = None

    def __getattr__(self, name):
        return getattr(self._driver, name)

    async def container_info(self, *args, **options):
        if self.failure is not None:
            raise self.failure
        return await self._driver.container_info(*args, **options)

    async def file_read(self, *args, **options):
        reader = await self._driver.file_read(*args, **options)
        return BreakingReader(reader, self.read_failure)


class BreakingReader:
    def __init__(self, reader, failure):
        self._reader = reader
        self._failure = failure

    def __getattr__(self, name):
        return getattr(self._reader, name)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self._reader.aclose()

    async def __aiter__(self):
        async for piece in self._reader:
            yield piece[: len(piece) // 2]
            if self._failure is not None:
                raise self._failure
            return


@pytest.mark.parametrize(
    "failure_", [CorruptDataError(), RuntimeError("bug"), ConnectionResetError(), None]
)
async def test_a_read_that_fails_midway_breaks_the_connection(
    driver, serving, failure_, logged
):
    await driver.container_create("bucket")
    breaking = Breaking(driver)
    breaking.read_failure = failure_
    async with serving(make_app(breaking, auth=KEYS)) as client_for, client_for() as s3:
        await s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 300_000)
        answer = await s3.get_object(Bucket="bucket", Key="k")
        with pytest.raises((HTTPClientError, ClientPayloadError)):
            await body_of(answer)
    assert "before" in logged.text


async def test_a_small_read_that_fails_is_an_error(driver, serving, logged):
    await driver.container_create("bucket")
    breaking = Breaking(driver)
    async with serving(make_app(breaking, auth=KEYS)) as client_for, client_for() as s3:
        where = {"Bucket": "bucket", "Key": "k"}
        await s3.put_object(**where, Body=b"small")
        for breaking.read_failure in (CorruptDataError(), None):
            assert await failure(s3.get_object, **where) == ("InternalError", 500)
    assert logged.text.count("failed") == 2


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (RuntimeError("password at /etc/secret"), ("InternalError", 500)),
        (CorruptDataError("inside"), ("InternalError", 500)),
        (StorageBusyError(), ("SlowDown", 503)),
        (StorageFullError(), ("InsufficientStorage", 507)),
    ],
)
async def test_failures_of_the_driver(driver, serving, error, answer, logged):
    breaking = Breaking(driver)
    breaking.failure = error
    async with serving(make_app(breaking, auth=KEYS)) as client_for, client_for() as s3:
        with pytest.raises(ClientError) as caught:
            await s3.list_objects_v2(Bucket="bucket")
    told = caught.value.response
    assert (
        told["Error"]["Code"],
        told["ResponseMetadata"]["HTTPStatusCode"],
    ) == answer
    assert "secret" not in str(caught.value)
    if answer[1] == 500:
        assert told["ResponseMetadata"]["RequestId"] in logged.text


class OnlyTheLeast:
    """A driver without the capabilities."""

    def __init__(self, driver):
        for name in dir(driver):
            if name.startswith(("container_", "file_")) and name != "file_delete_many":
                setattr(self, name, getattr(driver, name))


async def test_a_driver_without_the_capabilities(driver, serving):
    app = make_app(OnlyTheLeast(driver), auth=KEYS)
    async with serving(app) as client_for, client_for() as s3:
        await s3.create_bucket(Bucket="bucket")
        where = {"Bucket": "bucket", "Key": "k"}
        told = await failure(s3.create_multipart_upload, **where)
        assert told == ("NotImplemented", 501)
        await s3.put_object(**where, Body=b"x")
        wanted = [{"Key": "k", "ETag": "x"}, {"Key": "absent"}]
        answer = await s3.delete_objects(Bucket="bucket", Delete={"Objects": wanted})
        assert [entry["Key"] for entry in answer["Deleted"]] == ["absent"]
        assert answer["Errors"][0]["Code"] == "PreconditionFailed"


async def test_clients_that_go_are_no_errors(driver, serving, logged):
    async with serving(make_app(driver, auth=KEYS)) as client_for:
        address = urlsplit(client_for.endpoint)
        for head in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PUT /b/k HTT"):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            linger = struct.pack("ii", 1, 0)  # closing sends a reset
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
            writer.write(head)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        async with client_for() as s3:
            await s3.list_buckets()
    assert logged.text == ""


@pytest.mark.parametrize("host", ["", "localhost"])
async def test_a_host_of_several_addresses_has_one_port(driver, host):
    async with Server(make_app(driver, auth=KEYS), host=host) as server:
        ports = {address[1] for address in server._runner.addresses}
        assert ports == {server.port}
        assert server.endpoint == f"http://localhost:{server.port}"


async def test_stopping_twice(driver):
    server = Server(make_app(driver, auth=KEYS))
    await server.start()
    await server.aclose()
    await server.aclose()


async def test_an_address_that_is_taken_leaves_nothing_open(driver):
    async with Server(make_app(driver, auth=KEYS)) as server:
        with pytest.raises(OSError, match="address already in use"):
            await Server(make_app(driver, auth=KEYS), port=server.port).start()


def test_an_unknown_dialect():
    with pytest.raises(ValueError, match="'s3'"):
        make_app(object(), auth=KEYS, dialect="blb")


async def test_a_cancelled_stop_can_be_finished(driver):
    app = web.Application()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(_request):
        begun.set()
        await may_end.wait()
        return web.Response(text="done")

    app.router.add_get("/slow", slow)
    app.add_subapp("/s3", make_app(driver, auth=KEYS))
    server = Server(app, grace=20)
    await server.start()
    async with ClientSession() as session, asyncio.TaskGroup() as group:
        request = group.create_task(session.get(f"{server.endpoint}/slow"))
        await begun.wait()
        stopping = group.create_task(server.aclose())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        may_end.set()
        await server.aclose()
        async with await request as answer:
            assert await answer.text() == "done"
