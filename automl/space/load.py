"""Loads a space: reads a source, compiles it and checks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from automl.constraints import Section as KnownKeys
from automl.errors import SpaceError, nearest
from automl.space.compile import Compiler, Estimators
from automl.space.containers import Section
from automl.space.files import Definitions, ReadyMade, read_source
from automl.space.foreign import SmokeTest, broken_branches, estimator_section
from automl.space.leaves import Constant
from automl.space.nodes import ParamRef
from automl.space.rules import Forbidden, InitialPoint, read_forbidden, read_initial_point
from automl.space.source import Reporter, SourceNode
from automl.space.space import Space
from automl.space.specialise import Incompatibility, incompatible
from automl.space.syntax import DOCUMENT_KEYS, FAMILY_PARAM, TASKS, VERSION, join
from automl.space.tree import RandomSource, instantiate, params_of

__all__ = ["load_space"]

_MAX_RULES = 500
_MAX_DRAWS = 2000
_ENOUGH = 40
_MIN_ALLOWED = 0.02  # share of the space that rules must leave


def load_space(
    source: str | Path | Mapping[str, Any] | Space,
    *,
    vocabulary: KnownKeys,
    limits: KnownKeys | None = None,
    folder: Path | None = None,
    allow_imports: Iterable[str] = (),
    allow_includes: str | Path | Iterable[str | Path] = (),
    structural: Callable[[str], bool] | None = None,
    incompatibility: Incompatibility | None = None,
    smoke_test: SmokeTest | None = None,
) -> Space:
    """Load and check a search space.

    Parameters
    ----------
    source : str, Path, mapping or Space
        The name of a shipped space, the path of a file, YAML text (with a line break), the same as a mapping, or a
        `Space`, which is returned unchanged.
    vocabulary : Section
        The keys and their rules.
    limits : Section, optional
        The limits that ``constraints`` may set; none by default.
    folder : Path, optional
        Where names are looked up; by default the folder of the shipped spaces.
    allow_imports : str or iterable of str
        Packages, besides the known ones, that ``estimator:`` may import classes from.
    allow_includes : str, Path or iterable of them
        Folders, besides that of the including file, whose files may be included.
    structural : callable, optional
        ``structural(path)`` returns whether a value must be equal for trials to train together; all by default.
    incompatibility : callable, optional
        ``incompatibility(task, family, params)`` returns why a family, alone or with one parameter, is not for a
        task. A value for none of the space's tasks is a fault.
    smoke_test : callable, optional
        ``smoke_test(task, configuration)`` makes a tiny fit and returns its error. A branch whose default
        configuration trains for none of the tasks is a fault.

    Returns
    -------
    Space
        The checked space.

    Raises
    ------
    SpaceError
        With every fault of the source, each with its line.
    """
    if isinstance(source, Space):
        return source
    reporter = Reporter()
    folders = (allow_includes,) if isinstance(allow_includes, str | Path) else tuple(allow_includes)
    document = read_source(source, reporter, folder, folders)
    name = Path(source).stem if isinstance(source, str | Path) and "\n" not in str(source) else "space"
    allowed = (allow_imports,) if isinstance(allow_imports, str) else tuple(allow_imports)
    estimators = partial(estimator_section, allow_imports=allowed)
    loader = _Loader(
        vocabulary,
        limits or KnownKeys({}),
        estimators,
        incompatibility,
        smoke_test,
        ReadyMade(folder),
        reporter,
    )
    space = loader.load(document, name)
    if reporter.faults or space is None:
        raise SpaceError(reporter.faults)
    return replace(space, structural=structural) if structural else space


@dataclass
class _Loader:
    vocabulary: KnownKeys
    limits: KnownKeys
    estimators: Estimators
    incompatibility: Incompatibility | None
    smoke_test: SmokeTest | None
    ready: ReadyMade
    reporter: Reporter
    sources: dict[tuple[str, str], SourceNode] = field(default_factory=dict)

    def load(self, document: SourceNode, name: str) -> Space | None:
        if not document.is_mapping:
            self.reporter.report(document, "", "must be a mapping with a key `space`", str(document))
            return None
        entries: dict[str, SourceNode] = document.value
        for key, entry in entries.items():
            if key not in DOCUMENT_KEYS:
                remedy = nearest(key, DOCUMENT_KEYS)
                self.reporter.report(entry, key, "must be a key of the file", key, remedy)
        if "version" in entries and entries["version"].value != VERSION:
            self.reporter.report(entries["version"], "version", f"must be {VERSION}", str(entries["version"]))
        name = self.text(entries, "name", name)
        about = self.text(entries, "about", "")
        tasks = self.tasks(entries)
        root = self.root(document, entries, tasks)
        constraints, columns = self.constraints(entries), self.columns(entries)
        self.check_positive_class(entries, tasks)
        if self.reporter.faults or root is None:
            return None
        known, file = list(root.params()), document.location.file
        forbid = self.forbid(entries, known, file)
        enqueue = self.enqueue(entries, known, file, forbid)
        if not self.reporter.faults:
            self.check_room(root, forbid, entries)
        if not self.reporter.faults:
            self.check_branches(root, forbid, tasks, entries["space"])
        positive = None if "positive_class" not in entries else entries["positive_class"].value
        return Space(name, about, tasks, root, forbid, enqueue, constraints, columns, positive)

    def text(self, entries: dict[str, SourceNode], key: str, default: str) -> str:
        value = entries[key].value if key in entries else default
        if isinstance(value, str) and (value or key not in entries):
            return value
        self.reporter.report(entries[key], key, "must be text", str(entries[key]))
        return default

    def tasks(self, entries: dict[str, SourceNode]) -> tuple[str, ...]:
        if "task" not in entries:
            return TASKS
        found: list[str] = []
        for task in entries["task"].items:
            if task.value not in TASKS:
                rule = f"must be one or more of {', '.join(TASKS)}"
                self.reporter.report(task, "task", rule, str(task), nearest(str(task), TASKS))
            elif task.value in found:
                self.reporter.report(task, "task", "a task must occur once", f"{task} again")
            else:
                found.append(task.value)
        if not entries["task"].items:
            self.reporter.report(entries["task"], "task", "must name at least one task", "[]")
        return tuple(task for task in TASKS if task in found)

    def root(
        self, document: SourceNode, entries: dict[str, SourceNode], tasks: tuple[str, ...]
    ) -> Section | None:
        define = entries.get("define", SourceNode({}))
        if not define.is_mapping and not define.is_empty:
            self.reporter.report(define, "define", "must be a mapping of named parts", str(define))
            define = SourceNode({})
        if "space" not in entries or entries["space"].is_empty:
            rule = "must say what may be tried"
            self.reporter.report(entries.get("space", document), "space", rule, "nothing")
            return None
        before = len(self.reporter.faults)
        expanded = Definitions(define.value or {}, self.reporter, self.ready).expand(entries["space"], "")
        if len(self.reporter.faults) > before:
            return None
        known = self.vocabulary.parameters
        shared = {key: rule for key, rule in known.items() if key != FAMILY_PARAM}
        compiler = Compiler(self.estimators, KnownKeys(shared), self.reporter, self.ready.hint)
        root, self.sources = compiler.section(expanded, self.vocabulary, ""), compiler.sources
        if root is not None and FAMILY_PARAM in known and FAMILY_PARAM not in expanded.value:
            remedy = "Say which families to try."
            self.reporter.report(entries["space"], FAMILY_PARAM, "must be given", "nothing", remedy)
        if root is not None and len(self.reporter.faults) == before and self.incompatibility is not None:
            for path, value, reason in incompatible(root, tasks, self.incompatibility):
                source = self.sources.get((path, value), document)
                self.reporter.report(source, path, f"must fit {' or '.join(tasks)} ({reason})", value)
        return root

    def constraints(self, entries: dict[str, SourceNode]) -> dict[str, float]:
        """Return the limits on the results of a trial."""
        compiler = Compiler(self.estimators, KnownKeys({}), self.reporter)
        source = entries.get("constraints", SourceNode({}))
        section = compiler.section(source, self.limits, "constraints")
        found: dict[str, float] = {}
        for name, node in section.children.items() if section is not None else ():
            if isinstance(node, Constant):
                found[name] = node.value
            else:
                path = f"constraints.{name}"
                self.reporter.report(source.value[name], path, "a limit must be one number", node.summary())
        return found

    def columns(self, entries: dict[str, SourceNode]) -> dict[str, str]:
        """Return the requested types of columns; the table checks them."""
        source = entries.get("columns", SourceNode({}))
        if not source.is_mapping:
            self.reporter.report(source, "columns", "must be a mapping of column names to types", str(source))
            return {}
        return {name: str(kind.value) for name, kind in source.value.items()}

    def check_positive_class(self, entries: dict[str, SourceNode], tasks: tuple[str, ...]) -> None:
        """Report a positive class that cannot be a label; the table checks whether it is one of its labels."""
        if "positive_class" not in entries:
            return
        source = entries["positive_class"]
        if "binary" not in tasks:
            self.reporter.report(
                source, "positive_class", "must be left out unless the task is binary", str(source)
            )
        elif not isinstance(source.value, str | int | float | bool):
            self.reporter.report(
                source, "positive_class", "must be a label: text, a number or a bool", str(source)
            )

    def forbid(
        self, entries: dict[str, SourceNode], known: list[ParamRef], file: str
    ) -> tuple[Forbidden, ...]:
        rules: list[Forbidden] = []
        for path, item, reporter in self.items(entries, "forbid", file):
            rule = read_forbidden(item, known, path, reporter)
            if rule is not None and any(rule.canonical() == other.canonical() for other in rules):
                reporter.report(item, path, "a rule must occur once", f"{rule} again")
            rules += [] if rule is None else [rule]
        return tuple(rules)

    def enqueue(
        self, entries: dict[str, SourceNode], known: list[ParamRef], file: str, forbid: tuple[Forbidden, ...]
    ) -> tuple[InitialPoint, ...]:
        points: list[InitialPoint] = []
        for path, item, reporter in self.items(entries, "enqueue", file):
            point = read_initial_point(item, known, path, reporter)
            if point is None:
                continue
            broken = next((rule for rule in forbid if rule.forbids(point.values)), None)
            if broken is not None:
                reporter.report(item, path, "an initial point must not be forbidden", str(broken))
                continue
            if any((point.values, point.when) == (other.values, other.when) for other in points):
                reporter.report(item, path, "an initial point must occur once", f"{point} again")
            points.append(point)
        return tuple(points)

    def items(
        self, entries: dict[str, SourceNode], key: str, file: str
    ) -> list[tuple[str, SourceNode, Reporter]]:
        """Return path, item and reporter of each item of a list.

        Faults of an included file's items are ignored: the including file may have changed the tree below them.
        """
        source = entries.get(key, SourceNode([]))
        if not source.is_list and not source.is_empty:
            self.reporter.report(source, key, "must be a list of mappings", str(source))
            return []
        items = source.value or []
        if len(items) > _MAX_RULES:
            self.reporter.report(source, key, f"must have at most {_MAX_RULES} items", str(len(items)))
            return []
        return [  # a reporter of its own for each ignored item: a reporter ends the check after many faults
            (f"{key}[{index}]", item, self.reporter if item.location.file == file else Reporter())
            for index, item in enumerate(items)
        ]

    def check_room(
        self, root: Section, forbid: tuple[Forbidden, ...], entries: dict[str, SourceNode]
    ) -> None:
        """Report rules that forbid nearly everything, by random draws."""
        source = RandomSource(np.random.default_rng(0))
        free = drawn = 0
        while forbid and drawn < _MAX_DRAWS and free < _ENOUGH:
            drawn += 1
            params = params_of(root, instantiate(root, source))
            free += not any(rule.forbids(params) for rule in forbid)
        if free < drawn * _MIN_ALLOWED:
            rule = f"must leave at least {_MIN_ALLOWED:.0%} of the space"
            came = f"{free / drawn:.1%} that is not forbidden" if free else "rules that forbid everything"
            self.reporter.report(entries["forbid"], "forbid", rule, came)

    def check_branches(
        self, root: Section, forbid: tuple[Forbidden, ...], tasks: tuple[str, ...], source: SourceNode
    ) -> None:
        """Report branches whose default configuration does not train."""
        if self.smoke_test is None:
            return
        for branch in broken_branches(root, forbid, tasks, self.smoke_test):
            path = join(FAMILY_PARAM, branch.family)
            rule = f"its default configuration must train ({branch.error.removesuffix('.')})"
            remedy = "Change these values, or forbid them."
            at = self.sources.get((path, branch.family), source)
            self.reporter.report(at, path, rule, branch.params, remedy)
