"""Listing against a model: any keys, prefix, marker, delimiter and page size."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from blob.drivers.fs import _schema
from blob.drivers.fs._listing import list_files, list_uploads

# Few characters, so that prefixes meet; some of more than one byte, and NUL.
TEXT = st.text(alphabet="ab/é\U0010ffff\0", max_size=5)
KEYS = st.lists(TEXT.filter(bool), unique=True, max_size=12)
DELIMITERS = st.sampled_from(["", "/", "//", "é", "ab"])


def make(keys: list[str], per_key: int = 1) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    _schema.create_tables(db)
    db.execute("INSERT INTO containers VALUES (1, 'box', NULL, NULL, 0, 1)")
    db.execute("INSERT INTO containers VALUES (2, 'other', NULL, NULL, 0, 1)")
    for key in keys:
        raw = key.encode()
        for container in (1, 2):
            db.execute(
                "INSERT INTO objects(container, key, content, size, etag, mtime_ns,"
                " multipart, seq) VALUES (?, ?, 1, 0, '', 0, 0, 0)",
                (container, raw),
            )
        for number in range(per_key):
            db.execute(
                "INSERT INTO uploads(container, key, upload_id, initiated_ns)"
                " VALUES (1, ?, ?, 0)",
                (raw, f"{number}-{key}"),
            )
    return db


def rolled_up(
    keys: list[str], prefix: str, delimiter: str, marker: str
) -> list[tuple[bytes, bool]]:
    """Return what a listing should hold, in order: names, and whether a prefix."""
    entries = set()
    for key in keys:
        if not key.startswith(prefix) or key.encode() <= marker.encode():
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key if at < 0 else key[: at + len(delimiter)]
        if name.encode() > marker.encode():
            entries.add((name.encode(), at >= 0))
    return sorted(entries)


@given(KEYS, TEXT, TEXT, DELIMITERS, st.integers(1, 5))
def test_pages_of_files(keys, prefix, marker, delimiter, max_keys) -> None:
    wanted = rolled_up(keys, prefix, delimiter, marker)
    with closing(make(keys)) as db:
        found: list[tuple[bytes, bool]] = []
        while True:
            page = list_files(
                db,
                "box",
                prefix=prefix,
                marker=marker,
                delimiter=delimiter,
                max_keys=max_keys,
            )
            entries = [(info.key.encode(), False) for info in page.files]
            entries += [(name.encode(), True) for name in page.prefixes]
            found += sorted(entries)
            full = len(found) < len(wanted)
            assert page.is_truncated == full
            if not full:
                assert page.next_marker is None
                break
            assert len(entries) == max_keys
            assert page.next_marker == found[-1][0].decode()
            marker = page.next_marker
    assert found == wanted


@given(KEYS, TEXT, DELIMITERS, st.integers(1, 5))
def test_pages_of_uploads(keys, prefix, delimiter, max_uploads) -> None:
    wanted = []
    for name, is_prefix in rolled_up(keys, prefix, delimiter, ""):
        text = name.decode()
        wanted += [(text, "")] if is_prefix else [(text, f"{n}-{text}") for n in (0, 1)]
    key_marker = upload_id_marker = ""
    found: list[tuple[str, str]] = []
    with closing(make(keys, per_key=2)) as db:
        while True:
            page = list_uploads(
                db,
                "box",
                prefix=prefix,
                delimiter=delimiter,
                key_marker=key_marker,
                upload_id_marker=upload_id_marker,
                max_uploads=max_uploads,
            )
            entries = [(upload.key, upload.upload_id) for upload in page.uploads]
            entries += [(name, "") for name in page.prefixes]
            found += sorted(entries, key=lambda entry: (entry[0].encode(), entry[1]))
            if not page.is_truncated:
                break
            key_marker = page.next_key_marker or ""
            upload_id_marker = page.next_upload_id_marker or ""
            assert (key_marker, upload_id_marker) == found[-1]
    assert found == wanted
