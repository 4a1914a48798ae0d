"""The program that `test_index_writer` runs: it always has the index in a transaction.

`python reading_process.py INDEX`: two connections take turns, each begins before the
other ends. Ends when told anything; says `reading` once it does.
"""

from __future__ import annotations

import itertools
import select
import sqlite3
import sys
import time

connections = [
    sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10) for _ in range(2)
]


def begin(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    db.execute("SELECT seq FROM state").fetchone()


begin(connections[1])
sys.stdout.write("reading\n")
sys.stdout.flush()
for turn in itertools.cycle((0, 1)):
    begin(connections[turn])
    time.sleep(0.002)
    connections[1 - turn].execute("COMMIT")
    if select.select([sys.stdin], [], [], 0)[0]:
        break
for connection in connections:
    connection.close()
