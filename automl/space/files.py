"""Reads a space as it is written: finds files, merges included ones, and inserts named definitions."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from automl.errors import Fault, SpaceError, nearest
from automl.space.merge import merge_documents, merge_keys
from automl.space.source import MAX_VALUES, Reporter, SourceLocation, SourceNode, from_python, key_path
from automl.space.syntax import DOCUMENT_KEYS, show
from automl.space.yaml_io import MAX_BYTES, parse_yaml

__all__ = ["Definitions", "ReadyMade", "read_included", "read_source", "shipped_folder", "shipped_names"]

_MAX_INCLUDES = 100
_MAX_TOTAL = 2 * MAX_BYTES  # of all files together


def shipped_folder() -> Path:
    """Return the folder of the shipped spaces: inside the package of a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    if package.parent.is_file():  # the code that a model carries
        return Path(_unpacked(package.parent).name) / "search_spaces"
    inside = package / "search_spaces"
    return inside if inside.is_dir() else package.parent / "search_spaces"


@cache
def _unpacked(archive: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder with the spaces of an archive of code, until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="automl-spaces-")
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder.name, [name for name in files.namelist() if name.endswith(".yaml")])
    spaces = Path(folder.name)
    if (inside := spaces / "automl" / "search_spaces").is_dir():
        inside.rename(spaces / "search_spaces")
    return folder


def shipped_names(folder: Path | None = None) -> list[str]:
    """Return the names of the spaces of a folder; by default the shipped ones."""
    return sorted(path.stem for path in (folder or shipped_folder()).glob("*.yaml"))


def read_source(
    source: Any, reporter: Reporter, folder: Path | None = None, allow_includes: Iterable[str | Path] = ()
) -> SourceNode:
    """Read a space as it is written, with included files merged in.

    Parameters
    ----------
    source : str, Path or mapping
        A name in ``folder``, a path, YAML text (with a line break), or the same as a mapping.
    reporter : Reporter
        Gets the faults that leave the rest readable.
    folder : Path, optional
        Where names are looked up; by default the folder of the shipped spaces.
    allow_includes : iterable of str or Path
        Folders whose files may be included, besides the folder of the including file.

    Raises
    ------
    SpaceError
        For files that are missing, too large, broken, outside the allowed folders, or that include themselves.
    """
    reader = _FileReader(folder or shipped_folder(), reporter, allow_includes)
    if isinstance(source, Mapping):
        return reader.included(from_python(source, reporter), Path(), ())
    if isinstance(source, str) and "\n" in source:
        return reader.included(parse_yaml(source, "<text>", reporter), Path(), ())
    if isinstance(source, str | Path):
        return reader.file(reader.find(str(source), Path(), SourceLocation()), (), SourceLocation())
    rule = "must be a name, a path, a mapping or a Space"
    raise SpaceError(Fault("space", rule, type(source).__name__))


def read_included(
    source: str | Path, folder: Path | None = None, allow_includes: Iterable[str | Path] = ()
) -> dict[str, Any] | None:
    """Return the files that a file includes, merged, as plain values; None where it includes none.

    Raises
    ------
    SpaceError
        As `read_source`.
    """
    reader = _FileReader(folder or shipped_folder(), Reporter(), allow_includes)
    path = reader.find(str(source), Path(), SourceLocation())
    merged: dict[str, Any] | None = reader.file(path, (), SourceLocation(), own=False).plain()
    return merged or None


