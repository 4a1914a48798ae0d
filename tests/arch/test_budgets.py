"""What grows past a budget holds two concepts: split it, do not raise the number."""

from __future__ import annotations

import ast

import pytest

FILE_LINES = 600
FUNCTION_LINES = 60
PUBLIC_METHODS = 25


@pytest.fixture(scope="module")
def sources(tracked):
    """Every tracked Python file: tests, examples and benchmarks are read too."""
    return [(path, path.read_text()) for path in tracked if path.suffix == ".py"]


def _functions(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines without the docstring: saying what it does costs nothing."""
    first = node.body[0]
    start = node.lineno
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        docstring = (first.end_lineno or 0) - first.lineno + 1
    return (node.end_lineno or 0) - start + 1 - docstring


def test_files(sources, root):
    problems = [
        f"{path.relative_to(root)}: {lines} lines"
        for path, text in sources
        if (lines := text.count("\n")) > FILE_LINES
    ]
    assert not problems, "\n".join(problems)


def test_functions(sources, root):
    problems = [
        f"{path.relative_to(root)}:{node.lineno} {node.name}: {length} lines"
        for path, text in sources
        for node in _functions(ast.parse(text))
        if (length := _length(node)) > FUNCTION_LINES
    ]
    assert not problems, "\n".join(problems)


def test_classes(modules):
    problems = []
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ClassDef):
                continue
            public = [
                item.name
                for item in node.body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                and not item.name.startswith("_")
            ]
            # A class of tests is a list, not an interface.
            if len(public) > PUBLIC_METHODS and not public[0].startswith("test_"):
                problems.append(f"{module.name}.{node.name}: {len(public)} methods")
    assert not problems, "\n".join(problems)


def test_no_public_keyword_catch_all(modules):
    """Options are named, one by one; passing on another's arguments is typed."""
    problems = [
        f"{module.name}:{node.lineno} {node.name}(**{kwarg.arg})"
        for module in modules
        for node in _functions(module.tree)
        if (kwarg := node.args.kwarg)
        and not node.name.startswith("_")
        and not (kwarg.annotation and ast.unparse(kwarg.annotation).endswith(".kwargs"))
    ]
    assert not problems, "\n".join(problems)
