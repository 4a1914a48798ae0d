"""Our packages as data: every module with its source, its tree and what it imports."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One file of a package."""

    path: Path
    name: str

    @cached_property
    def source(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def is_public(self) -> bool:
        return not any(part.startswith("_") for part in self.name.split("."))

    @cached_property
    def exported(self) -> tuple[str, ...] | None:
        """The names in `__all__`, None without one."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == (
                "__all__"
            ):
                value = ast.literal_eval(node.value)
                return value if isinstance(value, tuple) else None
        return None

    @cached_property
    def imports(self) -> frozenset[str]:
        """Absolute names imported at run time, also inside functions.

        `from .a import b` counts as both `pkg.a` and `pkg.a.b`: b may be a module.
        """
        found: set[str] = set()
        todo: list[ast.AST] = [self.tree]
        while todo:
            node = todo.pop()
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                todo.extend(node.orelse)
                continue
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                found.add(base)
                found.update(f"{base}.{alias.name}" for alias in node.names)
            todo.extend(ast.iter_child_nodes(node))
        return frozenset(found)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        up = node.level - self.is_package
        parts = parts[: len(parts) - up]
        return ".".join((*parts, *((node.module,) if node.module else ())))


def _modules(package: Path) -> list[Module]:
    return [
        Module(
            path,
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
                ".__init__"
            ),
        )
        for path in sorted(package.rglob("*.py"))
    ]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def packages() -> list[str]:
    """The top-level packages: every folder that says it is typed."""
    return sorted(path.parent.name for path in ROOT.glob("*/py.typed"))


@pytest.fixture(scope="session")
def modules(packages: list[str]) -> list[Module]:
    return [module for name in packages for module in _modules(ROOT / name)]


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file that a clean checkout has."""
    import subprocess  # noqa: PLC0415 - only here

    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]
