"""The main job, end to end: stream real data into a durable store, and crash it.

    make demo

Starts the gateway as its own process on a free port, uploads a tar of the Python
standard library without ever writing it to disk, reads it back, kills everything in the
middle of a second upload, starts again and looks at what is left.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError
from demo_machine import DemoError, Process, peak_memory
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "demo"
FIRST, SECOND = "stdlib.tar", "interrupted.bin"
PARTS_BEFORE_THE_CRASH = 3
HERE = Path(__file__).parent

out = Console(highlight=False)


@dataclass
class Figures:
    """What the table at the end shows."""

    moved: list[tuple[str, int, float]] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)

    def peak(self, process: str, size: int) -> None:
        """Keep the largest peak of a kind of process."""
        self.memory[process] = max(size, self.memory.get(process, 0))

    def show(self) -> None:
        """Print the tables."""
        moved = Table("what", "bytes", "seconds", "MB/s")
        for what, size, seconds in self.moved:
            moved.add_row(
                what, f"{size:,}", f"{seconds:.2f}", f"{size / seconds / 1e6:.0f}"
            )
        memory = Table("process", "peak memory")
        for process, size in self.memory.items():
            memory.add_row(process, f"{size / 2**20:.0f} MiB")
        for table in (moved, memory):
            for column in table.columns[1:]:
                column.justify = "right"
            out.print(table)


@dataclass
class Gateway:
    """A running gateway, and what it takes to talk to it."""

    process: Process
    endpoint: str
    access_key: str
    secret_key: str

    def client(self) -> S3Client:
        """boto3, as anybody would set it up."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def upload(self, key: str, source: str) -> Process:
        """Start an uploader process."""
        return Process(
            str(HERE / "demo_upload.py"),
            self.endpoint,
            BUCKET,
            key,
            source,
            AWS_ACCESS_KEY_ID=self.access_key,
            AWS_SECRET_ACCESS_KEY=self.secret_key,
        )


def check(ok: object, promise: str) -> None:
    """Say that a promise was kept, or end the demo."""
    if not ok:
        raise DemoError(f"not so: {promise}")
    out.print(f"   [green]ok[/] {promise}")


def start_gateway(root: Path, keys: tuple[str, str] | None = None) -> Gateway:
    """Start a gateway on a root; it generates its keys at the first start."""
    command = ("-m", "blob", "serve", "--driver", "fs", "--root", str(root))
    process = Process(*command, "--port", "0", log=root.with_name("gateway.log"))
    told = process.next_told()
    keys = keys or (told["access_key"], told["secret_key"])
    return Gateway(process, told["endpoint"], *keys)


def download(s3: S3Client, key: str) -> tuple[int, str, float]:
    """Read an object; return its size, its SHA-256 and the seconds it took."""
    start, size, digest = time.monotonic(), 0, hashlib.sha256()
    with closing(s3.get_object(Bucket=BUCKET, Key=key)["Body"]) as body:
        for piece in body.iter_chunks(1 << 20):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest(), time.monotonic() - start


def upload_first(gateway: Gateway, figures: Figures) -> str:
    """Stream the tar in; return its SHA-256 as the uploader computed it."""
    out.print("\n[bold]2.[/] An uploader process tars the Python standard library")
    out.print("   straight into a CloudPipe: never on disk, in bounded memory.")
    parts = 0
    with gateway.upload(FIRST, "tar") as uploader:
        for told in uploader.told():
            parts += told["event"] == "part"
            if told["event"] == "done":
                break
        else:
            raise DemoError("the uploader ended before it was done")
    figures.moved.append(("upload (cloudpipe)", told["size"], told["seconds"]))
    figures.peak("uploader", told["peak"])
    check(parts, f"{told['size']:,} bytes uploaded in {parts} parts")
    return str(told["sha256"])


def read_back(gateway: Gateway, sha256: str, figures: Figures) -> None:
    """List it, read a range of it and all of it, with boto3."""
    out.print("\n[bold]3.[/] boto3, which knows nothing of us, reads it back.")
    s3 = gateway.client()
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    check(listed == [FIRST], f"the bucket lists {listed}")
    part = s3.get_object(Bucket=BUCKET, Key=FIRST, Range="bytes=257-261")
    magic = part["Body"].read()
    check(magic == b"ustar", f"bytes 257 to 261 are {magic!r}: it is a tar")
    size, digest, seconds = download(s3, FIRST)
    figures.moved.append(("download (boto3)", size, seconds))
    check(digest == sha256, f"SHA-256 of all {size:,} bytes: {digest[:16]}...")


def crash(gateway: Gateway, figures: Figures) -> None:
    """Kill gateway and uploader with SIGKILL in the middle of an upload."""
    out.print("\n[bold]4.[/] A second upload begins; some parts are stored, then")
    out.print("   gateway and uploader are killed with SIGKILL at the same moment.")
    stored = 0
    with gateway.upload(SECOND, "noise") as uploader:
        while stored < PARTS_BEFORE_THE_CRASH:
            stored += uploader.next_told()["event"] == "part"
        figures.peak("uploader", uploader.peak())
        figures.peak("gateway", gateway.process.peak())
        gateway.process.kill()
        uploader.kill()
    check(stored, f"killed after at least {stored} stored parts of hundreds")


def look_again(gateway: Gateway, sha256: str, figures: Figures) -> None:
    """The first object is whole, the second was never there."""
    s3 = gateway.client()
    size, digest, seconds = download(s3, FIRST)
    figures.moved.append(("download after the crash", size, seconds))
    check(digest == sha256, f"the first object is whole: {digest[:16]}...")
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    check(listed == [FIRST], "the second is not in the listing")
    for name, call in (("HEAD", s3.head_object), ("GET", s3.get_object)):
        status = 200
        try:
            call(Bucket=BUCKET, Key=SECOND)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        check(status == 404, f"{name} of the second answers {status}")
    (upload,) = s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    parts = s3.list_parts(Bucket=BUCKET, Key=SECOND, UploadId=upload["UploadId"])
    check(
        upload["Key"] == SECOND and len(parts["Parts"]) >= PARTS_BEFORE_THE_CRASH,
        f"its unfinished upload is listed, with {len(parts['Parts'])} parts:"
        " to be resumed or aborted, never readable",
    )


def demo(root: Path, figures: Figures) -> None:
    """Show it all; raise `DemoError` where a promise is not kept."""
    with ExitStack() as stack:
        out.print("[bold]1.[/] A gateway process speaks S3 over files in a directory.")
        gateway = start_gateway(root)
        stack.enter_context(gateway.process)
        gateway.client().create_bucket(Bucket=BUCKET)
        check(True, f"{gateway.endpoint}, with keys made for it, bucket {BUCKET!r}")  # noqa: FBT003 - it got here
        sha256 = upload_first(gateway, figures)
        read_back(gateway, sha256, figures)
        crash(gateway, figures)
        out.print("\n[bold]5.[/] The gateway starts again on the same directory.")
        gateway = start_gateway(root, (gateway.access_key, gateway.secret_key))
        stack.enter_context(gateway.process)
        look_again(gateway, sha256, figures)
        figures.peak("gateway", gateway.process.peak())
        check(gateway.process.stop() == 0, "it stops when told to, with status 0")
    figures.peak("this program (boto3)", peak_memory(os.getpid()))


def main() -> int:
    """Run the demo; the exit status tells whether every promise was kept."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="aiostow-demo-") as folder:
        try:
            demo(Path(folder, "store"), figures)
        except DemoError as error:
            out.print(f"   [red]{error}[/]", soft_wrap=True)
            return 1
    out.print()
    figures.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
