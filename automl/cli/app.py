"""The command line: search, resume, look, export, predict."""

from __future__ import annotations

import _thread
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer
from rich.console import Console

from automl.cli.render import leaderboard_table, predictions_table
from automl.cli.spaces import AllowImport
from automl.cli.spaces import app as spaces_app
from automl.errors import AutomlError, Fault, InputError, SettingError
from automl.version import __version__

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app", "main"]

app = typer.Typer(
    help="Search for the best pipeline for a table, see everything that was tried, keep the best.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(spaces_app, name="spaces")
console = Console()

_STOPPED = 130  # the exit code of what Ctrl-C ended, as shells have it


TrackingUri = Annotated[
    str | None,
    typer.Option(help="MLflow's store.", show_default="sqlite:///mlruns/mlflow.db", metavar="URI"),
]
ExperimentName = Annotated[str | None, typer.Option(help="MLflow's experiment.", show_default="automl")]
Storage = Annotated[
    str | None,
    typer.Option(
        help="Where studies are kept: a journal file, or a storage URL of Optuna.",
        show_default="mlruns/studies/NAME.journal",
        metavar="PATH|URL",
    ),
]
TableFile = Annotated[Path, typer.Argument(help="The table: .csv, .csv.gz or .parquet.", show_default=False)]
Target = Annotated[str, typer.Option(help="The column to predict.", show_default=False)]
SpaceName = Annotated[str, typer.Option(help="A space that ships, or a YAML file.")]
Scoring = Annotated[
    list[str] | None,
    typer.Option(
        help="What ranks trials: a scorer of scikit-learn, e.g. accuracy, f1, r2. Several objectives, with commas or "
        "by giving it several times: a scorer first, then scorers, fit_seconds, predict_seconds, model_bytes.",
        metavar="NAME[,NAME]",
        show_default="roc_auc, neg_log_loss or neg_root_mean_squared_error",
    ),
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds in all; without it and --n-trials, 60.", show_default="60")
]
TrialTimeout = Annotated[
    float | None,
    typer.Option(help="Seconds that a trial may train; then it is pruned.", show_default="no limit"),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(help="Memory for all processes together, e.g. 4GB.", show_default="no limit"),
]
Patience = Annotated[
    int | None, typer.Option(help="Trials without a new best one, before the end.", show_default="no limit")
]
NTrials = Annotated[int | None, typer.Option(help="Trials in all.", show_default="as many as fit")]
Folds = Annotated[int | None, typer.Option(help="Folds.", show_default="by the number of rows")]
NJobs = Annotated[
    int | None,
    typer.Option(help="Cohorts side by side; -1: one a core.", show_default="one a core"),
]
RandomState = Annotated[int, typer.Option(help="The seed of everything.")]
Sampler = Annotated[
    str | None, typer.Option(help="tpe, gp, cmaes, random, qmc, grid or nsgaii.", show_default="tpe")
]
Pruner = Annotated[
    str | None,
    typer.Option(
        help="median, percentile, successive_halving, hyperband, patient, threshold:SCORE, wilcoxon or none.",
        show_default="median",
    ),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Also write the best model to this folder.", show_default=False),
]
ShowProgress = Annotated[bool, typer.Option(help="Show what happens.")]


def main() -> NoReturn:
    """Run the command line; a fault of the input is one message and exit code 2, never a traceback."""
    warnings.showwarning = _show_warning
    sys.unraisablehook = _raise_again
    try:
        try:
            code = _run()
        finally:
            # All is said and written; a Ctrl-C that comes late must not turn the end into a crash.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except (KeyboardInterrupt, typer.Abort):
        Console(stderr=True).print("stopped", style="yellow")
        sys.stdout.flush()
        # At once, whatever threads are doing. And where it was an import that Ctrl-C broke off, `python -m` would make
        # another exit code of sys.exit's.
        os._exit(_STOPPED)
    sys.exit(code)


def _raise_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise a Ctrl-C once more that came while Python cleaned up an object, where nothing can be raised."""
    if unraisable.exc_type is KeyboardInterrupt:
        # From another thread: here it would be ignored just the same.
        if hasattr(signal, "pthread_kill"):
            main = threading.main_thread().ident
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
        else:  # Windows
            threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _run() -> int:
    """Run the command that was typed, and return the exit code."""
    try:
        return app(standalone_mode=False) or 0
    except typer.Exit as stop:
        return stop.exit_code
    except AutomlError as error:
        _complain(str(error))
        return 2 if isinstance(error, InputError) else 1
    except (KeyboardInterrupt, typer.Abort):
        raise
    except Exception as error:
        # What typer and click raise about the command line itself knows how to show itself.
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            error.show()
            return int(error.exit_code)
        raise


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
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
    cv: Folds = None,
    n_jobs: NJobs = None,
    random_state: RandomState = 0,
    study_name: Annotated[
        str | None,
        typer.Option(help="Name of the study; one that exists goes on.", show_default="target and time"),
    ] = None,
    storage: Storage = None,
    sampler: Sampler = None,
    pruner: Pruner = None,
    tracking_uri: TrackingUri = None,
    experiment_name: ExperimentName = None,
    output: ModelFolder = None,
    progress: ShowProgress = True,
    allow_import: AllowImport = None,
) -> None:
    """Search for the best pipeline that predicts TARGET from the other columns of FILE.

    Every trial becomes a run in MLflow; the best pipeline is trained again on all rows, logged and registered.
    Ctrl-C ends the search early and keeps what was found; a second one stops at once.

    [bold]Examples[/]

      automl search customers.csv --target churn
      automl search houses.parquet --target price --timeout 300 --scoring r2 -o model
      automl search customers.csv --target churn --space my_space.yaml --n-trials 200
    """
    settings = dict(locals())
    file, target, output = (settings.pop(name) for name in ("file", "target", "output"))
    if timeout is None and n_trials is None:
        settings["timeout"] = 60
    settings["scoring"] = _objectives(scoring)
    _search(file, target, output, allow_imports=settings.pop("allow_import") or (), **settings)


@app.command()
def resume(
    study_name: Annotated[str, typer.Argument(help="The study's name.", metavar="NAME", show_default=False)],
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
        typer.Option(help="Trials without a new best one, before the end.", show_default="as it was"),
    ] = None,
    n_trials: Annotated[
        int | None, typer.Option(help="Trials in all, old ones included.", show_default="as it was")
    ] = None,
    n_jobs: Annotated[
        int | None, typer.Option(help="Cohorts side by side.", show_default="as it was")
    ] = None,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    output: ModelFolder = None,
    progress: ShowProgress = True,
    allow_import: AllowImport = None,
) -> None:
    """Go on with the study NAME where it stopped, or was killed.

    Table and settings are those of the search. Another table is refused, and a space without room for the trials that
    are there. Give --storage and --tracking-uri if the search had them.

    [bold]Examples[/]

      automl resume churn-20260102-120000-000
      automl resume churn-20260102-120000-000 --timeout 300
    """
    from automl.search import settings_of
    from automl.study import load_study

    about, settings = settings_of(load_study(study_name, storage))
    if file is None and not about.file:
        rule = "must be named for a study whose table came from no file"
        raise SettingError(Fault("FILE", rule, "none", f"Name the file: automl resume {study_name} FILE."))
    given = {
        "space": space,
        "timeout": timeout,
        "trial_timeout": trial_timeout,
        "memory_limit": memory_limit,
        "patience": patience,
        "n_trials": n_trials,
        "n_jobs": n_jobs,
        "allow_imports": allow_import,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    if n_trials is not None and timeout is None:
        settings["timeout"] = None
    _search(
        file or Path(about.file),
        about.target,
        output,
        **settings,
        study_name=study_name,
        storage=storage,
        tracking_uri=tracking_uri,
        progress=progress,
    )


@app.command()
def sync(
    study: Annotated[str | None, typer.Argument(help="The study's name.", show_default="the newest")] = None,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    experiment_name: ExperimentName = None,
) -> None:
    """Bring MLflow level with a study: missing runs are written, unfinished ones ended."""
    from automl.search import sync as level

    name, run_id, n_trials = level(study, storage, tracking_uri, experiment_name)
    _say(f"{name}: {n_trials} trials in run {run_id}")


def _search(file: Path, target: str, output: Path | None, **settings: Any) -> None:
    from automl.export import check_new_folder
    from automl.search import Search
    from automl.table import read_table

    if output is not None:
        check_new_folder(output)
    X, y = read_table(file, target=target)
    found = Search(**settings).fit(X, y)
    console.print(leaderboard_table(found.leaderboard_, 10, found.study_.study_name, brief=True))
    # Before the export: if that fails, this is how to come by the model.
    store = _option("--tracking-uri", found.tracking_uri)
    _say(f"export the model:  automl export {found.run_id_} model{store}")
    _say(f"browse all runs:   automl ui{store}{_option('--experiment-name', found.experiment_name)}")
    if output is not None:
        _say(f"model written to {found.export(output)}")


def _objectives(scoring: list[str] | None) -> str | list[str] | None:
    """Return what was asked for as `Search` takes it: one name, or a list of several."""
    names = [name.strip() for given in scoring or () for name in given.split(",")]
    return names if len(names) > 1 else names[0] if names else None


def _option(name: str, value: str | None) -> str:
    return "" if value is None else f" {name} {shlex.quote(value)}"


@app.command()
def replay(
    run_id: Annotated[str, typer.Argument(help="MLflow's run of a trial.", show_default=False)],
    file: Annotated[
        Path | None, typer.Argument(help="The table, if it has moved.", show_default="where it was")
    ] = None,
    tracking_uri: TrackingUri = None,
    allow_import: AllowImport = None,
) -> None:
    """Train the trial RUN_ID again, alone, and say whether its score is what was recorded; if not, exit with 1.

    The table must hold the values it held then. A trial that was pruned is trained to the rung it had come to.
    """
    from automl.search import replay_run
    from automl.table import read_table
    from automl.tracking import read_trial

    table = (
        (None, None) if file is None else read_table(file, target=read_trial(run_id, tracking_uri)[0].target)
    )
    found = replay_run(run_id, *table, allow_imports=allow_import or (), tracking_uri=tracking_uri)
    _say(str(found))
    raise typer.Exit(0 if found.same else 1)


@app.command()
def leaderboard(
    study: Annotated[str | None, typer.Argument(help="The study's name.", show_default="the newest")] = None,
    top: Annotated[int, typer.Option(help="How many trials to show.", min=1)] = 20,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write all of them, with every parameter, to a CSV file.",
            show_default=False,
        ),
    ] = None,
    storage: Storage = None,
) -> None:
    """Show the trials of a study, best first; also while it is still searching."""
    from automl.select import leaderboard as rank
    from automl.study import load_study, read_records, read_search

    _check_file(output)
    found = load_study(study, storage)
    records = read_records(found)
    if not records:
        _say(f"{found.study_name}: no trial has ended yet")
        return
    table = rank(records, search=read_search(found))
    if output is not None:
        table.to_csv(output)
        _say(f"{len(table)} trials written to {output}")
        return
    console.print(leaderboard_table(table, top, found.study_name))


@app.command()
def export(
    run_id: Annotated[
        str, typer.Argument(help="MLflow's run of the search, or of its best trial.", show_default=False)
    ],
    folder: Annotated[Path, typer.Argument(help="Where to write the model.", show_default=False)],
    tracking_uri: TrackingUri = None,
) -> None:
    """Write the model of a search to FOLDER.

    It is an MLflow model: automl predict, automl.load_model and MLflow itself read it.
    """
    from automl.export import export_run

    _say(f"model written to {export_run(run_id, folder, tracking_uri)}")


@app.command()
def predict(
    model: Annotated[
        str, typer.Argument(help="A model folder, or models:/NAME/VERSION.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="The rows: .csv, .csv.gz or .parquet.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .csv or .parquet file.", show_default=False)
    ],
    proba: Annotated[bool, typer.Option(help="Also write the probability of every class.")] = False,
    tracking_uri: TrackingUri = None,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            help="A package, or a type by its full name, that the model may hold besides those of automl, numpy "
            "and scikit-learn. Loading it runs its code: name only what you know. May be given several times.",
            metavar="PACKAGE|TYPE",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Predict the rows of FILE with a model."""
    from automl.export import load_model, model_metadata
    from automl.table import read_table
    from automl.tracking import fetch_model

    if output.suffix not in (".csv", ".parquet"):
        raise SettingError(
            Fault("--output", "must end in .csv or .parquet", str(output), "Choose one of these formats.")
        )
    _check_file(output)
    with tempfile.TemporaryDirectory() as scratch:
        logged = model.startswith("models:/")
        folder = fetch_model(model, Path(scratch), tracking_uri) if logged else Path(model)
        pipeline = load_model(folder, trusted=trust or ())
        target = model_metadata(folder).get("target")
    rows = cast("pd.DataFrame", read_table(file))
    # A file to learn from holds the target too; any other column that the model does not know is refused.
    if target in rows.columns and target not in pipeline.feature_names_in_:
        rows = rows.drop(columns=target)
    predictions = predictions_table(pipeline, rows, proba)
    if output.suffix == ".csv":
        predictions.to_csv(output, index=False)
    else:
        predictions.to_parquet(output, index=False)
    _say(f"{len(predictions)} predictions written to {output}")


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
    tracking_uri: TrackingUri = None,
    experiment_name: ExperimentName = None,
) -> None:
    """Start MLflow's own user interface on the store that searches write to."""
    from automl.tracking import ui_command, ui_url

    command = ui_command(tracking_uri, host, port)
    address = ui_url(tracking_uri, experiment_name, host, port)
    _say(f"MLflow at {address}  (Ctrl-C ends it)")
    raise typer.Exit(subprocess.call(command))


def _check_file(output: Path | None) -> None:
    """Refuse a file that could not be written after all the work."""
    if output is None:
        return
    if output.is_dir():
        raise SettingError(Fault("--output", "must be a file", f"{output}, a folder", "Name a file in it."))
    if not output.parent.is_dir():
        remedy = f"Make {output.parent} first, or name another."
        raise SettingError(Fault("--output", "must be in a folder that exists", str(output), remedy))


def _say(text: str) -> None:
    """Print a line as it is, for whoever copies a path or a command out of it."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _complain(text: str) -> None:
    Console(stderr=True).print(f"[bold red]error[/]: {_escaped(text)}", highlight=False, soft_wrap=True)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    Console(stderr=True).print(
        f"[yellow]warning[/]: {_escaped(str(message))}", highlight=False, soft_wrap=True
    )


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
