"""Commands that analyse results: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli.options import Storage, TrackingUri
from automl.cli.render import check_output, say

__all__ = ["report"]

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
