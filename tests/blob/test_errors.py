"""The tree of errors: as drawn, all exported, each with its status, all pickled."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime

import pytest

import blob.errors
from blob.errors import BlobError, InvalidRangeError, NotModifiedError
from blob.types import FileInfo, Metadata, Principal

ALL = {
    name: value
    for name, value in vars(blob.errors).items()
    if isinstance(value, type) and issubclass(value, Exception)
}

_LINE = re.compile(
    r"(?P<indent>[│├└─ ]*)(?P<name>\w+Error)"
    r"(?: \((?P<builtin>\w+)\))?(?:\s+(?P<status>\d{3}))?"
)


def _drawn():
    """Read the tree of the docstring: name, parent, builtin, status."""
    parents = {}
    for line in blob.errors.__doc__.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        depth = len(found["indent"]) // 4
        parents[depth] = found["name"]
        yield found["name"], parents.get(depth - 1), found["builtin"], found["status"]


DRAWN = list(_drawn())


def test_every_error_is_drawn_once_and_exported():
    names = [name for name, *_ in DRAWN]
    assert sorted(names) == sorted(set(names)) == sorted(ALL)
    assert sorted(blob.errors.__all__) == sorted(ALL)


@pytest.mark.parametrize(("name", "parent", "builtin", "status"), DRAWN)
def test_an_error_is_what_the_tree_draws(name, parent, builtin, status):
    error = ALL[name]
    expected = {parent or "Exception"} | ({builtin} if builtin else set())
    assert {base.__name__ for base in error.__bases__} == expected
    if status:
        assert error.status == int(status)


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_error_has_a_status_a_code_and_a_message(name):
    error = ALL[name]()
    assert 300 <= error.status <= 599
    assert re.fullmatch(r"[A-Za-z]+", error.code)
    assert str(error) == error.message == error.args[0]
    assert len(error.message) > 8
    assert str(ALL[name]("of my own")) == "of my own"
    assert error.retryable is (name == "StorageBusyError")


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_error_pickles_with_all_it_carries(name):
    error = ALL[name]("of my own")
    error.extra = {"noted": 1}
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.message, again.args, again.extra) == (
        "of my own",
        ("of my own",),
        {"noted": 1},
    )


def test_the_size_of_an_invalid_range_is_pickled():
    assert pickle.loads(pickle.dumps(InvalidRangeError(size=7))).size == 7


def test_the_file_of_not_modified_is_pickled():
    info = FileInfo(
        container="container",
        key="key",
        size=1,
        etag="abc",
        last_modified=datetime.now(UTC),
        metadata=Metadata(user={"a": "b"}),
        owner=Principal("alice"),
    )
    assert pickle.loads(pickle.dumps(NotModifiedError(info=info))).info == info


def test_no_default_message_holds_a_path():
    assert not [name for name, error in ALL.items() if "/" in error().message]


def test_all_errors_are_caught_by_the_root():
    assert all(issubclass(error, BlobError) for error in ALL.values())
