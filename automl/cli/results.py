"""Commands that read results: leaderboard, export and predict."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from automl.cli.options import Encoding, Separator, Storage, StudyName, TrackingUri, Trust
from automl.cli.output import print_rows, result, say
from automl.cli.render import (
    check_output,
    corrected_line,
    leaderboard_table,
    row_progress,
    sample_line,
)
from automl.errors import Fault, SettingError, nearest

__all__ = ["export", "leaderboard", "predict"]


def leaderboard(
    study: StudyName = None,
    top: Annotated[int, typer.Option(help="How many rows to show.", min=1)] = 20,
    family: Annotated[
        str | None, typer.Option(help="Show the trials of this model family only.", show_default="all")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write all of them, with every metric, parameter and run id, to a CSV file.",
            show_default=False,
        ),
    ] = None,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Show the trials of a study, best first, also during the search.

    Each distinct configuration is one row. Failed trials show their reason in place of the parameters.
    """
    from automl.search import study_leaderboard
    from automl.study import load_study, read_corrected, read_search

    check_output(output)
    found = load_study(study, storage)
    table = study_leaderboard(found, tracking_uri=tracking_uri, wide=output is not None)
    if table.empty:
        say(f"{found.study_name}: no trial has ended yet")
        return
    facts = read_search(found)
    if family is not None:
        families = sorted(set(table.family) - {"ensemble"})
        if family not in families:
            raise SettingError(
                Fault("--family", "must have a trial in the study", f'"{family}"', nearest(family, families))
            )
        table = table[table.family == family]
    if output is not None:
        table.to_csv(output)
        text = f"{len(table)} rows written to {output}"
        result(text, output, study=found.study_name, rows=len(table), file=output)
        return
    rows = table.head(top).reset_index().to_dict("records")
    print_rows(leaderboard_table(table, top, found.study_name), rows, "trial")
    if (corrected := read_corrected(found)) is not None:
        say(corrected_line(corrected))
    if facts is not None and (line := sample_line(facts)):
        say(line)


def export(
    run_id: Annotated[
        str, typer.Argument(help="MLflow run of the search, or of its best trial.", show_default=False)
    ],
    folder: Annotated[
        Path, typer.Argument(help="Where to write the model: a folder, for ONNX a file.", show_default=False)
    ],
    what: Annotated[
        Literal["auto", "best", "ensemble"],
        typer.Option(help="The model that the search chose, its best pipeline, or its ensemble."),
    ] = "auto",
    model_format: Annotated[
        Literal["mlflow", "onnx"], typer.Option("--format", help="An MLflow model folder, or an ONNX file.")
    ] = "mlflow",
    tracking_uri: TrackingUri = None,
    trust: Trust = None,
) -> None:
    """Write the model of a search to FOLDER.

    The folder is an MLflow model, which automl predict, automl.load_model and MLflow load. --format onnx writes a file
    for onnxruntime, if every step of the pipeline has a form in ONNX.
    """
    from automl.export import export_run

    written = export_run(run_id, folder, tracking_uri, what, trust or (), model_format)
    result(f"model written to {written}", written, run_id=run_id, folder=written)


def predict(
    model: Annotated[
        str, typer.Argument(help="A model folder, or models:/NAME/VERSION.", show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="The rows, in any format of a table.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .csv or .parquet file.", show_default=False)
    ],
    proba: Annotated[bool, typer.Option(help="Also write the probability of every class.")] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Columns of FILE to write beside the predictions, e.g. an identifier.",
            metavar="NAME[,NAME]",
            show_default="none",
        ),
    ] = None,
    encoding: Encoding = None,
    separator: Separator = None,
    tracking_uri: TrackingUri = None,
    trust: Trust = None,
) -> None:
    """Predict the rows of FILE with a model.

    The output has the row's number in FILE (from 1), the columns of --keep, the prediction and, with --proba, a column
    probability_LABEL for each class. A file without rows gives an output without rows.
    """
    from automl.export import load_model, model_metadata, predict_file
    from automl.tracking import fetch_model

    check_output(output, (".csv", ".parquet"))
    with tempfile.TemporaryDirectory() as scratch:
        logged = model.startswith("models:/")
        folder = fetch_model(model, Path(scratch), tracking_uri) if logged else Path(model)
        pipeline = load_model(folder, trusted=trust or ())
        target = model_metadata(folder).get("target")
    with row_progress("predicting") as progress:
        n_rows = predict_file(
            pipeline,
            file,
            output,
            target=target,
            proba=proba,
            keep=keep or (),
            progress=progress,
            encoding=encoding,
            separator=separator,
        )
    result(f"{n_rows} predictions written to {output}", output, rows=n_rows, file=output)
