"""The notebook runs in a Jupyter kernel, shows progress in place, and its results in place of the settings."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support import ROOT

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"


class Listener(NotebookClient):
    """A client that keeps the messages of a kernel about outputs."""

    def process_message(self, msg, cell, cell_index):
        self.resources.setdefault("messages", []).append(msg)
        return super().process_message(msg, cell, cell_index)


def test_notebook_is_committed_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.slow
def test_notebook_runs_and_shows_results(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("timeout=20, random_state=0", "n_trials=6, timeout=None, n_jobs=1")
    client = Listener(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute()
    messages = client.resources["messages"]
    assert not [one for one in messages if one["msg_type"].startswith("comm_")]  # no widgets
    updates = [one["content"] for one in messages if one["msg_type"] == "update_display_data"]
    assert updates
    shown = [one["content"] for one in messages if one["msg_type"] == "display_data"]
    begun = {one["transient"].get("display_id"): one["data"] for one in shown}
    # Jupyter's own messages and types, which every notebook editor shows.
    for one in updates:
        types = {"text/html", "text/plain"}
        assert one["data"].keys() == begun[one["transient"]["display_id"]].keys() == types
    outputs = {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    written = [one for found in outputs.values() for one in found if one.output_type == "stream"]
    assert written == []  # no lines of progress, and no TqdmWarning
    (searched,) = [found for source, found in outputs.items() if "search.fit" in source]
    progress, result = (one.data["text/html"] for one in searched)
    assert "6 of 6 trials: " in progress
    assert ">done<" in progress
    assert 'class="automl-summary"' in result
    assert "Best of each family" in result
    (figure,) = outputs["search.plot.curves(top=5)"]
    assert "image/png" in figure.data
    assert (folder / "report.html").is_file()
