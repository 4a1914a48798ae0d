"""What encodes, parses, signs, splits or plans does no I/O: it imports no loop."""

from __future__ import annotations

import re

IMPURE = {
    "asyncio",
    "aiohttp",
    "aiobotocore",
    "anyio",
    "socket",
    "sqlite3",
    "threading",
}

# Modules of these names are pure wherever they stand, and so is every module whose
# docstring says that it is.
PURE_NAMES = {
    "_backoff",
    "_canonical",
    "_chunker",
    "_pages",
    "_sizes",
    "checksums",
    "chunked",
    "errors",
    "events",
    "rules",
    "sigv4",
    "types",
    "wire_errors",
    "xml",
    "xml_requests",
}


def _is_pure(module) -> bool:
    short = module.name.rpartition(".")[2]
    return short in PURE_NAMES or bool(re.search(r"\b[Pp]ure\b", module.docstring))


def _reached(module, by_name) -> dict[str, str]:
    """Map what a module imports, itself or through our others, to the chain."""
    found: dict[str, str] = {}
    todo = [(module, module.name)]
    while todo:
        current, chain = todo.pop()
        for name in current.imports - found.keys():
            found[name] = f"{chain} -> {name}"
            # A package is where a module lives, not what it uses.
            if name in by_name and not by_name[name].is_package:
                todo.append((by_name[name], found[name]))
    return found


def test_pure_modules_reach_no_loop(modules):
    by_name = {module.name: module for module in modules}
    pure = [module for module in modules if _is_pure(module) and not module.is_package]
    assert pure
    problems = sorted(
        chain
        for module in pure
        for name, chain in _reached(module, by_name).items()
        if name in IMPURE
    )
    assert not problems, "\n".join(problems)
