"""What the gateway's tests share: hand-made requests, both endpoints, the aws cli."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import http.client
import logging
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fix_gateway import Gateway

_ROOT = Path(__file__).parents[3]
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The Code of an error document; None where there is no document."""
        if not self.body:
            return None
        return ET.fromstring(self.body).findtext("Code")


class Wire:
    """Requests made by hand and signed as the documentation of SigV4 says."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.address = urlsplit(gateway.endpoint)

    def sign(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        payload: str = "UNSIGNED-PAYLOAD",
        canonical_path: str | None = None,
    ) -> dict[str, str]:
        """Return all headers to send; `target` is the raw path with its query."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {
            "host": self.address.netloc,
            "x-amz-date": now,
            "x-amz-content-sha256": payload,
            **{name.lower(): value for name, value in (headers or {}).items()},
        }
        path, _, query = target.partition("?")
        pairs = sorted(pair if "=" in pair else pair + "=" for pair in query.split("&"))
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            (
                method,
                canonical_path or path,
                "&".join(pairs) if query else "",
                *(f"{name}:{_folded(signed[name])}" for name in sorted(signed)),
                "",
                names,
                payload,
            )
        )
        scope = f"{now[:8]}/{self.gateway.region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
        signature = hmac.new(self.key(scope), text.encode(), "sha256").hexdigest()
        return {
            **signed,
            "authorization": (
                f"AWS4-HMAC-SHA256 Credential={self.gateway.access_key}/{scope},"
                f"SignedHeaders={names},Signature={signature}"
            ),
        }

    def key(self, scope: str) -> bytes:
        key = b"AWS4" + self.gateway.secret_key.encode()
        for step in scope.split("/"):
            key = hmac.new(key, step.encode(), "sha256").digest()
        return key

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        """Send exactly this."""
        connection = http.client.HTTPConnection(
            str(self.address.hostname), self.address.port, timeout=20
        )
        try:
            connection.putrequest(
                method, target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            if body:
                connection.send(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        payload: str = "UNSIGNED-PAYLOAD",
        canonical_path: str | None = None,
    ) -> Reply:
        """Sign and send; the length is told unless `headers` says how it is framed."""
        signed = self.sign(
            method, target, headers, payload=payload, canonical_path=canonical_path
        )
        if (body or method in ("PUT", "POST")) and "transfer-encoding" not in signed:
            signed.setdefault("content-length", str(len(body)))
        return self.send(method, target, signed, body)

    def signed_chunks(
        self, headers: Mapping[str, str], pieces: list[bytes], trailer: str = ""
    ) -> bytes:
        """Frame a body in chunks signed after the `headers` that `sign` returned."""
        previous = headers["authorization"].rpartition("Signature=")[2]
        now = headers["x-amz-date"]
        scope = f"{now[:8]}/{self.gateway.region}/s3/aws4_request"
        key = self.key(scope)

        def _next(kind: str, *digests: str) -> str:
            nonlocal previous
            text = "\n".join(
                (f"AWS4-HMAC-SHA256-{kind}", now, scope, previous, *digests)
            )
            previous = hmac.new(key, text.encode(), "sha256").hexdigest()
            return previous

        framed = b""
        for piece in [*pieces, b""]:
            digest = hashlib.sha256(piece).hexdigest()
            signature = _next("PAYLOAD", EMPTY, digest)
            framed += f"{len(piece):x};chunk-signature={signature}\r\n".encode()
            if piece:
                framed += piece + b"\r\n"
        if trailer:
            signature = _next(
                "TRAILER", hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
            )
            framed += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
        return framed + b"\r\n"


def _folded(value: str) -> str:
    return re.sub(" +", " ", value.strip(" "))


class Logged(logging.Handler):
    """Keeps what was logged, as text with its traceback."""

    def __init__(self):
        super().__init__()
        self.text = ""

    def emit(self, record):
        self.text += self.format(record) + "\n"


@pytest.fixture
def logged():
    """What the gateway logs in this process, kept from pytest's blocking handlers."""
    logger, handler = logging.getLogger("blob.gateway"), Logged()
    logger.addHandler(handler)
    logger.propagate = False
    yield handler
    logger.propagate = True
    logger.removeHandler(handler)


@pytest.fixture
def wire(gateway):
    return Wire(gateway)


@pytest.fixture(scope="session")
def wire_for():
    return Wire


@pytest.fixture(params=["http", "https"])
def any_gateway(request):
    name = {"http": "gateway", "https": "gateway_https"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture
def s3(any_gateway, boto3_for):
    """boto3, over http and over https."""
    return boto3_for(any_gateway)


@pytest.fixture
def any_bucket(any_gateway, new_bucket):
    return new_bucket(any_gateway)


@pytest.fixture(scope="session")
def aws_program():
    """The aws cli, in a virtual environment of its own that is made once."""
    home = _ROOT / ".venvs" / "awscli"
    home.parent.mkdir(exist_ok=True)
    with (home.parent / "awscli.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = home / "installed"
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
            pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "awscli"]
            subprocess.run(pip, check=True)
            done.touch()
    return home / "bin" / "aws"


@pytest.fixture
def aws(aws_program, any_gateway, tmp_path):
    """Run the aws cli as a user would; returns what it printed."""

    def _run(*args, stdin=None, status=0):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": any_gateway.access_key,
            "AWS_SECRET_ACCESS_KEY": any_gateway.secret_key,
            "AWS_DEFAULT_REGION": any_gateway.region,
            "AWS_ENDPOINT_URL": any_gateway.endpoint,
            "AWS_MAX_ATTEMPTS": "1",
        }
        if any_gateway.ca_file is not None:
            environment["AWS_CA_BUNDLE"] = str(any_gateway.ca_file)
        done = subprocess.run(
            [aws_program, *args],
            input=stdin,
            capture_output=True,
            env=environment,
            cwd=tmp_path,
            timeout=50,
            check=False,
        )
        assert done.returncode == status, (args, done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr.decode()

    return _run
