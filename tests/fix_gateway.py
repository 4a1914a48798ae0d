"""Our own gateway as a real process, over http and https, and clients for it.

`gateway` and `gateway_https` run for the whole session on the fs driver. `bucket` is
an empty one of the test's own. `boto3_client` and `s3_client` (aiobotocore) speak to
`gateway`, the factories `boto3_for` and `aiobotocore_for` to any. `start_gateway`
starts one more with options of its own.
"""

from __future__ import annotations

import json
import os
import select
import signal
import ssl
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import aiobotocore.session
import boto3
import pytest
import pytest_asyncio
import trustme
from aiobotocore.config import AioConfig
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from mypy_boto3_s3 import S3Client as BotoClient
    from types_aiobotocore_s3 import S3Client as AioClient

_READY_SECONDS = 20
_STOP_SECONDS = 20
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway; `root` is the fs driver's, `ca_file` verifies https."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str
    pid: int
    root: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM for a server on 127.0.0.1 and localhost."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


class GatewayProcess:
    """`python -m blob serve`, started and told to be ready."""

    def __init__(self, *args: str, log: Path, env: dict[str, str] | None = None):
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "blob", "serve", *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=_ROOT,
                env={**_clean_environment(), **(env or {})},
            )
        try:
            self.announced = self._announced()
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def _announced(self) -> dict[str, object]:
        stdout = self.process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], _READY_SECONDS)[0]:
            raise TimeoutError(f"not ready: {self.log.read_text()}")
        line = stdout.readline()
        if not line:
            status = self.process.wait(_STOP_SECONDS)
            raise RuntimeError(f"exit status {status}: {self.log.read_text()}")
        return json.loads(line)

    def gateway(self, root: Path | None = None, ca_file: Path | None = None) -> Gateway:
        told = self.announced
        return Gateway(
            endpoint=str(told["endpoint"]),
            access_key=str(told["access_key"]),
            secret_key=str(told["secret_key"]),
            region=str(told["region"]),
            pid=self.process.pid,
            root=root,
            ca_file=ca_file,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal unless it has ended; return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(_STOP_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()


def _clean_environment() -> dict[str, str]:
    """The environment without what would configure the server or a client."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "BLOB_"))
    }


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    made = Certificates(
        directory / "ca.pem", directory / "cert.pem", directory / "key.pem"
    )
    authority.cert_pem.write_to_path(str(made.ca_file))
    server.private_key_pem.write_to_path(str(made.key_file))
    for index, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(str(made.cert_file), append=index > 0)
    return made


@pytest.fixture(scope="session")
def start_gateway(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., AbstractContextManager[GatewayProcess]]:
    """Start one with arguments of one's own: `with start_gateway("--port", "0")`."""
    directory = tmp_path_factory.mktemp("gateway-logs")

    @contextmanager
    def _start(
        *args: str, env: dict[str, str] | None = None
    ) -> Iterator[GatewayProcess]:
        log = directory / f"{uuid4().hex}.log"
        process = GatewayProcess(*args, log=log, env=env)
        try:
            yield process
        finally:
            process.stop()

    return _start


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    start_gateway: Callable[..., AbstractContextManager[GatewayProcess]],
) -> Iterator[Gateway]:
    root = tmp_path_factory.mktemp("gateway") / "store"
    with start_gateway("--root", str(root), "--port", "0") as process:
        yield process.gateway(root)


@pytest.fixture(scope="session")
def gateway_https(
    tmp_path_factory: pytest.TempPathFactory,
    start_gateway: Callable[..., AbstractContextManager[GatewayProcess]],
    certificates: Certificates,
) -> Iterator[Gateway]:
    root = tmp_path_factory.mktemp("gateway-https") / "store"
    with start_gateway(
        *("--root", str(root), "--port", "0"),
        *("--tls-cert", str(certificates.cert_file)),
        *("--tls-key", str(certificates.key_file)),
    ) as process:
        yield process.gateway(root, certificates.ca_file)


@pytest.fixture(scope="session")
def boto3_session() -> boto3.Session:
    # One for all tests: it caches the service description, half a second to load.
    return boto3.Session(
        aws_access_key_id="never-used", aws_secret_access_key="never-used"
    )


@pytest.fixture
def boto3_for(
    boto3_session: boto3.Session,
) -> Iterator[Callable[..., BotoClient]]:
    """Make boto3 clients: `boto3_for(gateway, retries=0, **options_of_config)`."""
    clients: list[BotoClient] = []

    def _make(gateway: Gateway, *, retries: int = 0, **config: object) -> BotoClient:
        client = boto3_session.client(
            "s3",
            endpoint_url=gateway.endpoint,
            region_name=gateway.region,
            aws_access_key_id=gateway.access_key,
            aws_secret_access_key=gateway.secret_key,
            verify=str(gateway.ca_file) if gateway.ca_file else None,
            config=Config(retries={"total_max_attempts": retries + 1}, **config),
        )
        clients.append(client)
        return client

    yield _make
    for client in clients:
        client.close()


@pytest.fixture
def boto3_client(gateway: Gateway, boto3_for: Callable[..., BotoClient]) -> BotoClient:
    return boto3_for(gateway)


@pytest.fixture(scope="session")
def aiobotocore_session() -> aiobotocore.session.AioSession:
    return aiobotocore.session.get_session()


@pytest.fixture
def aiobotocore_for(
    aiobotocore_session: aiobotocore.session.AioSession,
) -> Callable[..., AbstractAsyncContextManager[AioClient]]:
    """Make aiobotocore clients: `async with aiobotocore_for(gateway) as client`."""

    def _make(
        gateway: Gateway, *, retries: int = 0, **config: object
    ) -> AbstractAsyncContextManager[AioClient]:
        return aiobotocore_session.create_client(
            "s3",
            endpoint_url=gateway.endpoint,
            region_name=gateway.region,
            aws_access_key_id=gateway.access_key,
            aws_secret_access_key=gateway.secret_key,
            verify=str(gateway.ca_file) if gateway.ca_file else None,
            config=AioConfig(retries={"total_max_attempts": retries + 1}, **config),
        )

    return _make


@pytest_asyncio.fixture
async def s3_client(
    gateway: Gateway,
    aiobotocore_for: Callable[..., AbstractAsyncContextManager[AioClient]],
) -> AsyncIterator[AioClient]:
    async with aiobotocore_for(gateway) as client:
        yield client


@pytest.fixture
def new_bucket(
    boto3_for: Callable[..., BotoClient],
) -> Callable[[Gateway], str]:
    """Create an empty bucket in any gateway, under a name nobody had before."""

    def _make(gateway: Gateway) -> str:
        name = f"test-{uuid4().hex}"
        boto3_for(gateway).create_bucket(Bucket=name)
        return name

    return _make


@pytest.fixture
def bucket(gateway: Gateway, new_bucket: Callable[[Gateway], str]) -> str:
    return new_bucket(gateway)
