"""The fs driver: keys are rows of an SQLite index, bodies immutable files beside it.

Read in this order: `_options`, `_errors`, `_layout` (what lies where, the commit lock),
`_room` (what must stay free), `_schema` (the tables), `_records` (rows as values),
`_transaction`, `_uploads`, `_containers`, `_objects`, `_complete`, `_listing` (what
changes and queries do), `_outbox`, `_account` (the quota while bodies arrive),
`_index_writer` and `_index_reader` (the threads of the index), `_footer`, `_files`,
`_threads`, `_intake` and `_reader` (bytes in and out), `_generation` and `_housekeeper`
(who is alive, and what may be removed), `_store` (all of it, opened and closed),
`_lifecycle`, `_multipart` and `driver`.
"""

from .driver import FsDriver, create

__all__ = ("FsDriver", "create")
