"""`python -m blob serve` as its own process: starting, refusing to start, stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fix_gateway import Gateway

ROOT = Path(__file__).parents[3]
BODY = os.urandom(8 * 1024 * 1024)


def run(*args, env=None):
    """Run to the end; for starts that fail."""
    return subprocess.run(
        [sys.executable, "-m", "blob", "serve", *args],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        check=False,
    )


def refused(*args, env=None):
    """Return the one line that says why it did not start."""
    done = run(*args, env=env)
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_one_line_says_all(start_gateway, tmp_path):
    with start_gateway("--root", str(tmp_path / "s"), "--port", "0") as process:
        told = process.announced
        assert set(told) == {
            *("endpoint", "region", "pid", "driver", "keys_file"),
            *("access_key", "secret_key"),
        }
        assert told["pid"] == process.process.pid
        assert told["driver"] == "fs"
        assert told["region"] == "us-east-1"
        assert process.stop() == 0
    keys = tmp_path / "s" / "keys.toml"
    assert told["keys_file"] == str(keys)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    secret = told["secret_key"]
    with start_gateway("--root", str(tmp_path / "s"), "--port", "0") as process:
        assert "secret_key" not in process.announced  # it was told once
    assert secret not in process.log.read_text()


def test_data_outlives_the_process(start_gateway, boto3_for, tmp_path):
    args = ("--root", str(tmp_path / "s"), "--port", "0")
    with start_gateway(*args) as process:
        gateway = process.gateway()
        s3 = boto3_for(gateway)
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="k", Body=BODY)
        process.stop(signal.SIGKILL)
    with start_gateway(*args) as process:
        again = Gateway(
            str(process.announced["endpoint"]),
            gateway.access_key,
            gateway.secret_key,
            gateway.region,
            process.process.pid,
        )
        found = boto3_for(again).get_object(Bucket="kept", Key="k")
        assert found["Body"].read() == BODY


@pytest.mark.parametrize("driver", [(), ("--driver", "fs"), ("--driver", "memory")])
def test_ephemeral(start_gateway, boto3_for, tmp_path, driver):
    environment = {"TMPDIR": str(tmp_path)}
    with start_gateway("--ephemeral", *driver, env=environment) as process:
        s3 = boto3_for(process.gateway())
        s3.create_bucket(Bucket="mock")
        s3.put_object(Bucket="mock", Key="k", Body=BODY)
        assert s3.get_object(Bucket="mock", Key="k")["Body"].read() == BODY
        assert "keys_file" not in process.announced
        assert any(tmp_path.iterdir()) == (driver == ("--driver", "fs"))
        assert process.stop() == 0
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(start_gateway, number):
    with start_gateway("--ephemeral") as process:
        assert process.stop(number) == 0


def test_a_log_line_has_its_format_once():
    with subprocess.Popen(
        [sys.executable, "-m", "blob", "serve", "--ephemeral"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        lines = process.stderr.read().splitlines()
    assert lines[-1].endswith(" INFO blob.serve: stopping"), lines
    assert lines[-1].count("blob.serve") == 1


def test_stopping_lets_requests_in_flight_finish(start_gateway, boto3_for, wire_for):
    with start_gateway("--ephemeral") as process:
        gateway = process.gateway()
        s3, wire = boto3_for(gateway), wire_for(gateway)
        s3.create_bucket(Bucket="busy")
        s3.put_object(Bucket="busy", Key="down", Body=BODY)
        address = (wire.address.hostname, wire.address.port)
        up = wire.sign("PUT", "/busy/up", {"content-length": "10"})
        down = wire.sign("GET", "/busy/down")
        with (
            socket.create_connection(address, timeout=20) as upload,
            socket.create_connection(address, timeout=20) as download,
        ):
            send_head(upload, "PUT", "/busy/up", up)
            upload.sendall(b"12345")
            send_head(download, "GET", "/busy/down", down)
            answer = download.recv(65536)
            process.process.send_signal(signal.SIGTERM)
            wait_until_refused(address)
            upload.sendall(b"67890")
            assert upload.recv(65536).startswith(b"HTTP/1.1 200 ")
            while piece := download.recv(65536):
                answer += piece
        assert answer.endswith(b"\r\n\r\n" + BODY)
        assert process.process.wait(20) == 0


def test_the_grace_has_an_end(start_gateway, boto3_for, wire_for):
    with start_gateway("--ephemeral", "--grace", "0.2") as process:
        gateway = process.gateway()
        boto3_for(gateway).create_bucket(Bucket="busy")
        wire = wire_for(gateway)
        address = (wire.address.hostname, wire.address.port)
        with socket.create_connection(address, timeout=20) as upload:
            headers = wire.sign("PUT", "/busy/up", {"content-length": "10"})
            send_head(upload, "PUT", "/busy/up", headers)
            upload.sendall(b"12345")
            began = time.monotonic()
            assert process.stop() == 0
            assert time.monotonic() - began < 10


def send_head(connection, method, target, headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode())


def wait_until_refused(address):
    while True:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:  # refused, or reset while it was in the queue
            return


def test_a_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refused("--root", str(tmp_path / "s"), "--port", port)
    assert f"127.0.0.1 port {port}: Address already in use" in line


def test_a_root_that_cannot_be_one(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    line = refused("--root", str(tmp_path / "file" / "s"), "--port", "0")
    assert str(tmp_path / "file" / "s") in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[key]\n", "not TOML"),
        ("", "needs [[key]] tables"),
        ("[[key]]\naccess_key = 'a'\n", "are needed"),
        ("[[key]]\naccess_key = 'a'\nsecret_key = 'short'\n", "less than 8"),
        ("[[key]]\naccess_key = 'a'\nsecret_key = 7\n", "must be a string"),
        ("[[key]]\naccess_key = 'a'\nsecret = 'longenough'\n", "knows only"),
    ],
)
def test_keys_files_that_are_none(tmp_path, text, said):
    (tmp_path / "keys").write_text(text)
    line = refused("--ephemeral", "--keys", str(tmp_path / "keys"))
    assert str(tmp_path / "keys") in line
    assert said in line


def test_a_keys_file_that_is_not_there(tmp_path):
    line = refused("--ephemeral", "--keys", str(tmp_path / "absent"))
    assert "write_keys" in line


def test_a_certificate_that_is_none(tmp_path, certificates):
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    key = str(certificates.key_file)
    line = refused("--ephemeral", "--tls-cert", str(bad), "--tls-key", key)
    assert str(bad) in line


@pytest.mark.parametrize(
    "args",
    [
        ("--ephemeral", "--root", "x"),
        (),
        ("--ephemeral", "--tls-cert", "x"),
        ("--driver", "tape"),
        ("--port", "70000", "--ephemeral"),
        ("--nonsense",),
    ],
)
def test_options_that_make_no_sense(args):
    done = run(*args)
    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_from_the_environment(start_gateway, tmp_path):
    environment = {
        "BLOB_DRIVER": "memory",
        "BLOB_PORT": "0",
        "BLOB_REGION": "eu-west-3",
        "BLOB_HOST": "localhost",
    }
    with start_gateway(env=environment) as process:
        assert process.announced["driver"] == "memory"
        assert process.announced["region"] == "eu-west-3"
        assert str(process.announced["endpoint"]).startswith("http://localhost:")


def test_quota_by_configuration_in_toml(start_gateway, boto3_for, tmp_path):
    config = tmp_path / "blob.toml"
    config.write_text('driver = "memory"\nport = 0\nquota = 1000\nregion = "x-1"\n')
    with start_gateway("--config", str(config), "--region", "y-1") as process:
        assert process.announced["region"] == "y-1"  # what is said beats the file
        s3 = boto3_for(process.gateway())
        s3.create_bucket(Bucket="small")
        with pytest.raises(s3.exceptions.ClientError) as caught:
            s3.put_object(Bucket="small", Key="k", Body=BODY)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "QuotaExceeded"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_configuration_in_the_form_of_the_driver_document(
    start_gateway, boto3_for, tmp_path
):
    config = tmp_path / "config.json"
    option = {"root": str(tmp_path / "s"), "collector": True, "obj_limit": 1}
    config.write_text(
        json.dumps(
            {
                "drivers": [
                    {"disk": {"type": "fs", "option": option}},
                    {"other": {"type": "memory", "option": {}}},
                ],
                "current_driver": "DISK",
                "port": "0",
                "logtype": "winston",
                "keyID": "MYKEY",
                "secretID": "my secret",
            }
        )
    )
    with start_gateway("--config", str(config)) as process:
        told = process.announced
        assert told["driver"] == "fs"
        assert "access_key" not in told
        gateway = Gateway(str(told["endpoint"]), "MYKEY", "my secret", "us-east-1", 0)
        s3 = boto3_for(gateway)
        s3.create_bucket(Bucket="seed")
        s3.put_object(Bucket="seed", Key="one", Body=b"")
        with pytest.raises(s3.exceptions.ClientError, match="QuotaExceeded"):
            s3.put_object(Bucket="seed", Key="two", Body=b"")
    assert "'logtype' has no meaning" in process.log.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "configuration"),
        ("nonsense = 1", "knows no nonsense"),
        ('auth = "basic"', "'auth' can only be 's3'"),
        ('keyID = "x"', "go together"),
        ('{"drivers": [], "current_driver": "x"}', "names none"),
    ],
)
def test_configurations_that_are_none(tmp_path, text, said):
    (tmp_path / "c").write_text(text)
    assert said in refused("--config", str(tmp_path / "c"))


def test_keys_are_read_again_when_they_change(start_gateway, boto3_for, tmp_path):
    keys = tmp_path / "keys.toml"
    entry = '[[key]]\naccess_key = "{}"\nsecret_key = "a secret of {}"\n'
    keys.write_text(entry.format("ALICE", "alice"))
    with start_gateway("--ephemeral", "--keys", str(keys)) as process:
        endpoint = str(process.announced["endpoint"])
        alice = boto3_for(
            Gateway(endpoint, "ALICE", "a secret of alice", "us-east-1", 0)
        )
        bob = boto3_for(Gateway(endpoint, "BOB", "a secret of bob", "us-east-1", 0))
        alice.create_bucket(Bucket="alices")
        with pytest.raises(bob.exceptions.ClientError, match="InvalidAccessKeyId"):
            bob.list_buckets()
        keys.write_text(entry.format("BOB", "bob"))
        until(lambda: works(bob))
        with pytest.raises(bob.exceptions.ClientError, match="InvalidAccessKeyId"):
            alice.list_buckets()
        assert bob.list_buckets()["Buckets"] == []
        keys.write_text("half a li")
        until(lambda: works(bob) and "stay valid" in process.log.read_text())


def works(client):
    try:
        client.list_buckets()
    except client.exceptions.ClientError:
        return False
    return True


def until(condition):
    """Ask again and again: the file is looked at once a second."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline


