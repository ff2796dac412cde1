"""Commands that analyse results: report, evaluate."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from automl.cli.completion import complete_study
from automl.cli.options import Encoding, Separator, Storage, TrackingUri, Trust
from automl.cli.output import emit, result, say
from automl.cli.render import check_output, show_table
from automl.errors import Fault, SettingError

__all__ = ["compare", "evaluate", "report"]

StudyName = Annotated[
    str | None,
    typer.Argument(
        help="The study's name, or the MLflow run of a search.",
        show_default="the newest",
        autocompletion=complete_study,
    ),
]


def report(
    study: StudyName = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file.")] = Path("report.html"),
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Write the report of a study: one HTML page, which opens offline and prints.

    The report is also logged as an artifact of the search's MLflow run. Give --storage and --tracking-uri if the
    search had them.
    """
    from automl.search import find_study, report_study

    check_output(output)
    name = find_study(study, storage, tracking_uri).study_name
    written = report_study(name, output, storage=storage, tracking_uri=tracking_uri)
    result(f"report written to {written}", written, file=written)


def compare(
    studies: Annotated[
        list[str], typer.Argument(help="Two or more studies, or MLflow runs of searches.", show_default=False)
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write an HTML page.", show_default=False)
    ] = None,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare searches: scores on the same folds, settings that differ, and changes of the space.

    The page of --output also has the progress of all searches in one figure.
    """
    from automl.search import compare as compared

    check_output(output)
    found = compared(studies, storage=storage, tracking_uri=tracking_uri)
    show_table(found.table.heads, found.table.rows, "Scores", found.table.numbers)
    if found.changed.rows:
        show_table(found.changed.heads, found.changed.rows, "Settings that differ")
    for name, text in found.changes.items():
        if text:
            say(f"space, from {studies[0]} to {name}:\n{text}")
    if output is not None:
        written = found.write(output)
        result(f"comparison written to {written}", written, file=written)


def evaluate(
    model: Annotated[
        str, typer.Argument(help="A model folder, or models:/NAME/VERSION.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="Rows with the target.", show_default=False)],
    encoding: Encoding = None,
    separator: Separator = None,
    tracking_uri: TrackingUri = None,
    trust: Trust = None,
) -> None:
    """Show all metrics of a model on the rows of FILE, which must have the target.

    Use rows that the search did not see.
    """
    from automl.export import load_model, model_metadata
    from automl.search import evaluate_model
    from automl.table import read_table
    from automl.tracking import fetch_model

    with TemporaryDirectory() as scratch:
        logged = model.startswith("models:/")
        folder = fetch_model(model, Path(scratch), tracking_uri) if logged else Path(model)
        metadata = model_metadata(folder)
        loaded = load_model(folder, trusted=trust or ())
    if not metadata.get("target"):
        raise SettingError(
            Fault("model", "must be a model of a search", "one without the name of its target")
        )
    X, y = read_table(file, target=str(metadata["target"]), encoding=encoding, separator=separator)
    metrics = evaluate_model(loaded, metadata, X, y).iloc[0].to_dict()
    emit(metrics)
    for name, value in metrics.items():
        say(f"{name!s:24}{value:>12.5g}")
