"""The S3 dialect: its actions, names, codes and documents as one object.

What a dialect is to `app`, which knows no name of S3 itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from . import xml
from .faults import to_fault
from .headers import split_path
from .routing import find_action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .faults import Fault
    from .routing import Action

__all__ = ("DIALECTS", "Dialect", "ErrorDocument")


class ErrorDocument(Protocol):
    """Writes the body of an error."""

    def __call__(
        self,
        code: str,
        message: str,
        *,
        resource: str,
        request_id: str,
        extra: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How clients of one kind are understood, and answered."""

    split_path: Callable[[str], tuple[str | None, str | None]]
    find_action: Callable[[str, str, Iterable[str], Mapping[str, str]], Action]
    to_fault: Callable[[Exception], Fault | None]
    error_document: ErrorDocument
    error_type: str


DIALECTS: Mapping[str, Dialect] = {
    "s3": Dialect(
        split_path=split_path,
        find_action=find_action,
        to_fault=to_fault,
        error_document=xml.error,
        error_type="application/xml",
    )
}
