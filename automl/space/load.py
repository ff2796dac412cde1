"""The one way in: from whatever holds a space to a checked `Space`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from automl.constraints import Section
from automl.errors import Fault, SpaceError, nearest
from automl.space.check import Checker
from automl.space.estimators import estimator_section
from automl.space.files import read_source
from automl.space.nodes import Group
from automl.space.parts import Parts
from automl.space.raw import Raw, show
from automl.space.space import Space
from automl.space.words import DOCUMENT, TASKS, VERSION

__all__ = ["load_space"]


def load_space(
    source: str | Path | Mapping[str, Any] | Space,
    *,
    vocabulary: Section,
    folder: Path | None = None,
    allow_imports: Iterable[str] = (),
) -> Space:
    """Load and check a search space.

    Parameters
    ----------
    source : str, Path, mapping or Space
        The name of a space that ships, the path of a file, YAML text (with a line break), the same as a
        mapping, or a `Space`, which is returned as it is.
    vocabulary : Section
        What keys there are, and what they may be.
    folder : Path, optional
        Where names are looked up; by default among the spaces that ship.
    allow_imports : iterable of str
        Packages, besides scikit-learn and its like, that ``estimator:`` may import classes from.

    Returns
    -------
    Space
        The checked space.

    Raises
    ------
    SpaceError
        Every fault of the source at once, each with its line.
    """
    if isinstance(source, Space):
        return source
    faults: list[Fault] = []
    raw = read_source(source, faults, folder)
    name = Path(source).stem if isinstance(source, str | Path) and "\n" not in str(source) else "space"
    document = _Document(vocabulary, tuple(allow_imports), faults)
    space = document.compile(raw, name)
    if faults or space is None:
        raise SpaceError(faults)
    return space


class _Document:
    def __init__(self, vocabulary: Section, allow_imports: tuple[str, ...], faults: list[Fault]) -> None:
        self.vocabulary = vocabulary
        self.estimators = partial(estimator_section, allow_imports=allow_imports)
        self.faults = faults

    def compile(self, raw: Raw, name: str) -> Space | None:
        if not raw.is_mapping:
            self.fault(raw, "", "must be a mapping with a key `space`", show(raw))
            return None
        entries: dict[str, Raw] = raw.value
        for key in entries:
            if key not in DOCUMENT:
                self.fault(entries[key], key, "must be a key of the file", key, nearest(key, DOCUMENT))
        if "version" in entries and entries["version"].value != VERSION:
            self.fault(entries["version"], "version", f"must be {VERSION}", show(entries["version"]))
        name = self.text(entries, "name", name)
        about = self.text(entries, "about", "")
        tasks = self.tasks(entries)
        root = self.tree(raw, entries)
        return Space(name, about, tasks, root) if root is not None else None

    def tree(self, raw: Raw, entries: dict[str, Raw]) -> Group | None:
        define = entries.get("define", Raw({}))
        if not define.is_mapping and not define.is_empty:
            self.fault(define, "define", "must be a mapping of named parts", show(define))
            define = Raw({})
        if "space" not in entries or entries["space"].is_empty:
            self.fault(entries.get("space", raw), "space", "must say what may be tried", "nothing")
            return None
        parts = Parts(define.value or {})
        expanded = parts.expand(entries["space"], "")
        self.faults += parts.faults
        if parts.faults:
            return None
        shared = {key: rule for key, rule in self.vocabulary.parameters.items() if key != "model"}
        checker = Checker(self.estimators, Section(shared))
        root = checker.section(expanded, self.vocabulary, "")
        self.faults += checker.faults
        if root is not None and "model" in self.vocabulary.parameters and "model" not in expanded.value:
            self.fault(entries["space"], "model", "must be given", "nothing", "Say which families to try.")
        return root

    def tasks(self, entries: dict[str, Raw]) -> tuple[str, ...]:
        if "task" not in entries:
            return TASKS
        given = entries["task"].value if entries["task"].is_list else [entries["task"]]
        for task in given:
            if task.value not in TASKS:
                rule = f"must be one or more of {', '.join(TASKS)}"
                self.fault(task, "task", rule, show(task), nearest(show(task), TASKS))
        if not given:
            self.fault(entries["task"], "task", "must name at least one task", "[]")
        return tuple(task for task in TASKS if any(item.value == task for item in given))

    def text(self, entries: dict[str, Raw], key: str, default: str) -> str:
        if key not in entries:
            return default
        value = entries[key].value
        if not isinstance(value, str) or not value:
            self.fault(entries[key], key, "must be text", show(value))
            return default
        return value

    def fault(self, raw: Raw, path: str, rule: str, came: str, remedy: str = "") -> None:
        self.faults.append(Fault(raw.place.at(path), rule, came, remedy))
