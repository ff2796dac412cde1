"""The one way in: from whatever holds a space to a checked `Space`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from automl.constraints import Section
from automl.errors import Fault, SpaceError, nearest
from automl.space.check import Checker, Estimators
from automl.space.choosers import RandomChooser
from automl.space.describe import words
from automl.space.estimators import estimator_section
from automl.space.files import read_source
from automl.space.index import spots
from automl.space.nodes import Constant, Group, join
from automl.space.parts import Parts
from automl.space.ranges import Report
from automl.space.raw import BROKEN, Faults, Raw, show
from automl.space.restrict import Fits, misfits
from automl.space.rules import Rule, Start, read_rule, read_start
from automl.space.space import Space
from automl.space.tryout import Tries, untrainable
from automl.space.walk import build
from automl.space.words import DOCUMENT, TASKS, VERSION

__all__ = ["load_space"]

_MAX_RULES = 500
_MAX_DRAWS = 2000
_ENOUGH = 40
_LEAST_ROOM = 0.02


def load_space(
    source: str | Path | Mapping[str, Any] | Space,
    *,
    vocabulary: Section,
    limits: Section | None = None,
    folder: Path | None = None,
    allow_imports: Iterable[str] = (),
    structural: Callable[[str], bool] | None = None,
    fits: Fits | None = None,
    tries: Tries | None = None,
) -> Space:
    """Load and check a search space.

    Parameters
    ----------
    source : str, Path, mapping or Space
        The name of a space that ships, the path of a file, YAML text (with a line break), the same as a
        mapping, or a `Space`, which is returned as it is.
    vocabulary : Section
        What keys there are, and what they may be.
    limits : Section, optional
        What of a trial's result may be limited under ``constraints``, and by what; nothing by default.
    folder : Path, optional
        Where names are looked up; by default among the spaces that ship.
    allow_imports : str or iterable of str
        Packages, besides scikit-learn and its like, that ``estimator:`` may import classes from.
    structural : callable, optional
        ``structural(path)`` tells which values must be equal for trials to train together; all by default.
    fits : callable, optional
        ``fits(task, family, params)`` says why a family, alone or with one parameter, is not for a task.
        What is for none of the tasks of the space is a fault.
    tries : callable, optional
        ``tries(task, configuration)`` fits one to next to nothing and says what there is against it. Values of an
        ``estimator:`` branch that cannot train together, and are not forbidden, are a fault.

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
    faults = Faults()
    raw = read_source(source, faults, folder)
    name = Path(source).stem if isinstance(source, str | Path) and "\n" not in str(source) else "space"
    allowed = (allow_imports,) if isinstance(allow_imports, str) else tuple(allow_imports)
    estimators = partial(estimator_section, allow_imports=allowed)
    document = _Document(vocabulary, limits or Section({}), estimators, fits, tries, faults)
    space = document.compile(raw, name)
    if faults or space is None:
        raise SpaceError(faults)
    return replace(space, structural=structural) if structural else space


