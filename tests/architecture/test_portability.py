"""The package runs on Windows and macOS: what only Unix has is used with a fallback."""

from __future__ import annotations

import ast
import signal
from collections.abc import Iterator

import pytest

from tests.support import ROOT
from tests.support.source import modules

UNIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}
UNIX_NAMES = {
    *("os.fork", "os.getuid", "os.geteuid", "os.killpg", "os.setsid", "os.getpgid", "os.nice"),
    *("os.sched_getaffinity", "os.getloadavg", "time.tzset"),
}
PORTABLE_SIGNALS = {
    *("SIGINT", "SIGTERM", "SIG_IGN", "SIG_DFL", "SIG_BLOCK", "SIG_SETMASK", "Signals"),
    *("signal", "getsignal", "default_int_handler", "raise_signal"),
}
CHECKS = ("sys.platform", "os.name", "hasattr(", "platform.system(", "is not None", "is None")
LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
PACKAGE = modules(ROOT)


def unguarded(node: ast.AST, guarded: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and name of each use of a Unix feature outside `try` and platform checks."""
    if isinstance(node, ast.Try):
        guarded = guarded or bool(node.handlers)
    elif isinstance(node, ast.If | ast.IfExp | ast.BoolOp):
        guarded = guarded or checks_platform(node)
    if not guarded:
        yield from unix_uses(node)
    for child in ast.iter_child_nodes(node):
        yield from unguarded(child, guarded)
        leaves = isinstance(child, ast.If) and isinstance(child.body[-1], LEAVING)
        guarded = guarded or (leaves and checks_platform(child))


def checks_platform(node: ast.AST) -> bool:
    text = ast.unparse(node.test if isinstance(node, ast.If | ast.IfExp) else node)
    return any(check in text for check in CHECKS)


def unix_uses(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names if alias.name in UNIX_MODULES)
    elif isinstance(node, ast.ImportFrom) and node.module in UNIX_MODULES:
        yield node.lineno, node.module
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name = f"{node.value.id}.{node.attr}"
        if name in UNIX_NAMES or (
            node.value.id == "signal" and hasattr(signal, node.attr) and node.attr not in PORTABLE_SIGNALS
        ):
            yield node.lineno, name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/proc"):
        yield node.lineno, node.value


@pytest.mark.parametrize("name", PACKAGE)
def test_unix_features_have_a_fallback(name):
    assert list(unguarded(PACKAGE[name].tree)) == []


def test_unix_features_without_a_fallback_are_found():
    code = """
import fcntl
try:
    import resource
except ImportError:
    resource = None
if hasattr(os, "fork"):
    os.fork()
os.kill(1, signal.SIGKILL)
open("/proc/self")
def stop():
    if not hasattr(signal, "SIGHUP"):
        return
    signal.SIGHUP
"""
    assert [line for line, _ in unguarded(ast.parse(code))] == [2, 9, 10]
