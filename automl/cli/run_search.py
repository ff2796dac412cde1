"""Run a search for the shell: check everything, search, print the results and the next commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from automl.cli.output import emit, output, print_rows, result, say
from automl.cli.render import best_line, corrected_line, leaderboard_table, sample_line
from automl.errors import AutomlError, InputError, collected, raise_all, without_passwords

if TYPE_CHECKING:
    from automl.records import TrialRecord
    from automl.search import Search

__all__ = ["run_search"]


def run_search(
    file: Path,
    target: str,
    folder: Path | None,
    *,
    settings: Mapping[str, Any],
    groups: str | None = None,
    sample_weight: str | None = None,
    errors: list[InputError] | None = None,
) -> None:
    """Search a file and print the results.

    Parameters
    ----------
    file, target, folder : Path, str, Path or None
        The table, the column to predict, and a folder for the model.
    settings : mapping
        The settings of `Search`.
    groups, sample_weight : str or None
        Columns, as in `Search.fit`.
    errors : list of InputError, optional
        Faults of options that were found before; they are raised together with all others.

    Raises
    ------
    InputError
        With every fault of options, files, settings and the table.
    """
    from automl.export import check_new_folder
    from automl.search import Search, checked_search

    watcher = _Watcher()
    if output.form == "names":
        settings = {**settings, "progress": False}
    search = Search(**settings, callbacks=[watcher])
    errors = [] if errors is None else errors
    with collected(errors):
        if folder is not None:
            check_new_folder(folder)
    if errors:
        by_row = {"groups": groups, "sample_weight": sample_weight}
        with collected(errors), checked_search(search.get_params(deep=False), file, target, by_row):
            pass
    raise_all(errors)
    try:
        search.fit(file, target, groups=groups, sample_weight=sample_weight)
    except InputError:
        raise
    except (KeyboardInterrupt, AutomlError):
        watcher.say_how_to_continue(search)
        raise
    _print(search, folder)


class _Watcher:
    """A callback that prints each trial as an object, and keeps the best one."""

    def __init__(self) -> None:
        self.best: TrialRecord | None = None
        self.study_name = ""

    def on_trial(self, record: TrialRecord, search: Search) -> None:
        self.study_name = search.study_.study_name
        if record.score is not None and (self.best is None or record.place() < self.best.place()):
            self.best = record
        found = {
            "trial": record.number,
            "state": record.state,
            "family": record.family,
            "score": record.score,
        }
        emit({"event": "trial", **found, "seconds": record.seconds, "params": record.params})

    def say_how_to_continue(self, search: Search) -> None:
        """Print the best trial so far and the command that continues, to standard error."""
        if not self.study_name:
            return
        lines = [f"continue the search:  {_resume(search, self.study_name)}"]
        if self.best is not None:
            lines.insert(0, best_line(self.best))
        for line in lines:
            Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def _print(search: Search, folder: Path | None) -> None:
    from automl.study import read_ensemble, read_records, read_search

    study, best, corrected = search.study_.study_name, search.best_trial_, search.corrected_score_
    ensemble = read_ensemble(search.study_) if hasattr(search, "ensemble_") else None
    members = {} if ensemble is None else dict(ensemble.members)
    table, facts = search.leaderboard_, read_search(search.study_)
    print_rows(leaderboard_table(table, 10, study), [], "trial")
    say(best_line(best, len(members)))
    if corrected is not None:
        say(corrected_line(vars(corrected)))
    if facts is not None and (line := sample_line(facts)):
        say(f"{line}; the best pipeline was fitted to {search.fitted_rows_:,}")
    # Before the export, because it is the way to the model if the export fails.
    store = option("--tracking-uri", search.tracking_uri)
    say(f"export the model:     automl export {search.run_id_} {_unused('model')}{store}")
    say(f"continue the search:  {_resume(search, study)}")
    say(f"browse its trials:    {_browse(search, store)}")
    found = {
        "study": study,
        "run_id": search.run_id_,
        "model_uri": getattr(search, "model_uri_", None),
        "trials": len(read_records(search.study_)),
        "score": best.score,
        "corrected": None if corrected is None else vars(corrected),
        "best": {"trial": best.number, "family": best.family, "params": best.params},
        "ensemble": members,
        "folder": None,
    }
    if folder is not None:
        try:
            found["folder"] = str(search.export(folder))
        finally:
            emit({"event": "result", **found})
        say(f"model written to {folder}")
    else:
        emit({"event": "result", **found})
    if output.form == "names":
        result("", search.run_id_)


def _resume(search: Search, study_name: str) -> str:
    """Return the command that continues a search: for as long as before, or with twice the trials."""
    more = f" --n-trials {2 * search.n_trials}" if search.n_trials is not None else ""
    stores = option("--storage", search.storage) + option("--tracking-uri", search.tracking_uri)
    imports = "".join(option("--allow-includes", folder) for folder in search.allow_includes)
    return f"automl resume {shlex.quote(study_name)}{more}{stores}{imports}"


def _browse(search: Search, store: str) -> str:
    """Return the command that shows the trials in MLflow and their address; the address alone of a server."""
    from automl.tracking import default_tracking_uri, ui_url

    uri = search.tracking_uri or default_tracking_uri()
    try:
        if uri.startswith("http"):
            return ui_url(uri, run_id=search.run_id_, address=without_passwords(uri))
        return f"automl ui {search.run_id_}{store}  ({ui_url(uri, run_id=search.run_id_)})"
    except AutomlError:  # the store does not answer
        return f"automl ui {search.run_id_}{store}"


def _unused(name: str) -> str:
    """Return a name of a folder that does not exist: the name itself, or with a number added."""
    number = 1
    while Path(unused := name if number == 1 else f"{name}-{number}").exists():
        number += 1
    return unused


def option(name: str, value: Any) -> str:
    """Return an option as it is written in a shell, without passwords; empty for None."""
    return "" if value is None else f" {name} {shlex.quote(without_passwords(str(value)))}"