def test_many_clients_at_once(gateway, boto3_for, bucket):
    s3 = boto3_for(gateway, max_pool_connections=32)
    with ThreadPoolExecutor(32) as pool:
        keys = [f"k{n}" for n in range(200)]
        list(
            pool.map(
                lambda key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode()),
                keys,
            )
        )
        found = list(
            pool.map(
                lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys
            )
        )
    assert found == [key.encode() for key in keys]


def test_help_tells_every_option():
    done = run("--help")
    assert done.returncode == 0
    assert "Serve a blob store to S3 clients" in done.stdout
    for option in ("--driver", "--root", "--port", "--keys", "--ephemeral", "--grace"):
        assert option in done.stdout


def test_without_click_the_extra_is_named():
    code = (
        "import sys; sys.modules['click'] = None; import blob.__main__;"
        " blob.__main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    said = "python -m blob needs click: pip install 'aiostow[blob,cli]'\n"
    assert done.stderr == said


@pytest.mark.parametrize("module", ["aiohttp", "awscrt", "defusedxml"])
def test_without_what_the_gateway_needs_the_extra_is_named(module):
    code = f"import sys; sys.modules[{module!r}] = None; import blob.gateway"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert (
        last == f"ImportError: blob.gateway needs {module}: pip install 'aiostow[blob]'"
    )


@pytest.mark.parametrize("option", ["--root", "--keys", "--config", "--tls-cert"])
def test_an_empty_path_is_an_unset_variable(option):
    done = run(option, "")
    assert done.returncode == 2
    assert "an empty path" in done.stderr