class _Document:
    def __init__(
        self,
        vocabulary: Section,
        limits: Section,
        estimators: Estimators,
        fits: Fits | None,
        tries: Tries | None,
        faults: Faults,
    ) -> None:
        self.vocabulary = vocabulary
        self.limits = limits
        self.estimators = estimators
        self.fits, self.tries = fits, tries
        self.file = ""
        self.places: dict[tuple[str, str], Raw] = {}
        self.faults = faults

    def compile(self, raw: Raw, name: str) -> Space | None:
        if not raw.is_mapping:
            self.fault(raw, "", "must be a mapping with a key `space`", show(raw))
            return None
        entries: dict[str, Raw] = raw.value
        self.file = raw.place.file
        for key in entries:
            if key not in DOCUMENT:
                self.fault(entries[key], key, "must be a key of the file", key, nearest(key, DOCUMENT))
        if "version" in entries and entries["version"].value != VERSION:
            self.fault(entries["version"], "version", f"must be {VERSION}", show(entries["version"]))
        name = self.text(entries, "name", name)
        about = self.text(entries, "about", "")
        tasks = self.tasks(entries)
        root = self.tree(raw, entries, tasks)
        constraints = self.constraints(entries)
        if self.faults or root is None:
            return None
        space = Space(name, about, tasks, root, *self.rules(entries, root), constraints=constraints)
        if space.forbid and not self.faults:
            self.room(space, entries["forbid"])
        if not self.faults:
            self.tryout(space, entries["space"])
        return space

    def tree(self, raw: Raw, entries: dict[str, Raw], tasks: tuple[str, ...]) -> Group | None:
        define = entries.get("define", Raw({}))
        if not define.is_mapping and not define.is_empty:
            self.fault(define, "define", "must be a mapping of named parts", show(define))
            define = Raw({})
        if "space" not in entries or entries["space"].is_empty:
            self.fault(entries.get("space", raw), "space", "must say what may be tried", "nothing")
            return None
        found = len(self.faults)
        expanded = Parts(define.value or {}, self.faults).expand(entries["space"], "")
        if len(self.faults) > found:
            return None
        shared = {key: rule for key, rule in self.vocabulary.parameters.items() if key != "model"}
        checker = Checker(self.estimators, Section(shared), self.faults)
        root = checker.section(expanded, self.vocabulary, "")
        self.places = checker.places
        if root is not None and "model" in self.vocabulary.parameters and "model" not in expanded.value:
            self.fault(entries["space"], "model", "must be given", "nothing", "Say which families to try.")
        if root is not None and len(self.faults) == found and self.fits is not None:
            for path, value, reason in misfits(root, tasks, self.fits):
                rule = f"must fit {' or '.join(tasks)} ({reason})"
                self.fault(checker.places.get((path, show(value)), raw), path, rule, show(value))
        return root

    def constraints(self, entries: dict[str, Raw]) -> dict[str, float]:
        """Return the limits on what is measured of a trial."""
        checker = Checker(self.estimators, Section({}), self.faults)
        raw = entries.get("constraints", Raw({}))
        group = checker.section(raw, self.limits, "constraints")
        found: dict[str, float] = {}
        for name, node in group.children.items() if group is not None else ():
            if isinstance(node, Constant):
                found[name] = node.value
            else:
                self.fault(raw.value[name], f"constraints.{name}", "a limit must be one number", words(node))
        return found

    def rules(self, entries: dict[str, Raw], root: Group) -> tuple[tuple[Rule, ...], tuple[Start, ...]]:
        known = list(spots(root))
        rules, starts = [], []
        for path, item, report in self.items(entries, "forbid"):
            rule = read_rule(item, known, path, report)
            rules += [] if rule is None else [rule]
        for path, item, report in self.items(entries, "enqueue"):
            start = read_start(item, known, path, report)
            broken = next((rule for rule in rules if start is not None and rule.forbids(start.values)), None)
            if broken is not None:
                report(item, path, "a start must not be forbidden", str(broken), "")
            elif start is not None:
                starts.append(start)
        return tuple(rules), tuple(starts)

    def items(self, entries: dict[str, Raw], word: str) -> list[tuple[str, Raw, Report]]:
        """Return the items with who hears of their faults.

        One of an included file may have lost its place in what the including file made of the space.
        """
        raw = entries.get(word, Raw([]))
        if not raw.is_list and not raw.is_empty:
            self.fault(raw, word, "must be a list of mappings", show(raw))
            return []
        if len(raw.value or []) > _MAX_RULES:
            self.fault(raw, word, f"must have at most {_MAX_RULES} items", str(len(raw.value)))
            return []
        return [
            (f"{word}[{index}]", item, self.fault if item.place.file == self.file else lambda *fault: None)
            for index, item in enumerate(raw.value or [])
        ]

    def tryout(self, space: Space, written: Raw) -> None:
        """Fit what classes are named by ``estimator``: only that tells what they take together."""
        if self.tries is None:
            return
        for misfit in untrainable(space.root, space.forbid, space.tasks, self.tries):
            place = self.places.get((join("model", misfit.family), misfit.family), written)
            rule = f"every configuration must be able to train ({misfit.reason.removesuffix('.')})"
            remedy = f"Change it, or forbid it: {misfit.rule}." if misfit.rule else "Nothing of it trains."
            self.fault(place, join("model", misfit.family), rule, misfit.came, remedy)

    def room(self, space: Space, forbid: Raw) -> None:
        """Draw until enough is found that is not forbidden, or it is plain that there is hardly any."""
        rng = np.random.default_rng(0)
        free = drawn = 0
        while drawn < _MAX_DRAWS and free < _ENOUGH:
            drawn += 1
            free += not space.forbidden(build(space.root, RandomChooser(rng)))
        if free < drawn * _LEAST_ROOM:
            rule = f"must leave at least {_LEAST_ROOM:.0%} of the space"
            came = "rules that forbid everything" if not free else f"{free / drawn:.1%} that is not forbidden"
            self.fault(forbid, "forbid", rule, came)

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
            self.fault(entries[key], key, "must be text", show(entries[key]))
            return default
        return value

    def fault(self, raw: Raw, path: str, rule: str, came: str, remedy: str = "") -> None:
        if raw.value is not BROKEN:
            self.faults.add(Fault(raw.place.at(path), rule, came, remedy))
