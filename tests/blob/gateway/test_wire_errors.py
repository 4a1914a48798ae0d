"""Errors of the wire: each has a code, a 4xx and a message, and survives pickling."""

from __future__ import annotations

import pickle

import pytest

from blob.errors import BlobError
from blob.gateway import wire_errors


@pytest.mark.parametrize("name", wire_errors.__all__)
def test_errors_pickle_with_what_they_carry(name):
    error = getattr(wire_errors, name)("why", extra={"Region": "r"})
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.message, copy.extra) == ("why", {"Region": "r"})
    assert isinstance(copy, BlobError)


@pytest.mark.parametrize("name", wire_errors.__all__)
def test_errors_blame_the_request(name):
    error = getattr(wire_errors, name)()
    assert 400 <= error.status < 500
    assert error.extra == {}
    assert error.message
    assert not error.retryable
