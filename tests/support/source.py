"""Facts about the source of a checkout: modules, imports, cycles, private attributes, words."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

WORDS = (Path(__file__).parent / "words.txt").read_text().split("\n")
PATTERN = re.compile(rf"\b({'|'.join(filter(None, WORDS))})\b", re.IGNORECASE)

# Functions of a step are those that more epochs call more often.
TRACE = """
import json, sys
from collections import Counter
import numpy as np
from automl.descent import GradientDescentClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)

def calls(epochs):
    count = Counter()
    def note(frame, event, arg):
        if event == "call":
            count[frame.f_code.co_filename, frame.f_code.co_name] += 1
    model = GradientDescentClassifier(
        hidden_layer_sizes=(8,), dropout=0.1, optimizer="adam", schedule="cosine", batch_size=16,
        max_epochs=epochs, random_state=0,
    )
    sys.setprofile(note)
    try:
        model.fit(X, y)
    finally:
        sys.setprofile(None)
    return count

calls(1)
few, many = calls(3), calls(6)
fit = {file for file, _ in many if "automl" in file and "site-packages" not in file}
step = {file for (file, name), n in many.items() if file in fit and n > few[file, name]}
print(json.dumps([sorted(step), sorted(fit)]))
"""


@dataclass(frozen=True)
class Import:
    """One import statement: the module it reads and its line."""

    target: str
    line: int


class Module:
    """A Python file of a package."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path
        parts = path.relative_to(root).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.text = path.read_text(encoding="utf-8")

    @property
    def package(self) -> str:
        """The first folder below the root package, or the module itself."""
        return ".".join(self.name.split(".")[:2])

    @property
    def n_lines(self) -> int:
        return self.text.count("\n")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def n_classes(self) -> int:
        return sum(isinstance(node, ast.ClassDef) for node in ast.walk(self.tree))

    @property
    def n_functions(self) -> int:
        return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(self.tree))

    def imports(self) -> Iterator[Import]:
        """Yield all imports: inside functions and below ``TYPE_CHECKING`` too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = self.name.split(".")
                    above = parts[: len(parts) - node.level + self.is_package]
                    base = ".".join([*above, *filter(None, [base])])
                for alias in node.names:
                    yield Import(f"{base}.{alias.name}", node.lineno)


def modules(root: Path, package: str = "automl") -> dict[str, Module]:
    """Return the modules of a package by dotted name."""
    found = (Module(root, path) for path in sorted((root / package).rglob("*.py")))
    return {module.name: module for module in found}


def import_graph(known: dict[str, Module]) -> dict[str, set[str]]:
    """Return for each module the modules of the same package that it imports."""

    def resolve(target: str) -> str | None:
        while target and target not in known:
            target = target.rpartition(".")[0]
        return target or None

    graph = {}
    for name, module in known.items():
        targets = {resolve(one.target) for one in module.imports()}
        graph[name] = {target for target in targets if target is not None} - {name}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one node (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            start = stack.index(node)
            component = sorted(stack[start:])
            del stack[start:]
            if len(component) > 1:
                found.append(component)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def package_graph(known: dict[str, Module]) -> dict[str, set[str]]:
    """Return the import graph between the packages directly below the root."""
    graph: dict[str, set[str]] = {module.package: set() for module in known.values()}
    for name, targets in import_graph(known).items():
        package = known[name].package
        graph[package] |= {known[target].package for target in targets} - {package}
    return graph


def private_names(folder: Path) -> set[str]:
    """Return the names with one leading underscore that the files below a folder define."""
    pattern = re.compile(r"(?:def |class |self\.)(_[a-z]\w*)|^\s*(_[a-zA-Z]\w*)\s*[:=]", re.M)
    files = folder.rglob("*.py")
    return {a or b for file in files for a, b in pattern.findall(file.read_text(encoding="utf-8"))}


def private_access(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of each private attribute that is read from another object."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"_[a-zA-Z]\w*", node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            inherited = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
            if not own and not inherited:
                yield node.lineno, node.attr


def prose_files(root: Path) -> list[Path]:
    """Return the files that people read: code, tests, docs."""
    folders = [root / name for name in ("automl", "tests", "docs", "examples", "benchmarks", "search_spaces")]
    inside = [
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md", ".yaml")
    ]
    return sorted([*inside, *root.glob("*.md")])


def word_hits(path: Path) -> list[tuple[int, str]]:
    """Return line and word of each match of the words to avoid."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(i, match.group()) for i, line in enumerate(lines, 1) for match in PATTERN.finditer(line)]


def executed_files(checkout: Path) -> tuple[list[Path], list[Path]]:
    """Return the files that a step of a network's training runs, with NumPy kernels, and those of a fit."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "AUTOML_NUMBA": "0"}
    done = subprocess.run(
        [sys.executable, "-c", TRACE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=checkout,
    )
    step, fit = json.loads(done.stdout)
    return [Path(file) for file in step], [Path(file) for file in fit]
