"""CloudPipe beside aioboto3 and obstore: one big stream to our gateway.

    make bench-cloudpipe [QUICK=1]

1 GiB (256 MiB when quick) in fresh chunks of 1 MiB, each uploader with its defaults and
in a process of its own, to the fs driver: as fast as it goes, and to a server that
answers every part half a second late. Every object is read back, its digest compared.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from . import _harness as h
from .peers_cloudpipe._measure import BUCKET, chunks

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEYS = ("benchmark-access", "benchmark-secret-key")
REGION = "us-east-1"
PROGRAMS = Path(__file__).parent / "peers_cloudpipe"
OURS = "aiostow"
GOAL_MIB = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """An uploader: a program and the Python that runs it."""

    name: str
    python: Path
    program: str


def subjects() -> list[Subject]:
    """Install the peers, each into an environment of its own."""
    aioboto3 = h.environment("aioboto3", "aioboto3")
    obstore = h.environment("obstore", "obstore")
    return [
        Subject(OURS, Path(sys.executable), "ours.py"),
        Subject("aioboto3", aioboto3 / "python", "with_aioboto3.py"),
        Subject("obstore", obstore / "python", "with_obstore.py"),
    ]


class Bench:
    """One upload at a time, checked."""

    def __init__(self, report: h.Report, store: S3Client, mib: int) -> None:
        self._report = report
        self._store = store
        self._mib = mib
        digest = hashlib.sha256()
        for chunk in chunks(mib):
            digest.update(chunk)
        self._digest = digest.digest()
        self.growth: dict[str, list[float]] = {}

    def measure(self, subject: Subject, case: str, endpoint: str) -> None:
        """Upload, compare, keep the figures, delete."""
        job = {
            "endpoint": endpoint,
            "region": REGION,
            "access_key": KEYS[0],
            "secret_key": KEYS[1],
            "key": f"{subject.name}.bin",
            "mib": self._mib,
        }
        done = subprocess.run(
            [str(subject.python), str(PROGRAMS / subject.program), json.dumps(job)],
            stdout=subprocess.PIPE,
            check=True,
            env={"PYTHONPATH": str(h.ROOT)} if subject.name == OURS else {},
        )
        self._check(subject.name, f"{subject.name}.bin")
        cost = json.loads(done.stdout)
        add = self._report.add
        add(case, subject.name, "throughput", "MiB/s", self._mib / cost["seconds"])
        add(case, subject.name, "client CPU", "s", cost["cpu"])
        add(case, subject.name, "memory growth", "MiB", cost["growth"])
        add(case, subject.name, "longest loop stall", "ms", cost["stall"])
        self.growth.setdefault(subject.name, []).append(cost["growth"])

    def _check(self, name: str, key: str) -> None:
        digest = hashlib.sha256()
        body = self._store.get_object(Bucket=BUCKET, Key=key)["Body"]
        for piece in body.iter_chunks(1 << 20):
            digest.update(piece)
        if digest.digest() != self._digest:
            sys.exit(f"{name}: the object is not what was streamed")
        self._store.delete_object(Bucket=BUCKET, Key=key)


def start(stack: ExitStack, command: list[str], port: int, log: Path) -> str:
    """Start a server that ends with the benchmark; return its address."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    stack.callback(process.wait)
    stack.callback(process.kill)
    h.wait_listening(port, process, 60)
    return f"http://127.0.0.1:{port}"


def gateway(stack: ExitStack, folder: Path) -> str:
    """Our gateway over files, as it comes."""
    keys = folder / "keys.toml"
    keys.write_text(f'[[key]]\naccess_key = "{KEYS[0]}"\nsecret_key = "{KEYS[1]}"\n')
    keys.chmod(0o600)
    port = h.free_port()
    command = [sys.executable, "-m", "blob", "serve", "--driver", "fs"]
    command += ["--root", str(folder / "root"), "--keys", str(keys)]
    return start(stack, [*command, "--port", str(port)], port, folder / "gateway.log")


def run(*, quick: bool) -> None:
    """Start the servers, measure in turn, report."""
    report = h.Report("cloudpipe", quick)
    uploaders = subjects()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fast = gateway(stack, folder)
        port = h.free_port()
        program = [sys.executable, str(PROGRAMS / "slow_server.py"), fast, str(port)]
        slow = start(stack, program, port, folder / "slow.log")
        store = boto3.client(
            "s3",
            endpoint_url=fast,
            region_name=REGION,
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
        )
        store.create_bucket(Bucket=BUCKET)
        bench = Bench(report, store, 256 if quick else 1024)
        for number in range(1, 4):
            for subject in uploaders:
                h.console.print(f"round {number} of 3: {subject.name}")
                bench.measure(subject, "stream", fast)
                bench.measure(subject, "stream, 0.5 s a part", slow)
    most = max(bench.growth[OURS])
    name = "a 1 GiB stream grows the uploader by at most 64 MiB"
    measured = f"{most:.1f} MiB, the most of {len(bench.growth[OURS])} streams"
    goal = f"<= {GOAL_MIB} MiB"
    met = most <= GOAL_MIB and not quick
    report.targets.append(h.Target(name, goal, measured, met))
    report.finish(baseline="aioboto3")


if __name__ == "__main__":
    run(quick=h.is_quick(__doc__ or ""))
