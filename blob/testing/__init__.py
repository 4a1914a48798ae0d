"""For those who write a driver: the contract suite it must pass.

Read in this order: `contract` (what to inherit from), `_support` (bodies, readers,
cancelling at each step), `_containers`, `_creating`, `_keys`, `_reading`,
`_conditions`, `_deleting`, `_copying`, `_listing`, `_concurrency`, `_lifecycle`,
`_parts`, `_completing`, `_uploads`.
"""

try:
    import pytest
    import pytest_asyncio  # noqa: F401 - only to know that it is there
except ImportError as error:
    raise ImportError(
        "blob.testing needs pytest and pytest-asyncio: pip install 'aiostow[testing]'"
    ) from error

# So that a failed assertion of the suite shows its values to whoever runs it.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "_support",
            "_containers",
            "_creating",
            "_keys",
            "_reading",
            "_conditions",
            "_deleting",
            "_copying",
            "_listing",
            "_concurrency",
            "_lifecycle",
            "_parts",
            "_completing",
            "_uploads",
        )
    )
)

from .contract import (  # noqa: E402 - after the registration above
    DeleteManyContract,
    DriverContract,
    MultipartContract,
)

__all__ = ("DeleteManyContract", "DriverContract", "MultipartContract")
