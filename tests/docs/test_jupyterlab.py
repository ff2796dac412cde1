"""A search in JupyterLab, in a browser: progress in place, then the results."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nbformat
import pytest

from automl.tracking import free_port
from tests.support import ROOT

pytest.importorskip("jupyterlab")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,  # starts a server, a kernel and a browser
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]
SECONDS = 90.0
SETTINGS = "n_trials=12, timeout=None, n_jobs=1, random_state=0"


@pytest.fixture
def lab(folder: Path) -> Iterator[str]:
    """Yield the address of the example in a JupyterLab that this test starts: its cells up to the search."""
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    last = next(n for n, cell in enumerate(notebook.cells) if "search.fit" in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    notebook.cells[last].source = notebook.cells[last].source.replace("timeout=20, random_state=0", SETTINGS)
    nbformat.write(notebook, folder / "search.ipynb")
    port = free_port("127.0.0.1", 18_888)
    own = {f"JUPYTER_{name}_DIR": str(folder / ".jupyter" / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    own["IPYTHONDIR"] = str(folder / ".ipython")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"),
        *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"),
    ]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **own, "PYTHONPATH": path}, cwd=folder
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api/status", server, folder / "lab.log")
            yield f"{address}/lab/tree/search.ipynb"
        finally:
            server.send_signal(signal.SIGTERM)  # ends the kernel too
            server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    for _ in range(int(SECONDS * 5)):
        assert server.poll() is None, log.read_text()
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(log.read_text())


def run_all_cells(page: Any) -> None:
    """Run all cells; the menu does nothing until JupyterLab knows which notebook it is for."""
    numbers = page.locator(".jp-Notebook .jp-InputPrompt").filter(has_text=re.compile(r"[*0-9]"))
    for _ in range(5):
        page.locator(".jp-Notebook .jp-CodeCell").nth(1).click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_timeout(2000)
        if numbers.count():
            return
    raise AssertionError("no cell ran")


def test_search_in_jupyterlab_updates_in_place_and_shows_results(lab: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        page.set_default_timeout(SECONDS * 1000)
        page.goto(lab)
        page.locator(".jp-Notebook .jp-CodeCell").nth(1).wait_for()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()  # the kernel
        run_all_cells(page)
        progress = page.locator('.jp-OutputArea [role="status"]')
        progress.wait_for()
        seen, end = [progress.inner_text()], time.monotonic() + SECONDS
        while "\ndone" not in seen[-1] and time.monotonic() < end:
            page.wait_for_timeout(50)
            if (text := progress.inner_text()) != seen[-1]:
                seen.append(text)
        assert len(seen) >= 3  # live
        assert "12 of 12 trials" in seen[-1]
        summary = page.locator(".jp-OutputArea .automl-summary")
        summary.wait_for()
        assert progress.count() == 1  # one output, updated in place
        assert page.locator('.jp-OutputArea [data-mime-type*="stderr"]').count() == 0
        text = summary.inner_text()
        assert "Best of each family" in text
        assert "Expected on new rows" in text
        assert summary.locator("img").evaluate("image => image.naturalWidth") > 300
        box = summary.bounding_box()
        assert box is not None
        assert box["width"] > 500
        if picture := os.environ.get("AUTOML_SCREENSHOT"):
            page.screenshot(path=picture)
        browser.close()
