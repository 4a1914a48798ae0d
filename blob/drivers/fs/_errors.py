"""OSError and sqlite3 errors as errors of `blob`: one table, used by every thread.

Messages never hold a path; `__cause__` keeps the original.
"""

from __future__ import annotations

import errno
import sqlite3

from ...errors import (
    BlobError,
    CorruptDataError,
    InvalidArgumentError,
    OutcomeUnknownError,
    StorageBusyError,
    StorageError,
    StorageFullError,
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BUSY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_SQLITE: dict[int, tuple[type[StorageError], str]] = {
    sqlite3.SQLITE_FULL: (StorageFullError, ""),
    sqlite3.SQLITE_BUSY: (StorageBusyError, ""),
    sqlite3.SQLITE_LOCKED: (StorageBusyError, ""),
    sqlite3.SQLITE_CORRUPT: (CorruptDataError, "The index of the store is damaged."),
    sqlite3.SQLITE_NOTADB: (CorruptDataError, "The index of the store is damaged."),
    sqlite3.SQLITE_READONLY: (StorageError, "The store is not writable."),
    sqlite3.SQLITE_CANTOPEN: (StorageError, "The index of the store cannot be opened."),
}


def translate(error: Exception) -> Exception:
    """Return the error of ours for a foreign one; anything else as it is."""
    if isinstance(error, BlobError):
        return error
    if isinstance(error, sqlite3.Error):
        return _caused(_from_sqlite(error), error)
    if isinstance(error, OSError):
        return _caused(_from_os(error), error)
    if isinstance(error, UnicodeEncodeError):
        return _caused(InvalidArgumentError("Not Unicode text."), error)
    return error


def translate_commit(error: Exception) -> Exception:
    """Like `translate`, for what COMMIT itself raised.

    Out of space and busy mean that nothing was committed. After any other failure (a
    failed fsync of the log, say) a crash may yet find the transaction in the log.
    """
    ours = translate(error)
    if isinstance(ours, StorageFullError | StorageBusyError):
        return ours
    return _caused(OutcomeUnknownError(), error)


def _from_sqlite(error: sqlite3.Error) -> StorageError:
    # The low byte of an extended result code is the primary one.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind, message = _SQLITE.get(code, (StorageError, "The index of the store failed."))
    return kind(message)


def _from_os(error: OSError) -> StorageError:
    if error.errno in _FULL:
        return StorageFullError()
    if error.errno in _BUSY:
        return StorageBusyError()
    if error.errno in _DENIED:
        return StorageError("The store is not readable or not writable.")
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return StorageError(f"The file system of the store failed ({name}).")


def _caused(ours: BlobError, error: Exception) -> BlobError:
    ours.__cause__ = error
    return ours
