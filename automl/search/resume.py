"""Resuming a study: whether it belongs to the same search, and the settings it was started with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl.errors import Fault, SettingError, SpaceError
from automl.records import SearchRecord
from automl.search.known_study import known_facts
from automl.study import Study, read_records, read_search, read_settings
from automl.table import Split

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["check_same", "foreign_study", "known_pruner", "known_split", "settings_of"]

# Facts that must not change between two processes of a search.
_EQUAL_FACTS = (
    "task",
    "target",
    "scoring",
    "directions",
    "constraints",
    "random_state",
    "n_rows",
    "n_columns",
    "n_folds",
    "class_weights",
)
_OLDEST_PRUNER = "median"  # the default of studies that do not name theirs


def known_pruner(study: Study) -> str:
    """Return the name of the pruner that a study was searched with, which a search that names none continues with."""
    return read_settings(study).get("plain", {}).get("pruner") or _OLDEST_PRUNER


def check_same(study: Study, new: SearchRecord, space: Space) -> bool:
    """Check that a search may continue a study, and return whether the study has been searched before.

    Raises
    ------
    SettingError
        With every difference, if the study has another table, target, metric or folds, or trials that are not points
        of the space.
    """
    old = read_search(study)
    if old is None:
        if study.get_trials(deepcopy=False):
            raise SettingError(foreign_study(study.study_name))
        return False
    faults = [
        Fault(name, f"must be {getattr(old, name)}, as in the study", str(getattr(new, name)))
        for name in _EQUAL_FACTS
        if getattr(old, name) != getattr(new, name)
    ]
    if old.positive_class and old.positive_class != new.positive_class:
        rule = f"must be {old.positive_class}, as in the study"
        faults.append(Fault("positive_class", rule, new.positive_class or "none"))
    if changed := _changed_columns(old.columns, new.columns):
        remedy = 'Types may be asked for: columns={"NAME": "categorical"}; "drop" leaves a column out.'
        faults.append(Fault("table", "must have the columns of the study", changed, remedy))
    if not faults and old.content and old.content != new.content:
        faults.append(Fault("table", "must hold the values that the study was started on", "others"))
    elif not faults and old.weights != new.weights:
        came = "others" if old.weights and new.weights else "none" if old.weights else "some"
        faults.append(Fault("sample_weight", "must be the weights of the study", came))
    elif not faults and old.folds and old.folds != new.folds:
        faults.append(Fault("cv", "must give the folds of the study", "others"))
    if old.space_digest != new.space_digest:
        faults += _space_faults(study, space)
    if faults:
        raise SettingError(faults)
    return True


def known_split(settings: Mapping[str, Any]) -> Split | None:
    """Return the default split of the study that a search continues; None for a new study.

    The number of default folds depends on the time limit, and earlier versions had other rules.
    """
    facts = known_facts(settings)
    return None if facts is None or facts.cv is not None else Split(facts.n_folds, facts.hold_out)


def foreign_study(study_name: str) -> Fault:
    """Return the fault of a study that another program made."""
    return Fault("study_name", "must name a study of automl's own", f'"{study_name}" of another program')


def _changed_columns(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if not old:  # written by an older version
        return ""
    gone, came = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    parts = [f"no {', '.join(gone)}"] if gone else []
    parts += [f"{', '.join(came)} besides"] if came else []
    kinds = [name for name in old if name in new and _used(old[name]) != _used(new[name])]
    parts += [f"{name} as {new[name]} instead of {old[name]}" for name in kinds]
    return "; ".join(parts)


def _used(kind: str) -> str:
    """Return a column type; identifiers and constants are equal to columns dropped on request."""
    return "drop" if kind in ("identifier", "constant", "drop") else kind


def _space_faults(study: Study, space: Space) -> list[Fault]:
    """Return why a study cannot be continued in a changed space: the space may be wider, not narrower."""
    faults = []
    for record in read_records(study):
        if record.state == "failed" or record.outside:  # the space may forbid it by now
            continue
        try:
            space.validate(record.configuration)
        except SpaceError as error:
            first = error.faults[0]
            came = f"one without trial {record.number} ({first.where}: {first.rule}; it has {first.came})"
            faults.append(Fault("space", "must have room for every trial of the study", came))
            break
    return faults


def settings_of(study: Study) -> tuple[SearchRecord, dict[str, Any]]:
    """Return the facts of a study's search, and the settings to resume it with.

    Raises
    ------
    SettingError
        If another program made the study, or a setting was an object, which only a program can pass.
    """
    facts, kept = read_search(study), read_settings(study)
    if facts is None or not kept:
        raise SettingError(foreign_study(study.study_name))
    advice = f'Resume from Python: Search(study_name="{study.study_name}", ...).'
    rule = "must be a plain value to resume from a shell"
    by_row = [name for name in ("groups", "sample_weight") if getattr(facts, name) == "object"]
    faults = [Fault(name, rule, "an object of a program", advice) for name in [*kept["objects"], *by_row]]
    if faults:
        raise SettingError(faults)
    return facts, dict(kept["plain"])
