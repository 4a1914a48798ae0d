"""What the suite needs, imported before the rest of it: pytest, or a clear error.

It also has pytest rewrite the assertions of the suite, so that one that fails shows its
values to whoever runs it; that must come before their import.
"""

from __future__ import annotations

try:
    import pytest
    import pytest_asyncio  # noqa: F401 - only to know that it is there
except ImportError as error:
    raise ImportError(
        "blob.testing needs pytest and pytest-asyncio: pip install 'aiostow[testing]'"
    ) from error

pytest.register_assert_rewrite(
    *(
        f"{__package__}.{module}"
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
