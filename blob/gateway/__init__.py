"""The S3 gateway in front of a blob driver, as an aiohttp application.

Read in this order: `app` (`make_app`, the way of every request), `auth` and `keys`
(who asks), `routing` (what is asked), `call` (a request on its way); then the actions:
`service`, `bucket`, `listing`, `object_read`, `object_write`, `copy`, `delete`,
`multipart`, `complete`; what they share: `bodies`, `responses`, `faults` (the error
table), `s3` (the dialect); `server` (a site of its own). The protocol without I/O is in
`sigv4`, `chunked`, `checksums`, `headers`, `metadata`, `xml`, `xml_requests`,
`wire_errors`.
"""

from .app import make_app
from .keys import AccessKey, KeyFile, KeyStore, StaticKeys, generate_key
from .server import Server

__all__ = (
    "AccessKey",
    "KeyFile",
    "KeyStore",
    "Server",
    "StaticKeys",
    "generate_key",
    "make_app",
)
