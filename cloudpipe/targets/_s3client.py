"""Making an aiobotocore client without stopping the loop: for `s3`."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.httpsession import where
from botocore.loaders import JSONFileLoader, Loader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from types_aiobotocore_s3 import S3Client

Addressing: TypeAlias = Literal["auto", "path", "virtual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What a client is made of; None leaves it to the ordinary AWS chain."""

    endpoint: str | None
    use_ssl: bool
    access_key: str | None
    secret: str | None = field(repr=False)
    session_token: str | None = field(repr=False)
    region: str | None
    addressing: Addressing
    connect_timeout: float
    read_timeout: float
    ca_file: str | None


@dataclass(frozen=True, slots=True)
class Network:
    """How a client reaches an address: what it trusts, and through which proxy."""

    proxy: str | None
    proxy_headers: Mapping[str, str]
    _secure: bool
    _verify: bool | str | ssl.SSLContext
    _certificate: tuple[str, str | None] | None

    @classmethod
    def of(cls, client: S3Client, url: str) -> Self:
        """Read it off the client: environment, files and arguments are resolved there.

        No public call tells it, and control calls and bodies must not go two ways.
        """
        session = vars(client)["_endpoint"].http_session
        proxies = session._proxy_config  # noqa: SLF001 - see above
        certificate = getattr(session, "_cert_file", None)
        key = getattr(session, "_key_file", None)
        return cls(
            proxies.proxy_url_for(url),
            proxies.proxy_headers_for(url),
            url.startswith("https:"),
            session._verify,  # noqa: SLF001 - see above
            (certificate, key) if certificate else None,
        )

    def tls(self) -> ssl.SSLContext | None:
        """Make a context, in a thread: this reads files; None for plain http."""
        if isinstance(self._verify, ssl.SSLContext):
            return self._verify
        if not self._secure:
            return None
        trusted = where() if self._verify is True else self._verify or None
        context = ssl.create_default_context(cafile=trusted)
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._certificate:
            context.load_cert_chain(*self._certificate)
        return context


class _PlainFiles(JSONFileLoader):
    """Reads botocore's files into plain dicts: OrderedDicts take twice the memory."""

    def load_file(self, file_path: str) -> object:
        """Return what the file holds, None without one."""
        path = Path(f"{file_path}.json")
        if path.is_file():
            return json.loads(path.read_bytes())
        path = Path(f"{file_path}.json.gz")
        if path.is_file():
            return json.loads(gzip.decompress(path.read_bytes()))
        return None


@cache
def _loader() -> Loader:
    """Read S3's description once a process: it takes 0.1 s, and 7 MiB remain.

    The endpoints of all other services, most of it, leave this loader's cache.
    """
    loader = Loader(file_loader=_PlainFiles(), include_default_search_paths=True)
    for name in ("_retry", "partitions", "sdk-default-configuration"):
        loader.load_data_with_path(name)
    endpoints, _ = loader.load_data_with_path("endpoints")
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: found for name, found in partition["services"].items() if name == "s3"
        }
    for kind in ("service-2", "endpoint-rule-set-1"):
        # The cache knows a call by how its arguments are given: as botocore does.
        loader.load_service_model("s3", kind, api_version=None)
    return loader


def _session(*, chain: bool) -> AioSession:
    """Make a session, in a thread: this reads files.

    So does the chain of credentials, whose coroutine blocks the loop it runs on: it
    gets a loop of its own. What it finds is kept in the session, bound to no loop.
    """
    session = get_session()
    session.register_component("data_loader", _loader())
    session.full_config  # noqa: B018 - read here and kept
    if chain:
        asyncio.run(session.get_credentials())
    return session


async def make_client(
    settings: ClientSettings,
) -> AbstractAsyncContextManager[S3Client]:
    """Return a client to be entered; files are read in a thread."""
    session = await asyncio.to_thread(_session, chain=settings.access_key is None)
    config = AioConfig(
        signature_version="s3v4",
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        # The pipe does the retries and counts them.
        retries={"total_max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": settings.addressing},
        # The target sends its own checksums; unasked ones break older servers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.create_client(
        "s3",
        region_name=settings.region,
        use_ssl=settings.use_ssl,
        verify=settings.ca_file,
        endpoint_url=settings.endpoint,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret,
        aws_session_token=settings.session_token,
        config=config,
    )
