"""Compare searches: settings, spaces, scores on the same folds, and progress."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import AutomlError, Fault, SettingError
from automl.families import load_space
from automl.records import SearchRecord
from automl.search.analysis import study_results
from automl.search.resume import foreign_study
from automl.select import paired_interval
from automl.study import Study, known_studies, load_study, read_records, read_search, read_settings
from automl.tracking import read_study_name

if TYPE_CHECKING:
    from automl.report import Figure, StudyResults, Table

__all__ = ["Comparison", "compare", "find_study"]

_RUN_ID = 32  # hexadecimal digits
_OWN = (
    "study_name",
    "space",
    "experiment_name",
    "tracking_uri",
    "progress",
    "resume",
)  # settings not compared
_FACTS = ("target", "task", "scoring", "space", "n_rows", "n_columns", "n_folds", "file", "content", "folds")


@dataclass(frozen=True)
class Comparison:
    """Several searches to compare.

    Parameters
    ----------
    searches : dict of str to StudyResults
        The searches by the name of their study.
    settings : dict of str to dict
        The stored settings of each.
    """

    searches: dict[str, StudyResults]
    settings: dict[str, dict[str, Any]]

    @cached_property
    def differences(self) -> list[tuple[float, float, float] | None]:
        """Best score minus that of the first search with a 95 % interval; None if they are not comparable."""
        first, *_ = self.searches.values()
        return [None if one is first else _difference(one, first) for one in self.searches.values()]

    @cached_property
    def table(self) -> Table:
        """Scores, trials and time of each search."""
        from automl.report import scores_table

        return scores_table(self.searches, self.differences)

    @cached_property
    def changed(self) -> Table:
        """The facts and settings that differ, a column for each search."""
        from automl.report import Table

        facts = [one.facts.model_dump() for one in self.searches.values()]
        values = {name: [fact[name] for fact in facts] for name in _FACTS}
        names = dict.fromkeys(name for one in self.settings.values() for name in one if name not in _OWN)
        values |= {name: [one.get(name) for one in self.settings.values()] for name in names}
        rows = [
            [name, *(json.dumps(one, default=str).strip('"') for one in row)]
            for name, row in values.items()
            if any(one != row[0] for one in row)
        ]
        return Table(["setting", *self.searches], rows)

    @cached_property
    def changes(self) -> dict[str, str]:
        """Changes from the space of the first search to that of each other one, a line each; by name."""
        (_, first), *others = self.settings.items()
        return {name: _changes(first.get("space"), one.get("space")) for name, one in others}

    @property
    def figure(self) -> Figure:
        """The best score so far of all searches."""
        from automl.report import compared_history

        return compared_history(self.searches)

    def write(self, path: str | Path) -> Path:
        """Write the comparison as one HTML page, and return the file."""
        from automl.report import html_comparison

        Path(path).write_text(
            html_comparison(self.searches, self.differences, self.changed, self.changes), encoding="utf-8"
        )
        return Path(path)


def compare(names: Sequence[str], *, storage: Any = None, tracking_uri: str | None = None) -> Comparison:
    """Return the comparison of two or more studies.

    Parameters
    ----------
    names : sequence of str
        Names of studies, or ids of MLflow runs of searches.
    storage, tracking_uri
        The settings of `Search`.

    Raises
    ------
    SettingError
        If there are fewer than two, or one is unknown.
    """
    studies = {study.study_name: study for study in (find_study(one, storage, tracking_uri) for one in names)}
    if len(studies) < 2:
        came = ", ".join(names) or "none"
        raise SettingError(Fault("studies", "must be two different ones or more", came))
    facts = {name: _facts(study) for name, study in studies.items()}
    return Comparison(
        {
            name: study_results(
                study, facts[name], read_records(study), tracking_uri=tracking_uri, storage=storage
            )
            for name, study in studies.items()
        },
        {name: read_settings(study).get("plain", {}) for name, study in studies.items()},
    )


def find_study(name: str | None, storage: Any = None, tracking_uri: str | None = None) -> Study:
    """Return the study of that name, or of the MLflow run with that id; None is the newest one.

    Raises
    ------
    SettingError
        If there is no such study.
    """
    looks_like_run = name is not None and len(name) == _RUN_ID and not set(name) - set("0123456789abcdef")
    if name is not None and looks_like_run and name not in known_studies(storage):
        name = read_study_name(name, tracking_uri)
    return load_study(name, storage)


def _facts(study: Study) -> SearchRecord:
    facts = read_search(study)
    if facts is None:
        raise SettingError(foreign_study(study.study_name))
    return facts


def _difference(one: StudyResults, first: StudyResults) -> tuple[float, float, float] | None:
    same = all(
        getattr(one.facts, name) == getattr(first.facts, name) for name in ("content", "folds", "weights")
    )
    mine, theirs = one.best, first.best
    if (
        not same
        or not one.facts.folds
        or one.score_name != first.score_name
        or mine is None
        or theirs is None
    ):
        return None
    return paired_interval(mine.fold_scores, theirs.fold_scores)


def _changes(old: str | None, new: str | None) -> str:
    if not old or not new:
        return ""
    try:
        return "\n".join(map(str, load_space(old).diff(load_space(new))))
    except AutomlError as error:  # of another version, or with classes that this process does not import
        return f"the spaces cannot be compared: {error}"
