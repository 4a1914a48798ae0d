"""One request on its way through the gateway: what is known of it so far.

`app` makes it, `auth` and `routing` fill it, the handlers read it.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11

from ..errors import AccessDeniedError, InvalidArgumentError

if TYPE_CHECKING:
    from aiohttp import web

    from ..driver import Driver
    from ..types import ContainerInfo, Principal
    from .sigv4 import Verified

__all__ = ("Call", "random_ids", "wants_continue")


def wants_continue(request: web.BaseRequest) -> bool:
    """Whether the client waits for a 100 before it sends the body."""
    expect = request.headers.get("Expect", "")
    return request.version >= HttpVersion11 and expect.lower() == "100-continue"


def random_ids() -> tuple[str, str]:
    """Return a new x-amz-request-id and x-amz-id-2."""
    # Ids, not secrets: the system's generator would cost each request a system call.
    raw = random.randbytes(44)  # noqa: S311 - see above
    return raw[:8].hex().upper(), base64.b64encode(raw[8:]).decode()


@dataclass(slots=True, kw_only=True)
class Call:
    """A request, proven to come from `principal`.

    `headers` are its pairs as received, `header` and `query` the same by lower case
    name and by name.

    `common` are the headers of every answer, which a handler must add to one that it
    prepares itself. `is_invited`: the client's wish for a 100 was met.
    """

    request: web.Request
    driver: Driver
    region: str
    principal: Principal
    verified: Verified
    bucket: str
    key: str
    query: dict[str, str]
    headers: list[tuple[str, str]]
    common: dict[str, str]
    header: dict[str, str] = field(init=False)
    is_invited: bool = False

    def __post_init__(self) -> None:
        self.header = {}
        for name, value in self.headers:
            known = self.header.get(name.lower())
            joined = value if known is None else f"{known},{value}"
            self.header[name.lower()] = joined

    @property
    def version_id(self) -> str | None:
        """The version asked for, None for the current one."""
        version_id = self.query.get("versionId")
        if version_id == "":
            raise InvalidArgumentError("Version id cannot be the empty string")
        return version_id

    async def check_bucket(self) -> ContainerInfo:
        """Return the bucket asked for, if the principal may use it."""
        return await self.check_access(self.bucket, "x-amz-expected-bucket-owner")

    async def check_access(self, bucket: str, expected_owner: str) -> ContainerInfo:
        """Raise `AccessDeniedError` unless the principal may use the bucket.

        Each bucket has one owner, who alone may do anything with it; one that the
        embedding application made for nobody in particular is open to every key.
        `expected_owner` is the header that says whose bucket the client takes it for.
        """
        info = await self.driver.container_info(bucket, principal=self.principal)
        owner = info.owner.id if info.owner else None
        if owner not in (None, self.principal.id):
            raise AccessDeniedError
        if self.header.get(expected_owner, owner) != owner:
            raise AccessDeniedError
        return info

    def number(self, name: str, *, default: int, least: int = 0) -> int:
        """Read a number of the query; `InvalidArgumentError` for none, or too small."""
        text = self.query.get(name, "")
        if not text and name not in self.query:
            return default
        # Nine digits: int() of a giant text is slow, and refused beyond 4300.
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise InvalidArgumentError(f"{name} must be a number from {least} up.")
        if int(text) < least:
            raise InvalidArgumentError(f"{name} must be a number from {least} up.")
        return int(text)

    def is_url_encoded(self) -> bool:
        """Whether the client asked for encoding-type=url."""
        encoding = self.query.get("encoding-type")
        if encoding not in (None, "url"):
            raise InvalidArgumentError("Invalid Encoding Method specified in Request")
        return encoding == "url"
