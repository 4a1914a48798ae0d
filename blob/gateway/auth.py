"""Who asks: SigV4 over a key store. Fails closed: what cannot be proven is refused.

Used by `app`, before anything else looks at a request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .sigv4 import parse_authorization, verify
from .wire_errors import InvalidAccessKeyIdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..types import Principal
    from .keys import KeyStore
    from .sigv4 import Verified

__all__ = ("Authenticator",)


class Authenticator:
    """Proves who signed a request, by the keys of a store."""

    def __init__(self, keys: KeyStore, *, region: str) -> None:
        self._keys = keys
        self._region = region

    async def authenticate(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
    ) -> tuple[Principal, Verified]:
        """Return who asks, and what the body has to prove; raises `AuthError`s.

        `path` and `query` are raw, and whole: the client signs the prefix under which
        the gateway is mounted too.
        """
        claim = parse_authorization(headers, query=query, region=self._region)
        key = await self._keys.find(claim.access_key)
        verified = verify(
            claim,
            key.secret_key if key else None,
            method=method,
            path=path,
            query=query,
            headers=headers,
            now=datetime.now(UTC),
        )
        if key is None:  # verify() has refused it: this is the second lock
            raise InvalidAccessKeyIdError
        return key.principal, verified
