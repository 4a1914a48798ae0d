"""What every benchmark shares: subjects in their own environments, rounds, results.

A benchmark measures its subjects in turn, round after round, so that a machine that
gets slower gets slower for all of them; medians and ratios are what counts. Used by
each `benchmarks/NAME.py`, run as `python -m benchmarks.NAME`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
_TICKS = os.sysconf("SC_CLK_TCK")

console = Console(highlight=False, width=max(Console().width, 100))


def is_quick(description: str) -> bool:
    """Read the command line: `--quick` ends within two minutes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a short look")
    return bool(parser.parse_args().quick)


# -- subjects ----------------------------------------------------------------------


def environment(name: str, *requirements: str) -> Path:
    """Return `.venvs/NAME/bin`, with what a peer needs and nothing of ours in it."""
    folder = ROOT / ".venvs" / name
    stamp = folder / ".requirements"
    wanted = "\n".join(requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        console.print(f"installing {', '.join(requirements)} into .venvs/{name}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [str(folder / "bin" / "pip"), "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "-qq", *requirements], check=True)
        stamp.write_text(wanted)
    return folder / "bin"


def debian_program(name: str) -> str:
    """Return the path of a program, from its Debian package where that is allowed."""
    if not shutil.which(name) and shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        for step in (["update"], ["install", "-y", name]):
            with suppress(OSError):
                subprocess.run(
                    [*sudo, "apt-get", "-qq", *step],
                    check=False,
                    capture_output=True,
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                )
    found = shutil.which(name)
    if not found:
        sys.exit(f"install {name} first: sudo apt-get install {name}")
    return found


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_listening(port: int, process: subprocess.Popen[bytes], seconds: float) -> None:
    """Return when somebody accepts connections; exit where the process ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit(f"{process.args!r} did not listen on port {port}")


# -- what a process costs ----------------------------------------------------------


def _family(pid: int) -> list[int]:
    """List a process and all that descend from it."""
    pids = [pid]
    for parent in pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                pids += map(int, children.read_text().split())
    return pids


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process and its living children used, user and system."""
    total = 0
    for each in _family(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def peak_memory(pid: int) -> int:
    """Bytes held at most (VmHWM), summed over a process and its living children."""
    total = 0
    for each in _family(pid):
        with suppress(OSError):
            status = Path(f"/proc/{each}/status").read_text()
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                total += int(found[1]) * 1024
    return total


# -- results -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one subject in one case, over all rounds."""

    case: str
    subject: str
    metric: str
    unit: str
    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Target:
    """A goal of an issue, and whether this run met it."""

    name: str
    goal: str
    measured: str
    met: bool


@dataclass
class Report:
    """Collects samples, then prints and keeps them."""

    name: str
    quick: bool
    targets: list[Target] = field(default_factory=list)
    _samples: dict[tuple[str, str, str, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(
        self, case: str, subject: str, metric: str, unit: str, value: float
    ) -> None:
        """Keep one sample."""
        self._samples[case, subject, metric, unit].append(value)

    def rows(self) -> list[Row]:
        """Return a row for each figure, in the order they were first added."""
        return [
            Row(*key, median(values), min(values), max(values))
            for key, values in self._samples.items()
        ]

    def finish(self, *, baseline: str) -> None:
        """Print the tables, with ratios to the baseline, and write the JSON."""
        rows = self.rows()
        self._print(rows, baseline)
        document = {
            "name": self.name,
            "quick": self.quick,
            "machine": machine(),
            "rows": [asdict(row) for row in rows],
            "targets": [asdict(target) for target in self.targets],
        }
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps(document, indent=1) + "\n")
        console.print(f"written to {path.relative_to(ROOT)}")

    def _print(self, rows: Iterable[Row], baseline: str) -> None:
        groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in rows:
            groups[row.case, row.metric, row.unit].append(row)
        table = Table("case", "metric", "subject", "median", "min - max", "ratio")
        for column in table.columns[3:]:
            column.justify = "right"
        for (case, metric, unit), group in groups.items():
            base = next((r.median for r in group if r.subject == baseline), 0.0)
            for row in group:
                table.add_row(
                    case,
                    f"{metric}, {unit}",
                    row.subject,
                    _number(row.median),
                    f"{_number(row.min)} - {_number(row.max)}",
                    f"{row.median / base:.2f}" if base else "",
                )
                case = metric = unit = ""  # noqa: PLW2901 - said once per group
            table.add_section()
        console.print(table)
        for target in self.targets:
            verdict = "met" if target.met else "NOT met"
            console.print(f"{target.name}: {target.measured} ({target.goal}) {verdict}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> Mapping[str, object]:
    """Say on what this was measured."""
    cpu = re.search(r"model name\s+: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": int(memory[1]) // 1024 if memory else 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
