"""The docstring of a package lists its modules in an order one can read them in."""

from __future__ import annotations

import re


def _children(package, modules):
    """Map the short name of each module or package inside to its parts."""
    prefix = package.name + "."
    children: dict[str, list] = {}
    for module in modules:
        if module.name.startswith(prefix):
            short = module.name.removeprefix(prefix).partition(".")[0]
            if short != "__main__":
                children.setdefault(short, []).append(module)
    return children


def _named(docstring: str, children) -> list[str]:
    """Name the modules in the order of their first mention in backticks."""
    words = re.findall(r"`+([\w./]+?)/?(?:\.py)?`+", docstring)
    shorts = (word.rpartition(".")[2] if "." in word else word for word in words)
    return list(dict.fromkeys(short for short in shorts if short in children))


def test_every_public_module_is_named(modules):
    problems = []
    for package in modules:
        if not package.is_package or not package.is_public:
            continue
        children = _children(package, modules)
        missing = {short for short in children if not short.startswith("_")} - set(
            _named(package.docstring, children)
        )
        if missing:
            problems.append(f"{package.name}: not in its docstring: {sorted(missing)}")
    assert not problems, "\n".join(problems)


def test_the_order_is_one_of_dependency(modules):
    """Who is read later may use who was read before, not the other way round."""
    problems = []
    for package in modules:
        if not package.is_package:
            continue
        children = _children(package, modules)
        order = _named(package.docstring, children)
        for place, short in enumerate(order):
            later = {f"{package.name}.{name}" for name in order[place + 1 :]}
            used = {name for part in children[short] for name in part.imports}
            problems += [
                f"{package.name}: {short} comes before {name}, which it imports"
                for name in sorted(used & later)
            ]
    assert not problems, "\n".join(problems)
