"""Containers in the index: the queries of readers and the changes of the writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import (
    ContainerExistsError,
    ContainerNotEmptyError,
    NoSuchContainerError,
    OptionsChangedError,
)
from ...types import ContainerOptions
from ._records import load_container, lookup_text, now_ns, owner_columns
from ._transaction import container_id
from ._uploads import drop_uploads

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from ...types import ContainerInfo, Principal
    from ._transaction import Transaction

_COLUMNS = "name, owner, owner_name, created_ns"


def list_containers(
    db: sqlite3.Connection, principal: Principal | None
) -> list[ContainerInfo]:
    """List the containers of an owner, or all, by name."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM containers"  # noqa: S608 - constant columns
        " WHERE ?1 IS NULL OR owner = ?1 ORDER BY name",
        (principal.id if principal else None,),
    )
    return [load_container(row) for row in rows]


def describe_container(db: sqlite3.Connection, name: str) -> ContainerInfo:
    """Describe one container."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM containers WHERE name = ?",  # noqa: S608 - constant
        (lookup_text(name),),
    ).fetchone()
    if row is None:
        raise NoSuchContainerError
    return load_container(row)


def create_container(
    txn: Transaction,
    name: str,
    documents: Mapping[str, str],
    principal: Principal | None,
) -> ContainerInfo:
    """Create a container, or accept the one that the same owner has."""
    owner, owner_name = owner_columns(principal)
    row = txn.row(
        f"SELECT {_COLUMNS} FROM containers WHERE name = ?",  # noqa: S608 - constant
        (name,),
    )
    if row is not None:
        if row[1] != owner:
            raise ContainerExistsError
        return load_container(row)
    txn.grow()
    created = now_ns()
    cursor = txn.db.execute(
        "INSERT INTO containers(name, owner, owner_name, created_ns, options_version)"
        " VALUES (?, ?, ?, ?, 1)",
        (name, owner, owner_name, created),
    )
    txn.db.executemany(
        "INSERT INTO options VALUES (?, ?, ?)",
        [(cursor.lastrowid, *item) for item in documents.items()],
    )
    return load_container((name, owner, owner_name, created))


def delete_container(txn: Transaction, name: str) -> None:
    """Delete an empty container with its options and unfinished uploads."""
    container = container_id(txn.db, name)
    held = txn.row("SELECT 1 FROM objects WHERE container = ? LIMIT 1", (container,))
    if held is not None:
        raise ContainerNotEmptyError
    drop_uploads(txn, container)
    txn.db.execute("DELETE FROM options WHERE container = ?", (container,))
    txn.db.execute("DELETE FROM containers WHERE id = ?", (container,))


def read_options(db: sqlite3.Connection, name: str) -> ContainerOptions:
    """Read the documents of a container."""
    row = db.execute(
        "SELECT id, options_version FROM containers WHERE name = ?",
        (lookup_text(name),),
    ).fetchone()
    if row is None:
        raise NoSuchContainerError
    documents = db.execute(
        "SELECT name, document FROM options WHERE container = ? ORDER BY name",
        (row[0],),
    )
    return ContainerOptions(dict(documents.fetchall()), int(row[1]))


def set_options(
    txn: Transaction,
    name: str,
    documents: Mapping[str, str | None],
    if_version: int | None,
) -> ContainerOptions:
    """Set and remove documents of a container."""
    container = container_id(txn.db, name)
    before = read_options(txn.db, name)
    if if_version is not None and before.version != if_version:
        raise OptionsChangedError
    for document, text in documents.items():
        if text is None:
            txn.db.execute(
                "DELETE FROM options WHERE container = ? AND name = ?",
                (container, document),
            )
        else:
            txn.grow()
            txn.db.execute(
                "INSERT OR REPLACE INTO options VALUES (?, ?, ?)",
                (container, document, text),
            )
    txn.db.execute(
        "UPDATE containers SET options_version = options_version + 1 WHERE id = ?",
        (container,),
    )
    return read_options(txn.db, name)
