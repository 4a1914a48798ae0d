"""Small helpers that two packages need are byte-identical twins."""

from __future__ import annotations

from collections import defaultdict

TWINS = ("_backoff.py", "_threads.py")
MOST = 3
LINES = 150


def test_twins_are_alike_and_small(packages, root):
    found = defaultdict(list)
    for package in packages:
        for name in TWINS:
            found[name] += (root / package).rglob(name)
    problems = []
    for name, paths in found.items():
        if len({path.read_bytes() for path in paths}) > 1:
            problems.append(f"{name} differ: {[str(path) for path in paths]}")
        problems += [
            f"{path}: over {LINES} lines"
            for path in paths
            if path.read_text().count("\n") > LINES
        ]
    assert not problems, "\n".join(problems)


def test_nothing_else_stands_twice(packages, root):
    """A file copied under the same name into two packages must be a known twin."""
    assert len(TWINS) <= MOST
    seen = defaultdict(list)
    for package in packages:
        for path in (root / package).rglob("*.py"):
            if path.name not in TWINS and path.name != "__init__.py":
                seen[path.read_bytes()].append(str(path.relative_to(root)))
    copies = [paths for paths in seen.values() if len(paths) > 1]
    assert not copies
