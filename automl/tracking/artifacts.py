"""Files of a run."""

from __future__ import annotations

from automl.tracking.run_store import store_errors
from automl.tracking.store import open_store, resolve_uri

__all__ = ["log_page"]


def log_page(run_id: str, html: str, name: str, tracking_uri: str | None = None) -> None:
    """Write an HTML page as an artifact of a run, which MLflow's pages show.

    Parameters
    ----------
    run_id : str
        The run.
    html : str
        The page.
    name : str
        Name of the artifact, ``report.html``.
    tracking_uri : str or None
        The store; None for the default one.

    Raises
    ------
    StoreError
        If the store or the run cannot be written.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    with store_errors(uri):
        client.log_text(run_id, html, name)
