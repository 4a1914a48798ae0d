"""What the project says of itself is true, and gives its reasons."""

from __future__ import annotations

import re
from importlib import import_module


def _lines_between(text: str, start: str, end: str) -> list[str]:
    return text.partition(start)[2].partition(end)[0].splitlines()


def test_every_dependency_has_its_reason(root):
    text = (root / "pyproject.toml").read_text()
    lines = _lines_between(text, "[project.optional-dependencies]", "[project.entry")
    lines += _lines_between(text, "[dependency-groups]", "[tool.")
    entries = [line.strip() for line in lines if line.startswith("    ")]
    assert entries
    assert not [line for line in entries if not re.search(r"# \w+ ?\w+", line)]


def test_every_lint_rule_left_out_has_its_reason(root):
    text = (root / "pyproject.toml").read_text()
    lines = _lines_between(text, "\nignore = [", "]")
    lines += _lines_between(text, "[tool.ruff.lint.per-file-ignores]", "\n[tool.")
    codes = [line for line in lines if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert codes
    assert not [line for line in codes if not re.search(r"# \w+", line)]


def test_every_ignore_in_the_code_has_its_reason(tracked, root):
    problems = []
    for path in tracked:
        if path.suffix != ".py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.search(r"# (noqa|type: ignore)\b(.*)", line)
            if found and not re.match(
                r"(: [A-Z]+\d+(, ?[A-Z]+\d+)* - \S|\[[\w, -]+\]  ?# \S)",
                found[2],
            ):
                problems.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    assert not problems, "\n".join(problems)


def test_the_packages_built_are_the_packages_there(project, modules):
    there = {module.name for module in modules if module.is_package}
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(there) == listed


def test_every_folder_of_a_package_is_a_package(modules):
    """A folder without `__init__.py` would be left out of the wheel."""
    assert not {
        str(module.path.parent)
        for module in modules
        if not (module.path.parent / "__init__.py").exists()
    }


def test_typed_marks_are_shipped(project, packages):
    data = project["tool"]["setuptools"]["package-data"]
    assert {name: "py.typed" in data.get(name, []) for name in packages} == (
        dict.fromkeys(packages, True)
    )


def test_mypy_and_import_linter_look_at_every_package(project, packages):
    tool = project["tool"]
    assert sorted(tool["importlinter"]["root_packages"]) == packages
    assert set(packages) <= set(tool["mypy"]["files"])


def test_entry_points_lead_somewhere(project):
    groups = dict(project["project"].get("entry-points", {}))
    groups["scripts"] = project["project"].get("scripts", {})
    for entries in groups.values():
        for target in entries.values():
            module, _, name = target.partition(":")
            assert callable(getattr(import_module(module), name)), target


def test_no_path_of_one_machine_is_in_a_file(tracked, root):
    machine = re.compile(r"(?<![\w.])/(?:work|home/\w+|root)/")
    problems = []
    for path in tracked:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        problems += [
            f"{path.relative_to(root)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if machine.search(line)
        ]
    assert not problems, "\n".join(problems)


def test_nothing_is_skipped_or_left_to_do(tracked, root):
    unfinished = re.compile(
        r"\b(?:TO"
        r"DO|FIX"
        r"ME|XX"
        r"X)\b|mark\.(?:skip|xfail)|pytest\.skip\(|importor"
        r"skip"
    )
    problems = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in tracked
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if unfinished.search(line)
    ]
    assert not problems, "\n".join(problems)
