"""The memory driver: the reference implementation, and a real cache.

Read in this order: `_store` (the state, and each change of it as one plain function),
`_multipart`, `_driver`.
"""

from ._driver import MemoryDriver, create

__all__ = ("MemoryDriver", "create")
