"""The command ui: MLflow's user interface on the store of the searches."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from automl.cli.options import ExperimentName, TrackingUri
from automl.cli.output import result, say

__all__ = ["ui"]

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def ui(
    run_id: Annotated[
        str | None, typer.Argument(help="MLflow run of a search.", show_default="the newest search")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; the next free one if it is taken.")] = 5000,
    tracking_uri: TrackingUri = None,
    experiment_name: ExperimentName = None,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Start the MLflow user interface on the store of the searches; Ctrl-C ends it.

    The page has the trials of a search, sorted by score.
    """
    from automl.tracking import free_port, serve_ui, ui_command, ui_url

    ui_command(tracking_uri, host, port)  # checks the store
    free = free_port(host, port)
    if free != port:
        say(f"port {port} is taken; using {free}")
    shown = _EVERYWHERE.get(host, host)
    address = f"http://[{shown}]:{free}" if ":" in shown else f"http://{shown}:{free}"
    page = ui_url(tracking_uri, experiment_name, run_id, address)

    def ready() -> None:
        result(f"MLflow at {page}  (Ctrl-C ends it)", page, event="ui", address=page)
        sys.stdout.flush()  # this command does not end by itself
        if open_browser and _has_screen():
            webbrowser.open(page)

    serve_ui(*ui_command(tracking_uri, host, free), address, ready)


def _has_screen() -> bool:
    """Return whether a browser would open in a window, and not in this terminal."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
