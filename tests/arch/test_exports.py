"""What a module exports is what it says it exports."""

from __future__ import annotations

import ast


def _defined(module) -> set[str]:
    """Name what a module defines for others: not private, not imported."""
    names: set[str] = set()
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(ast.unparse(target) for target in node.targets)
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
    return {name for name in names if name.isidentifier() and not name.startswith("_")}


def _reexported(module) -> list[str]:
    return [
        alias.asname or alias.name
        for node in module.tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    ]


def test_packages_only_reexport(modules):
    problems = []
    for module in modules:
        if not module.is_package:
            continue
        others = [
            ast.unparse(node)
            for node in module.tree.body
            if not isinstance(node, ast.ImportFrom)
            and not (isinstance(node, ast.Expr) and node is module.tree.body[0])
            and not ast.unparse(node).startswith("__all__")
        ]
        problems += [f"{module.name}: does more than re-export: {x}" for x in others]
        exported, imported = module.exported or (), _reexported(module)
        if sorted(exported) != sorted(imported):
            difference = set(exported) ^ set(imported)
            problems.append(f"{module.name}: __all__ and imports differ: {difference}")
    assert not problems, "\n".join(problems)


def test_public_modules_name_what_they_define(modules):
    problems = []
    for module in modules:
        if module.is_package or not module.is_public:
            continue
        if module.exported is None:
            problems.append(f"{module.name}: no __all__ tuple")
        elif difference := set(module.exported) ^ _defined(module):
            problems.append(
                f"{module.name}: __all__ and its names differ: {difference}"
            )
    assert not problems, "\n".join(problems)


def test_every_public_error_is_exported_and_drawn(modules):
    problems = []
    for module in modules:
        if module.name.split(".")[1:] != ["errors"]:
            continue
        for node in module.tree.body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if node.name not in (module.exported or ()):
                problems.append(f"{module.name}.{node.name}: not in __all__")
            if node.name not in module.docstring:
                problems.append(f"{module.name}.{node.name}: not in the tree drawn")
    assert not problems, "\n".join(problems)


def test_errors_have_one_root_that_the_package_exports(packages, modules):
    by_name = {module.name: module for module in modules}
    problems = []
    for package in packages:
        errors = by_name[f"{package}.errors"]
        classes = {n.name: n for n in errors.tree.body if isinstance(n, ast.ClassDef)}
        roots = [
            name
            for name, node in classes.items()
            if not any(ast.unparse(base) in classes for base in node.bases)
        ]
        if len(roots) != 1:
            problems.append(f"{package}: several roots of errors: {roots}")
        problems += [
            f"{package}: does not export {root}"
            for root in roots
            if root not in (by_name[package].exported or ())
        ]
    assert not problems, "\n".join(problems)


def test_every_module_says_what_it_is(modules):
    problems = [f"{m.name}: no docstring" for m in modules if not m.docstring]
    problems += [
        f"{m.name}: no `from __future__ import annotations`"
        for m in modules
        if not m.is_package and "from __future__ import annotations" not in m.source
    ]
    assert not problems, "\n".join(problems)
