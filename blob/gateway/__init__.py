"""The S3 gateway in front of a blob driver, as an aiohttp application.

Read in this order. The protocol without I/O: `wire_errors`, `headers`, `metadata`,
`checksums`, `chunked`, `sigv4`, `xml`, `xml_requests`. What the actions share: `faults`
(the error table), `keys` and `auth` (who asks), `call` (a request on its way),
`bodies`, `responses`. The actions by resource: `service`, `bucket`, `listing`,
`object_read`, `object_write`, `copy`, `delete`, `multipart`, `complete`. All together:
`routing` (which action a request asks for), `s3` (the dialect), `app` (`make_app`),
`server` (a site of its own).
"""

from .app import make_app
from .keys import (
    AccessKey,
    KeyFile,
    KeyStore,
    StaticKeys,
    generate_key,
    read_keys,
    write_keys,
)
from .server import Server

__all__ = (
    "AccessKey",
    "KeyFile",
    "KeyStore",
    "Server",
    "StaticKeys",
    "generate_key",
    "make_app",
    "read_keys",
    "write_keys",
)
