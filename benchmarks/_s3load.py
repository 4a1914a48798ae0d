"""Load on an S3 server from outside Python: wrk for small objects, curl for large.

Requests are signed beforehand, with keys of their own each, and sent again and again: a
signature is good for 15 minutes. Used by `benchmarks/gateway.py`.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BUCKET = "bench"
UNSIGNED = "UNSIGNED-PAYLOAD"

# Reads the requests that Python signed and sends them in turn, per thread.
WRK_SCRIPT = """
local path = assert(os.getenv("WRK_REQUESTS"))
local body = nil
if os.getenv("WRK_BODY") then
  local file = assert(io.open(os.getenv("WRK_BODY"), "rb"))
  body = file:read("*a")
  file:close()
end
local requests, turn = {}, 0
function init(args)
  for line in io.lines(path) do
    local fields = {}
    for field in line:gmatch("[^\\t]+") do table.insert(fields, field) end
    local headers = {}
    for i = 3, #fields, 2 do headers[fields[i]] = fields[i + 1] end
    table.insert(requests, wrk.format(fields[1], fields[2], headers, body))
  end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server and the keys it knows."""

    host: str
    port: int
    access_key: str
    secret_key: str

    def signed(self, method: str, path: str, query: str = "") -> Signed:
        """Sign a request whose body is not part of the signature."""
        url = f"http://{self.host}:{self.port}{path}" + (f"?{query}" if query else "")
        request = AWSRequest(method, url, headers={"X-Amz-Content-SHA256": UNSIGNED})
        credentials = Credentials(self.access_key, self.secret_key)
        _Unsigned(credentials, "s3", "us-east-1").add_auth(request)
        target = path + (f"?{query}" if query else "")
        return Signed(method, target, dict(request.headers.items()))


class _Unsigned(S3SigV4Auth):
    """botocore's signer, told that the body is left out (it hashes it over http)."""

    def payload(self, request: AWSRequest) -> str:
        del request
        return UNSIGNED


@dataclass(frozen=True, slots=True)
class Signed:
    """A request line and its headers."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of load did: all of it answered 2xx, else it exits."""

    requests: int
    seconds: float


def key_path(name: str) -> str:
    """Return the path of an object of the benchmark."""
    return f"/{BUCKET}/{quote(name)}"


def ask(endpoint: Endpoint, request: Signed, body: bytes = b"") -> tuple[int, bytes]:
    """Send one request; return status and body."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=120)
    try:
        connection.request(request.method, request.target, body, request.headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def with_wrk(
    endpoint: Endpoint,
    requests: Sequence[Signed],
    scratch: Path,
    *,
    body: Path | None = None,
    seconds: int,
    connections: int,
) -> Load:
    """Send the requests in turn for some seconds over several connections."""
    script, listed = scratch / "load.lua", scratch / "requests.tsv"
    script.write_text(WRK_SCRIPT)
    listed.write_text("".join(f"{_as_line(request)}\n" for request in requests))
    environ = {"WRK_REQUESTS": str(listed), "PATH": "/usr/bin:/usr/local/bin"}
    if body:
        environ["WRK_BODY"] = str(body)
    url = f"http://{endpoint.host}:{endpoint.port}"
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    done = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if not done or re.search(r"Non-2xx|Socket errors: .*[1-9]", said):
        sys.exit(f"wrk was not answered as it should:\n{said}")
    return Load(int(done[1]), float(done[2]))


def _as_line(request: Signed) -> str:
    pairs = [field for pair in request.headers.items() for field in pair]
    return "\t".join([request.method, request.target, *pairs])


def with_curl(
    endpoint: Endpoint,
    requests: Sequence[Signed],
    scratch: Path,
    *,
    body: Path | None = None,
    connections: int,
) -> Load:
    """Send each request once, some at a time."""
    config = scratch / "curl.cfg"
    config.write_text(
        "next\n".join("\n".join(_as_options(endpoint, r, body)) for r in requests)
    )
    start = time.monotonic()
    said = subprocess.run(
        ["curl", "-sS", "-Z", "--parallel-max", str(connections), "-K", str(config)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    seconds = time.monotonic() - start
    if said.split() != ["200"] * len(requests):
        sys.exit(f"curl was not answered as it should: {said}")
    return Load(len(requests), seconds)


def _as_options(
    endpoint: Endpoint, request: Signed, body: Path | None
) -> Iterator[str]:
    url = f"http://{endpoint.host}:{endpoint.port}{request.target}"
    yield f"url = {json.dumps(url)}"
    yield 'output = "/dev/null"'
    yield 'write-out = "%{http_code}\\n"'
    if body:
        yield f"upload-file = {json.dumps(str(body))}"
        yield 'header = "Expect:"'
    for name, value in request.headers.items():
        yield f"header = {json.dumps(f'{name}: {value}')}"
    yield ""


def fill(endpoint: Endpoint, names: Sequence[str], body: bytes) -> None:
    """Store a small object under each name, over eight connections."""

    def store(some: Sequence[str]) -> None:
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
        for name in some:
            request = endpoint.signed("PUT", key_path(name))
            connection.request("PUT", request.target, body, request.headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                sys.exit(f"PUT {name}: {answer.status}")
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, [names[start::8] for start in range(8)]))


def walk(endpoint: Endpoint, prefix: str) -> list[str]:
    """List every key under a prefix, page by page as clients do."""
    keys: list[str] = []
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=300)
    query = {"list-type": "2", "max-keys": "1000", "prefix": prefix}
    while True:
        ordered = urlencode(sorted(query.items()), quote_via=quote)
        request = endpoint.signed("GET", f"/{BUCKET}", ordered)
        connection.request("GET", request.target, headers=request.headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            sys.exit(f"listing: {answer.status} {text[:500]}")
        keys += re.findall(r"<Key>([^<]+)</Key>", text)
        token = re.search(r"<NextContinuationToken>([^<]+)</", text)
        if not token:
            connection.close()
            return keys
        query["continuation-token"] = token[1]