class _FileReader:
    def __init__(self, folder: Path, reporter: Reporter, allow_includes: Iterable[str | Path]) -> None:
        self.folder, self.reporter = folder, reporter
        self.allowed = [Path(name).resolve() for name in allow_includes]
        self.count = self.total = 0
        self.parsed: dict[str, SourceNode] = {}

    def find(self, name: str, beside: Path, location: SourceLocation, key: str = "space") -> Path:
        path = beside / name
        try:
            if not Path(name).suffix and (self.folder / f"{name}.yaml").is_file():
                return self.folder / f"{name}.yaml"
            if path.is_file():
                return path
        except (OSError, ValueError):  # no valid file name
            pass
        rule = "must be a file, or the name of a shipped space"
        raise SpaceError(Fault(location.at(key), rule, show(name), self.suggestion(name, path)))

    def suggestion(self, name: str, path: Path) -> str:
        if not Path(name).suffix:
            return nearest(name, shipped_names(self.folder))
        try:
            files = {file.stem: file.name for file in sorted(path.parent.glob("*.y*ml"))}
        except (OSError, ValueError):
            return ""
        close = get_close_matches(path.stem, list(files), n=1)
        return f'Did you mean "{Path(name).parent / files[close[0]]}"?' if close else ""

    def file(
        self, path: Path, stack: tuple[Path, ...], location: SourceLocation, *, own: bool = True
    ) -> SourceNode:
        """Read a file and its includes; with ``own=False`` the includes alone."""
        here = path.resolve()
        self.count += 1
        if here in stack:
            circle = " -> ".join(file.name for file in (*stack[stack.index(here) :], here))
            raise SpaceError(Fault(location.at("include"), "a file must not include itself", circle))
        if self.count > _MAX_INCLUDES:
            rule = f"must include at most {_MAX_INCLUDES} files"
            raise SpaceError(Fault(location.at("include"), rule, "more"))
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise SpaceError(Fault(str(path), f"must be at most {MAX_BYTES // 1000} kB", "a larger file"))
            self.total += len(content)
            if self.total > _MAX_TOTAL:
                rule = f"must include at most {_MAX_TOTAL // 1000} kB"
                raise SpaceError(Fault(location.at("include"), rule, "more"))
            text = content.decode("utf-8-sig")
        except OSError as error:
            raise SpaceError(Fault(str(path), "must be readable", error.strerror or str(error))) from None
        except UnicodeDecodeError:
            raise SpaceError(Fault(str(path), "must be text in UTF-8", "other bytes")) from None
        if str(path) not in self.parsed:  # several files may include it
            self.parsed[str(path)] = parse_yaml(text, str(path), self.reporter)
        document = self.parsed[str(path)]
        if not own:
            include = document.value.get("include") if document.is_mapping else None
            document = document.with_value({"include": include} if include is not None else {})
        return self.included(document, path.parent, (*stack, here))

    def included(self, document: SourceNode, beside: Path, stack: tuple[Path, ...]) -> SourceNode:
        """Merge a document over the files that it includes."""
        if not document.is_mapping or "include" not in document.value:
            return document
        include = document.value["include"]
        merged = document.with_value({})
        names: set[str] = set()
        for name in include.items:
            if not isinstance(name.value, str) or not name.value:
                raise SpaceError(Fault(include.location.at("include"), "must be a file's name", str(name)))
            if name.value in names:
                self.reporter.report(name, "include", "a file must be included once", f"{name} again")
                continue
            names.add(name.value)
            path = self.find(name.value, beside, name.location, "include")
            self.check_place(path, beside, name)
            merged = merge_documents(merged, self.space(path, stack, name))
        own = {key: item for key, item in document.value.items() if key != "include"}
        return merge_documents(merged, document.with_value(own))

    def check_place(self, path: Path, beside: Path, name: SourceNode) -> None:
        """Refuse an included file outside the folder of the including one, also behind a link."""
        file = path.resolve()
        if not any(
            file.is_relative_to(folder) for folder in (self.folder.resolve(), beside.resolve(), *self.allowed)
        ):
            rule = "must be in the folder of the file that includes it, or below"
            remedy = f"To allow it: allow_includes={str(file.parent)!r}."
            raise SpaceError(Fault(name.location.at("include"), rule, show(name.value), remedy))

    def space(self, path: Path, stack: tuple[Path, ...], name: SourceNode) -> SourceNode:
        """Read an included file; the fault of a file of another kind quotes nothing of it."""
        rule = "must include a space"
        n_faults = len(self.reporter.faults)
        try:
            document = self.file(path, stack, name.location)
        except SpaceError as error:
            if not isinstance(error.__context__, yaml.YAMLError):
                raise
            came = f"{show(name.value)}, which is not valid YAML ({error.faults[0].where})"
            raise SpaceError(Fault(name.location.at("include"), rule, came)) from None
        if not document.is_mapping or not document.value.keys() & {*DOCUMENT_KEYS}:
            del self.reporter.faults[n_faults:]
            raise SpaceError(Fault(name.location.at("include"), rule, f"{show(name.value)}, which is none"))
        return document


