"""For those who write a driver: the contract suite it must pass.

Read in this order: `_needs` (pytest, or a clear error), `_support` (bodies, readers,
cancelling at each step), `_containers`, `_creating`, `_keys`, `_reading`,
`_conditions`, `_deleting`, `_copying`, `_listing`, `_concurrency`, `_lifecycle`,
`_parts`, `_completing`, `_uploads`, and `contract`: what to inherit from.
"""

from .contract import DeleteManyContract, DriverContract, MultipartContract

__all__ = ("DeleteManyContract", "DriverContract", "MultipartContract")
