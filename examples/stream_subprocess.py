"""Stream what a command prints into an object, never on disk and in bounded memory.

    python examples/stream_subprocess.py backups/home.tar -- tar c /home

Any command will do that writes to its standard output. The object appears when it has
ended with 0. When it fails, when this program is interrupted (Ctrl-C, SIGTERM), or when
the store stays away, there is no object: never a truncated one. Where to: --endpoint,
--bucket and --region, or S3_ENDPOINT, S3_BUCKET and AWS_REGION. Keys come from
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from wherever the AWS tools find them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cloudpipe import CloudPipe, CloudPipeError, OutcomeUnknownError, UploadResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READ = 1 << 20  # bytes


class CommandFailedError(Exception):
    """The command could not be run, or ended with a status other than 0."""


@asynccontextmanager
async def running(command: list[str]) -> AsyncIterator[asyncio.StreamReader]:
    """Run a command and give its output; raise when it fails, end it when left."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, limit=READ
        )
    except OSError as error:
        raise CommandFailedError(f"{command[0]}: {error.strerror}") from error
    try:
        if process.stdout is not None:
            yield process.stdout
        if status := await process.wait():
            raise CommandFailedError(f"{command[0]} ended with status {status}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # wait() alone waits for who reads the rest


async def stream(command: list[str], pipe: CloudPipe) -> UploadResult:
    """Write the command's output; an exception in the block aborts the upload."""
    async with pipe, running(command) as output:
        while data := await output.read(READ):
            await pipe.write(data)
    return await pipe.finish()


async def main() -> None:
    """Read the command line, stream, and say what was stored."""
    options = arguments()
    task = asyncio.current_task()
    if task is not None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    pipe = CloudPipe.s3(
        options.bucket,
        None,
        None,
        options.key,
        end_point=options.endpoint,
        region=options.region,
        ca_file=options.ca_file,
    )
    result = await stream(options.command, pipe)
    print(f"{result.size} bytes in {options.bucket}/{result.key}, ETag {result.etag}")


def arguments() -> argparse.Namespace:
    """Read the command line and the environment."""
    parser = argparse.ArgumentParser(description="Stream a command's output into S3.")
    parser.add_argument("--endpoint", default=os.environ.get("S3_ENDPOINT"))
    parser.add_argument("--bucket", default=os.environ.get("S3_BUCKET"))
    parser.add_argument("--region", default=os.environ.get("AWS_REGION"))
    parser.add_argument("--ca-file", help="certificates to trust")
    parser.add_argument("key", help="the object's name")
    parser.add_argument("command", nargs="+", help="after --, with its arguments")
    options = parser.parse_args()
    if not options.bucket:
        parser.error("say --bucket or S3_BUCKET")
    return options


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OutcomeUnknownError as error:
        sys.exit(f"what was stored is not known: {error}")
    except (CommandFailedError, CloudPipeError) as error:
        sys.exit(f"nothing was stored: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted: nothing was stored")
