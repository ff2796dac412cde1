"""Commands that analyse results: report, evaluate."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from automl.cli.options import Storage, TrackingUri, Trust
from automl.cli.render import check_output, say
from automl.errors import Fault, SettingError

__all__ = ["evaluate", "report"]

StudyName = Annotated[str | None, typer.Argument(help="The study's name.", show_default="the newest")]


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
    from automl.search import report_study

    check_output(output)
    say(f"report written to {report_study(study, output, storage=storage, tracking_uri=tracking_uri)}")


def evaluate(
    model: Annotated[
        str, typer.Argument(help="A model folder, or models:/NAME/VERSION.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="Rows with the target.", show_default=False)],
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
    X, y = read_table(file, target=str(metadata["target"]))
    for name, value in evaluate_model(loaded, metadata, X, y).iloc[0].items():
        say(f"{name!s:24}{value:>12.5g}")
