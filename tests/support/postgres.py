"""A temporary PostgreSQL server, started from the installed programs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "open%40sesame"  # open@sesame, quoted for a URL


def programs() -> Path | None:
    """Return the folder of the newest installed server, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else None if on_path is None else Path(on_path).resolve().parent


def ordinary_user() -> dict[str, Any]:
    """Return the user that runs the server, which refuses to run as root."""
    if os.geteuid():
        return {}
    import pwd

    name = next(name for name in ("postgres", "nobody") if name in {user.pw_name for user in pwd.getpwall()})
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Return the URL of an empty database on a running server."""
    bin_folder = programs()
    if bin_folder is None:
        assert not os.environ.get("CI"), (
            "the PostgreSQL server's programs must be there: apt-get install postgresql"
        )
        pytest.skip("needs the PostgreSQL server's programs")
    folder = Path(tempfile.mkdtemp(prefix="automl-postgres-"))
    user = ordinary_user()
    try:
        (folder / "password").write_text("open@sesame\n")
        for path in (folder, folder / "password"):
            shutil.chown(path, user.get("user", os.geteuid()), user.get("group"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def run(program: str, *words: str) -> None:
            command = [bin_folder / program, "--pgdata", folder / "data", *words]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, **user)

        run(
            "initdb",
            "--username=automl",
            f"--pwfile={folder / 'password'}",
            "--auth=scram-sha-256",
            "--no-sync",
        )
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "start", "--wait", f"--log={folder / 'log'}", f"--options={options}")
        try:
            yield f"postgresql://automl:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
