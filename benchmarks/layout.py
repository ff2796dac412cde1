"""Print the layout of the package: files, lines, classes, cycles, and the code that one training step runs.

``python benchmarks/layout.py [CHECKOUT]`` prints three tables for this or another checkout:

``packages``  files, lines, classes, functions, the median and the largest module of each package
``cycles``    import cycles between modules, imports below ``TYPE_CHECKING`` and inside functions included
``step``      the files that one step of a network's training runs (NumPy kernels), and those of a whole fit
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.source import cycles, executed_files, import_graph, modules, package_graph  # noqa: E402


def table(rows: list[tuple[object, ...]], *names: str) -> None:
    """Print rows below their column names."""
    texts = [names, *([str(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  ".join(cells).rstrip())
    print()


def sizes(checkout: Path) -> None:
    """Print size and shape of each package, and of the tests."""
    known = list(modules(checkout).values())
    packages = sorted({one.package for one in known if one.is_package} - {"automl"})
    groups = [(name, [one for one in known if one.package == name]) for name in packages]
    groups.append(("automl/*.py", [one for one in known if one.package not in packages]))
    groups.append(("all of automl", known))
    groups.append(("tests", list(modules(checkout, "tests").values())))
    rows = []
    for group, members in groups:
        lines = [one.n_lines for one in members if not one.is_package] or [members[0].n_lines]
        largest = max(members, key=lambda one: one.n_lines)
        rows.append((
            group, len(members), sum(one.n_lines for one in members), sum(one.n_classes for one in members),
            sum(one.n_functions for one in members), round(median(lines)),
            f"{largest.n_lines} {largest.path.name}",
        ))  # fmt: skip
    table(rows, "package", "files", "lines", "classes", "functions", "median", "largest")


def knots(checkout: Path) -> None:
    """Print the import cycles."""
    known = modules(checkout)
    graph = package_graph(known)
    graph.pop("automl")
    found = cycles(import_graph(known))
    between = cycles({name: targets - {"automl"} for name, targets in graph.items()})
    table(
        [("modules", len(found), sum(map(len, found))), ("packages", len(between), sum(map(len, between)))],
        "import cycles", "number", "members",
    )  # fmt: skip
    for cycle in [*found, *between]:
        print("-", " ".join(cycle))
    if found or between:
        print()


def reading_path(checkout: Path) -> None:
    """Print the files that a training step runs."""
    rows = []
    for name, paths in zip(("a step", "a fit"), executed_files(checkout), strict=True):
        rows.append((name, len(paths), sum(path.read_text(encoding="utf-8").count("\n") for path in paths)))
        if name == "a step":
            step = [str(path.relative_to(checkout)) for path in paths]
    table(rows, "reading path", "files", "lines")
    print("step:", *step)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", nargs="?", type=Path, default=ROOT)
    checkout = parser.parse_args().checkout.resolve()
    sizes(checkout)
    knots(checkout)
    reading_path(checkout)


if __name__ == "__main__":
    main()
