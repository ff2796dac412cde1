"""Commands that search: search, resume, sync, repair and replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli.options import (
    AllowImport,
    AllowIncludes,
    Calibrate,
    ClassWeight,
    ColumnTypes,
    DropMissingTarget,
    Encoding,
    Engine,
    ExperimentName,
    Folds,
    Groups,
    MemoryLimit,
    ModelFolder,
    NJobs,
    NTrials,
    Patience,
    PositiveClass,
    Pruner,
    RandomState,
    RareClasses,
    ResumedStudy,
    Sampler,
    Scoring,
    Scratch,
    Separator,
    ShowProgress,
    SpaceName,
    Storage,
    StudyName,
    TableFile,
    Target,
    Task,
    Threshold,
    TimeColumn,
    Timeout,
    TrackingUri,
    TrialTimeout,
    UseEnsemble,
    Weight,
)
from automl.cli.output import result
from automl.cli.run_search import run_search
from automl.errors import Fault, InputError, SettingError, collected

__all__ = ["repair", "replay", "resume", "search", "sync"]


def search(
    file: TableFile,
    target: Target,
    space: SpaceName = "tabular",
    scoring: Scoring = None,
    timeout: Timeout = None,
    trial_timeout: TrialTimeout = None,
    memory_limit: MemoryLimit = None,
    patience: Patience = None,
    n_trials: NTrials = None,
    task: Task = None,
    positive_class: PositiveClass = None,
    class_weight: ClassWeight = None,
    weight: Weight = None,
    drop_missing_target: DropMissingTarget = True,
    rare_classes: RareClasses = "error",
    cv: Folds = None,
    time_column: TimeColumn = None,
    groups: Groups = None,
    n_jobs: NJobs = None,
    engine: Engine = None,
    random_state: RandomState = 0,
    study_name: Annotated[
        str | None,
        typer.Option(help="Name of the study; an existing one is continued.", show_default="target and time"),
    ] = None,
    storage: Storage = None,
    sampler: Sampler = None,
    pruner: Pruner = None,
    tracking_uri: TrackingUri = None,
    experiment_name: ExperimentName = None,
    ensemble: UseEnsemble = True,
    calibrate: Calibrate = None,
    threshold: Threshold = None,
    output: ModelFolder = None,
    progress: ShowProgress = True,
    column: ColumnTypes = None,
    encoding: Encoding = None,
    separator: Separator = None,
    scratch: Scratch = None,
    allow_import: AllowImport = None,
    allow_includes: AllowIncludes = None,
) -> None:
    """Search for the best pipeline that predicts TARGET from the other columns of FILE.

    Every trial becomes an MLflow run. The best pipeline is trained on all rows, logged and registered.
    Ctrl-C ends the search early and keeps its results; a second Ctrl-C stops at once.

    [bold]Examples[/]

      automl search customers.csv --target churn
      automl search houses.parquet --target price --timeout 300 --scoring r2 -o model
      automl search customers.csv --target churn --space my_space.yaml --n-trials 200
      automl search sales.csv --target units --task regression --cv time --time-column day
      automl search umsatz.csv --target menge --encoding cp1250 --separator ";"
    """
    settings = dict(locals())
    file, target, output = (settings.pop(name) for name in ("file", "target", "output"))
    if timeout is None and n_trials is None:
        settings["timeout"] = 60
    settings["engine"] = engine or "local"
    settings["scoring"] = _objectives(scoring)
    settings["allow_imports"] = settings.pop("allow_import") or ()
    settings["allow_includes"] = allow_includes or ()
    settings["cv"] = int(cv) if cv is not None and cv.isdecimal() else cv
    errors: list[InputError] = []
    with collected(errors):
        settings["columns"] = _column_types(settings.pop("column"))
    with collected(errors):
        settings["class_weight"] = _class_weight(settings.pop("class_weight"))
    rows = {"groups": settings.pop("groups"), "sample_weight": settings.pop("weight")}
    run_search(file, target, output, settings=settings, errors=errors, **rows)


def resume(
    study_name: ResumedStudy,
    file: Annotated[
        Path | None, typer.Argument(help="The table, if it has moved.", show_default="where it was")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="The space, if it is wider now.", show_default="as it was")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds from now.", show_default="as it was")] = None,
    trial_timeout: Annotated[
        float | None, typer.Option(help="Seconds that a trial may train.", show_default="as it was")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="Memory for all processes together.", show_default="as it was")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Trials without a new best score, before the end.", show_default="as it was"),
    ] = None,
    n_trials: Annotated[
        int | None, typer.Option(help="Trials in total, earlier ones included.", show_default="as it was")
    ] = None,
    n_jobs: Annotated[
        int | None, typer.Option(help="Cohorts side by side.", show_default="as it was")
    ] = None,
    engine: Engine = None,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    output: ModelFolder = None,
    progress: ShowProgress = True,
    scratch: Scratch = None,
    allow_import: AllowImport = None,
    allow_includes: AllowIncludes = None,
) -> None:
    """Continue the study NAME after it ended or was killed.

    The table and the settings are those of the search. A space may be wider than before. Give --storage and
    --tracking-uri if the search had them.

    [bold]Examples[/]

      automl resume churn-20260102-120000-000
      automl resume churn-20260102-120000-000 --timeout 300
      automl resume churn-20260102-120000-000 --engine ray://head:10001
    """
    from automl.search import settings_of
    from automl.study import load_study

    facts, settings = settings_of(load_study(study_name, storage))
    if file is None and not facts.file:
        rule = "must be given for a table that was made in memory"
        raise SettingError(Fault("FILE", rule, "none", f"Name the file: automl resume {study_name} FILE."))
    given = {
        "space": space,
        "timeout": timeout,
        "trial_timeout": trial_timeout,
        "memory_limit": memory_limit,
        "patience": patience,
        "n_trials": n_trials,
        "n_jobs": n_jobs,
        "engine": engine,
        "allow_imports": allow_import,
        "allow_includes": allow_includes,
        "scratch": scratch,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    if n_trials is not None and timeout is None:
        settings["timeout"] = None
    settings |= {"study_name": study_name, "storage": storage, "tracking_uri": tracking_uri}
    run_search(
        file or Path(facts.file),
        facts.target,
        output,
        settings={**settings, **facts.reading, "progress": progress},
        groups=facts.groups or None,
        sample_weight=facts.sample_weight or None,
    )


def sync(
    study: StudyName = None,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    experiment_name: ExperimentName = None,
) -> None:
    """Write the runs that MLflow lacks of a study, and end unfinished ones."""
    from automl.search import sync as level

    name, run_id, n_trials = level(study, storage, tracking_uri, experiment_name)
    fields = {"study": name, "run_id": run_id, "trials": n_trials}
    result(f"{name}: {n_trials} trials in run {run_id}", run_id, **fields)


def repair(
    study_name: ResumedStudy,
    storage: Storage = None,
) -> None:
    """Keep the intact lines of a broken journal file, so that the study can be resumed.

    A trial whose result is lost runs again when the study is resumed. The original file is kept beside it.
    """
    from automl.study import repair_journal

    made = repair_journal(study_name, storage)
    text = f"{made.file}: all {made.kept} lines are intact"
    if made.original is not None:
        lines = ", ".join(map(str, made.dropped[:20])) + (", ..." if len(made.dropped) > 20 else "")
        text = (
            f"{made.file}: {made.kept} lines kept, {len(made.dropped)} dropped ({lines})\n"
            f"{made.n_ended} of {made.n_trials} trials have ended; the original is {made.original}"
        )
    result(text, made.file, **vars(made))


def replay(
    run_id: Annotated[str, typer.Argument(help="MLflow run of a trial.", show_default=False)],
    file: Annotated[
        Path | None, typer.Argument(help="The table, if it has moved.", show_default="where it was")
    ] = None,
    tracking_uri: TrackingUri = None,
    allow_import: AllowImport = None,
) -> None:
    """Train the trial RUN_ID again, alone, and compare the scores; exit with 1 if they differ.

    The table must have the same values as in the search. A pruned trial is trained to its last rung.
    """
    from automl.search import replay_run

    found = replay_run(run_id, file, allow_imports=allow_import or (), tracking_uri=tracking_uri)
    scores = {"recorded": found.recorded.score, "replayed": found.replayed.score}
    result(str(found), found.recorded.number, trial=found.recorded.number, same=found.same, **scores)
    raise typer.Exit(0 if found.same else 1)


def _objectives(scoring: list[str] | None) -> str | list[str] | None:
    """Return the objectives as `Search` takes them: one name, or a list."""
    names = [name.strip() for given in scoring or () for name in given.split(",")]
    return names if len(names) > 1 else names[0] if names else None


def _column_types(given: list[str] | None) -> dict[str, str] | None:
    """Return the types of columns by name; the last ``=`` separates the type."""
    types = {}
    for text in given or ():
        name, equals, kind = text.rpartition("=")
        if not equals:
            raise SettingError(
                Fault("--column", "must be NAME=TYPE", text, "Give e.g. --column zip=categorical.")
            )
        types[name] = kind
    return types or None


def _class_weight(given: list[str] | None) -> str | dict[str, float] | None:
    """Return class weights as `Search` takes them.

    Raises
    ------
    SettingError
        If a weight is no number.
    """
    if not given or given == ["balanced"]:
        return given[0] if given else None
    weights: dict[str, float] = {}
    for one in given:
        label, _, weight = one.rpartition("=")
        try:
            weights[label] = float(weight)
        except ValueError as error:
            rule, remedy = 'must be "balanced" or LABEL=NUMBER', "For example: --class-weight yes=3."
            raise SettingError(Fault("--class-weight", rule, f'"{one}"', remedy)) from error
    return weights
