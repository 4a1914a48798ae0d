"""The key store: what a file may say, when it is read again, that it fails closed."""

from __future__ import annotations

import asyncio
import stat

import pytest

from blob import Principal
from blob.errors import DriverConfigError
from blob.gateway import AccessKey, KeyFile, StaticKeys, generate_key
from blob.gateway import keys as keys_module
from blob.gateway.keys import derive_canonical_id, read_keys, write_keys

ENTRY = '[[key]]\naccess_key = "{0}"\nsecret_key = "the secret of {0}"\n'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(ENTRY.format("ALICE"))
    path.chmod(0o600)
    return path


@pytest.fixture
def at_every_look(monkeypatch):
    """Look at the file with every call, not once a second."""
    monkeypatch.setattr(keys_module, "_RECHECK_SECONDS", 0.0)


def test_what_is_not_said_is_derived(path):
    (key,) = read_keys(path)
    assert key.principal == Principal(derive_canonical_id("ALICE"), "ALICE")
    path.write_text(
        ENTRY.format("ALICE") + 'canonical_id = "abc"\ndisplay_name = "Alice"\n'
    )
    (key,) = read_keys(path)
    assert key.principal == Principal("abc", "Alice")


def test_a_key_twice(path):
    path.write_text(ENTRY.format("ALICE") * 2)
    with pytest.raises(DriverConfigError, match="there twice"):
        read_keys(path)


def test_a_generated_file_is_for_its_owner_alone(tmp_path):
    key = generate_key("me")
    path = tmp_path / "keys.toml"
    write_keys(path, [key])
    assert read_keys(path) == [key]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_keys(path, [generate_key()])
    assert read_keys(path) == [key]
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_is_not_shown():
    key = generate_key()
    assert key.secret_key not in repr(key)
    assert key.access_key in repr(key)


async def test_the_last_key_can_be_revoked(path, at_every_look):
    store = KeyFile(path)
    await store.load()
    assert await store.find("ALICE")
    path.write_text("key = []\n")
    assert await store.find("ALICE") is None


async def test_a_file_that_others_can_read_is_told(path, logged):
    path.chmod(0o644)
    await KeyFile(path).load()
    assert "chmod 600" in logged.text
    path.chmod(0o600)
    logged.text = ""
    await KeyFile(path).load()
    assert logged.text == ""


@pytest.mark.parametrize("pair", [("", "secret"), ("AK", "")])
def test_a_key_without_content_is_none(pair):
    with pytest.raises(DriverConfigError, match="empty"):
        AccessKey(*pair, Principal("id"))


async def test_static_keys():
    key = AccessKey("A", "secret of a", Principal("a"))
    assert await StaticKeys([key]).find("A") is key
    assert await StaticKeys([key]).find("B") is None


async def test_nobody_has_a_key_before_the_file_was_read(tmp_path, logged):
    store = KeyFile(tmp_path / "absent")
    with pytest.raises(DriverConfigError, match="write_keys"):
        await store.load()
    assert await store.find("ALICE") is None


async def test_a_change_is_seen(path, at_every_look):
    store = KeyFile(path)
    await store.load()
    assert (await store.find("ALICE")).secret_key == "the secret of ALICE"
    path.write_text(ENTRY.format("ROBERT"))
    assert await store.find("ALICE") is None
    assert await store.find("ROBERT") is not None


async def test_a_file_that_is_none_any_more_changes_nothing(
    path, at_every_look, logged
):
    store = KeyFile(path)
    await store.load()
    path.write_text("[[key")
    assert await store.find("ALICE") is not None
    assert "stay valid" in logged.text
    path.unlink()
    assert await store.find("ALICE") is not None
    path.write_text(ENTRY.format("ROBERT"))
    assert await store.find("ALICE") is None


async def test_a_cancelled_look_is_made_again(path, at_every_look):
    store = KeyFile(path)
    await store.load()
    path.write_text(ENTRY.format("ROBERT"))
    task = asyncio.create_task(store.find("ROBERT"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.find("ROBERT") is not None


async def test_looks_are_rare(path, monkeypatch):
    monkeypatch.setattr(keys_module, "_RECHECK_SECONDS", 3600.0)
    store = KeyFile(path)
    await store.load()
    path.write_text(ENTRY.format("ROBERT"))
    assert await store.find("ALICE") is not None
    assert await store.find("ROBERT") is None
