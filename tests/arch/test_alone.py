"""Every module can be imported alone, with its own extras and nothing else.

One fresh interpreter per package and set of extras forks for each module, so that each
import starts from nothing. What is installed for others is hidden.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest

# Beyond the extra named as the package: what these parts of it need.
EXTRAS = {
    "blob.__main__": ("cli",),
    "blob.cli": ("cli",),
    "blob.testing": ("testing",),
    "cloudpipe.__main__": ("cli",),
}

# Reads {"hidden": [...], "modules": [...]}, prints {module: error or ""}.
IMPORTER = """
import importlib, json, os, sys, traceback

asked = json.load(sys.stdin)

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in asked["hidden"]:
            raise ModuleNotFoundError(f"No module named {name!r} (hidden)", name=name)

sys.meta_path.insert(0, Hidden())
sys.path.insert(0, asked["root"])
errors = {}
for module in asked["modules"]:
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        text = ""
        try:
            importlib.import_module(module)
        except BaseException as error:
            text = "".join(traceback.format_exception_only(error)).strip()
        os.write(writer, text.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with open(reader) as file:
        errors[module] = file.read()
    os.waitpid(pid, 0)
json.dump(errors, sys.stdout)
"""


def _closure(requirements: list[str]) -> set[str]:
    """Name the distributions that these requirements install."""
    found: set[str] = set()
    todo = list(requirements)
    while todo:
        text, _, marker = todo.pop().partition(";")
        name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", text)[0]).lower()
        if "extra ==" in marker or name in found:
            continue
        found.add(name)
        try:
            todo += requires(name) or []
        except PackageNotFoundError:
            found.discard(name)  # for another platform or Python
    return found


@pytest.fixture(scope="module")
def hidden_but(project):
    """Return the importable names to hide, given the extras that are not."""
    extras = project["project"]["optional-dependencies"]
    available = packages_distributions()

    def hidden(*names: str) -> list[str]:
        allowed = _closure([text for name in names for text in extras[name]])
        return sorted(
            name
            for name, owners in available.items()
            if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & allowed
            and set(owners) != {"aiostow"}
        )

    return hidden


def _import(root, hidden: list[str], names: list[str]) -> dict[str, str]:
    answer = subprocess.run(
        [sys.executable, "-I", "-c", IMPORTER],
        input=json.dumps({"hidden": hidden, "modules": names, "root": str(root)}),
        text=True,
        capture_output=True,
        check=True,
        timeout=50,
    )
    return json.loads(answer.stdout)


def test_every_module_is_importable_alone(root, modules, packages, hidden_but):
    groups: dict[tuple[str, ...], list[str]] = {}
    for module in modules:
        own = module.name.partition(".")[0]
        more = next(
            (
                e
                for part, e in EXTRAS.items()
                if f"{module.name}.".startswith(f"{part}.")
            ),
            (),
        )
        groups.setdefault((own, *more), []).append(module.name)
    halves = [
        (extras, names[start::2])
        for extras, names in groups.items()
        for start in (0, 1)
    ]
    problems = []
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(
                _import,
                root,
                [*hidden_but(*extras), *(p for p in packages if p != extras[0])],
                names,
            )
            for extras, names in halves
        ]
        for job in jobs:
            problems += [f"{name}: {e}" for name, e in job.result().items() if e]
    assert not problems, "\n".join(problems)


def test_a_missing_extra_is_named(root, packages, hidden_but):
    """Without any extra a package imports, or says which one to install."""
    for package in packages:
        error = _import(root, hidden_but(), [package])[package]
        assert not error or f"aiostow[{package}]" in error, f"{package}: {error}"
