"""Async blob drivers, and the S3 gateway in front of them.

Read in this order: `types` (what goes in and out), `errors`, `driver` (the Protocols),
`rules` (what every driver applies alike), `registry` (from options to a driver),
`simple` (a base class for small stores), then `testing` (the contract suite), `drivers`
and `gateway`, which do not know each other, and `cli`.
"""

from .driver import (
    DeleteManyDriver,
    Driver,
    FileReader,
    MultipartDriver,
)
from .errors import BlobError
from .registry import create_driver
from .types import (
    ByteRange,
    Conditions,
    ContainerInfo,
    CopyOptions,
    CreateOptions,
    DeleteGuard,
    FileInfo,
    FileListing,
    Metadata,
    Principal,
)

__all__ = (
    "BlobError",
    "ByteRange",
    "Conditions",
    "ContainerInfo",
    "CopyOptions",
    "CreateOptions",
    "DeleteGuard",
    "DeleteManyDriver",
    "Driver",
    "FileInfo",
    "FileListing",
    "FileReader",
    "Metadata",
    "MultipartDriver",
    "Principal",
    "create_driver",
)