class ReadyMade:
    """The ready-made parts that ship, such as ``sklearn.knn``: definition ``knn`` of ``parts/sklearn.yaml``.

    Parameters
    ----------
    folder : Path, optional
        The folder of ``parts``; by default that of the shipped spaces.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or shipped_folder()) / "parts"

    @cached_property
    def parts(self) -> dict[str, SourceNode]:
        """The parts by name."""
        found: dict[str, SourceNode] = {}
        for path in sorted(self.folder.glob("*.yaml")):
            document = parse_yaml(path.read_text(encoding="utf-8"), str(path), Reporter())
            found |= {f"{path.stem}.{key}": part for key, part in document.value["define"].value.items()}
        return found

    def hint(self, name: str) -> str:
        """Return how to write a branch of that name, where a part has it; else an empty text."""
        short = {part.partition(".")[2]: part for part in self.parts}
        close = get_close_matches(name, list(short), n=1, cutoff=0.8)
        return f'Write "{close[0]}: {{use: {short[close[0]]}}}".' if close else ""


class Definitions:
    """The named definitions of a space.

    Parameters
    ----------
    define : dict of SourceNode
        The definitions by name.
    reporter : Reporter
        Gets the faults.
    ready : ReadyMade
        The parts that ship.
    """

    def __init__(self, define: dict[str, SourceNode], reporter: Reporter, ready: ReadyMade) -> None:
        self.define, self.reporter, self.ready = define, reporter, ready
        self._count = 0

    def expand(self, node: SourceNode, path: str, using: tuple[str, ...] = ()) -> SourceNode:
        """Return ``node`` with every ``use`` replaced by its definitions."""
        self._count += 1
        if self._count > MAX_VALUES:
            rule = f"must hold at most {MAX_VALUES:,} values once every part is put where it is used"
            raise SpaceError(Fault(node.location.at(path), rule, "more"))
        if node.is_list:
            return node.with_value([self.expand(item, path, using) for item in node.value])
        if not node.is_mapping:
            return node
        own = node.with_value(
            {
                key: self.expand(item, key_path(path, key), using)
                for key, item in node.value.items()
                if key != "use"
            }
        )
        return self._used(node.value["use"], own, path, using) if "use" in node.value else own

    def _used(self, use: SourceNode, own: SourceNode, path: str, using: tuple[str, ...]) -> SourceNode:
        merged: dict[str, SourceNode] = {}
        names: set[str] = set()
        for name in use.items:
            part = self._part(name, path, using)
            if part is None:
                continue
            if name.value in names:
                self.reporter.report(name, path, "a part must be used once", f"{name} again")
            elif part.is_mapping:
                merged = merge_keys(merged, part.value)
            elif len(use.items) == 1 and not own.value:
                return part
            else:
                rule = "a part that is not a mapping must be used alone"
                self.reporter.report(name, path, rule, f"{name} with {', '.join(own.value) or 'other parts'}")
            names.add(name.value)
        return own.with_value(merge_keys(merged, own.value))

    def _part(self, name: SourceNode, path: str, using: tuple[str, ...]) -> SourceNode | None:
        define = self.define
        if isinstance(name.value, str) and "." in name.value and name.value not in define:
            define = self.ready.parts
        if not isinstance(name.value, str) or name.value not in define:
            known = list(define)
            remedy = nearest(str(name), known) if known else "Nothing is defined: add a `define:` section."
            self.reporter.report(name, path, "`use` must name a part of `define`", str(name), remedy)
            return None
        if name.value in using:
            circle = " -> ".join([*using[using.index(name.value) :], name.value])
            self.reporter.report(name, path, "a part must not use itself", circle)
            return None
        return self.expand(define[name.value], path, (*using, name.value))
