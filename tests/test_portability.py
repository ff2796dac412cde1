"""The package runs on Windows and macOS: no module needs what only Linux or POSIX has."""

import ast
from pathlib import Path

import pytest

import automl

FILES = sorted(Path(automl.__file__).parent.rglob("*.py"))
POSIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}
PORTABLE_SIGNALS = {
    *("SIGINT", "SIGTERM", "SIG_IGN", "SIG_DFL", "Signals"),
    *("SIG_BLOCK", "SIG_SETMASK"),  # constants of pthread_sigmask
    *("signal", "getsignal", "default_int_handler", "raise_signal"),
}


def guarded(tree):
    """Return the nodes within a `try` or `if` statement."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.Try | ast.If)]
    return {inner for block in blocks for inner in ast.walk(block)}


def posix_imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names if alias.name in POSIX_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
            yield node, node.module


def posix_signals(tree):
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "signal"
    }
    imported = any(isinstance(node, ast.Import) and node.names[0].name == "signal" for node in ast.walk(tree))
    return found - PORTABLE_SIGNALS if imported else set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FILES[0].parent)))
def test_module_is_portable(file):
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert not [name for node, name in posix_imports(tree) if node not in guarded(tree)]
    assert not [name for name in posix_signals(tree) if f'hasattr(signal, "{name}")' not in text]
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert not [value for value in strings if isinstance(value, str) and value.startswith("/proc")]
