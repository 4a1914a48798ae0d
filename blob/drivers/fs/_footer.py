"""The footer at the end of each data file: what a salvage needs when the index is lost.

A data file is the payload, then JSON, then 16 bytes: the length of the JSON and its
CRC-32 (both little-endian u32), and a magic number. The index knows the payload's
size, so reads never see the footer. Pure.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass

_MAGIC = b"blobfs1\n"
_TAIL = struct.Struct("<II8s")


@dataclass(frozen=True, slots=True)
class Label:
    """What a data file was written for; `upload_id` and `part` where it is a part."""

    container: str
    key: str
    upload_id: str | None = None
    part: int | None = None


def encode_footer(label: Label, *, md5: str, size: int, written_ns: int) -> bytes:
    """Return the bytes to append to a payload of `size` bytes."""
    fields: dict[str, str | int] = {
        "container": label.container,
        "key": label.key,
        "md5": md5,
        "size": size,
        "written_ns": written_ns,
    }
    if label.upload_id is not None:
        fields["upload_id"] = label.upload_id
    if label.part is not None:
        fields["part"] = label.part
    text = json.dumps(fields, separators=(",", ":")).encode("ascii")
    return text + _TAIL.pack(len(text), zlib.crc32(text), _MAGIC)
