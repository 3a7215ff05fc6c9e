"""Paths that come from a recipe or from data, kept inside the project.

A recipe is a file that people send each other: it may name what lies in the project and nothing else. Symbolic links
count by where they lead. `LMFORGE_DATA_ROOTS` lists further directories that may be read.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from lmforge.errors import InputError
from lmforge.wording import listed, nearest, shown

DATA_ROOTS = "LMFORGE_DATA_ROOTS"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/|(file|data|http|https|ftp|models|runs):", re.IGNORECASE)
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")


def inside(root: Path, path: str) -> Path:
    """The absolute path of `path`, relative to `root`; it need not exist.

    Directories are resolved, the last name is kept, because a linked file is read by the ending of its own name.
    InputError: it is a URL, a Windows path, starts with `~`, or leads out of `root` and of every data root.
    """
    _spelled(path)
    try:
        candidate = root.resolve() / path
        target = candidate.resolve()
        # `..` as the last name is a step, not a name.
        place = target if candidate.name in ("", "..") else candidate.parent.resolve() / candidate.name
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"path '{shown(path)}' cannot be resolved: {shown(str(error))}") from error
    allowed = _roots(root)
    for found in (place, target):
        if not any(found.is_relative_to(directory) for directory in allowed):
            leads = f"leads to {shown(str(found), 200)}, which is outside of the project {shown(str(allowed[0]), 200)}"
            raise InputError(
                f"path '{shown(path)}' {leads}; copy the data into the project, or list its directory in {DATA_ROOTS}"
            )
    return place


def expand(root: Path, pattern: str) -> list[Path]:
    """The files that a path or a glob (`*`, `?`, `[a-z]`, `**`) names, sorted; hidden ones only if spelled.

    InputError: no file matches, or a match leads out of the project (see `inside`).
    """
    literal = inside(root, pattern)
    if _is(stat.S_ISREG, literal):
        return [literal]
    if not glob.has_magic(pattern):
        raise InputError(_missing(root, literal, pattern))
    parts = PurePosixPath(pattern).parts
    first = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    if ".." in parts[first:]:
        raise InputError(f"path '{shown(pattern)}' has `..` after a wildcard; write the directory out")
    base = inside(root, str(PurePosixPath(*parts[:first])))
    matches = sorted(_matches(base, parts[first:]))
    files = [path for path in (inside(root, str(match)) for match in matches) if _is(stat.S_ISREG, path)]
    if not files:
        raise InputError(_missing(root, base / "/".join(parts[first:]), pattern))
    first_names: dict[Path, Path] = {}
    for path in files:
        first_names.setdefault(path.resolve(), path)
    return list(first_names.values())


def _matches(base: Path, parts: Sequence[str]) -> set[Path]:
    """What the parts of a glob name below `base`.

    Not `glob.glob`, whose `**` follows links and takes time exponential in the number of `**`; not `Path.glob`, which
    finds hidden files, such as an editor's copy or a download that still goes on.
    """
    found = {base}
    for part in parts:
        if part == "**":
            found |= {below for directory in found for below in _tree(directory)}
        elif glob.has_magic(part):
            found = {child for directory in found for child in _children(directory) if _fits(child.name, part)}
        else:
            found = {directory / part for directory in found}
    return found


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))


def _tree(directory: Path) -> set[Path]:
    """Everything below a directory that is not hidden; links are named but not entered."""
    below: set[Path] = set()
    waiting = [directory]
    while waiting:
        children = [child for child in _children(waiting.pop()) if not child.name.startswith(".")]
        below.update(children)
        waiting += [child for child in children if not child.is_symlink()]
    return below


def _children(directory: Path) -> list[Path]:
    if not _is(stat.S_ISDIR, directory):
        return []
    try:
        return list(directory.iterdir())
    except OSError as error:
        raise InputError(f"directory {shown(str(directory), 200)} cannot be listed: {error.strerror}") from error


def _spelled(path: str) -> None:
    """Refuses what is no relative or absolute POSIX path, before anything is looked up."""
    quoted = f"path '{shown(path)}'"
    if not path.strip():
        raise InputError("a path is empty; write a file or a glob relative to the project")
    if _CONTROL.search(path):
        raise InputError(f"{quoted} holds a control character or bytes that are not UTF-8; rename the file")
    if path.startswith("~"):
        raise InputError(f"{quoted} starts with ~, which is not expanded; write a path relative to the project")
    if "\\" in path or _DRIVE.match(path) or path.startswith("//"):
        raise InputError(f"{quoted} is a Windows or network path; write it relative to the project and with /")
    if _SCHEME.match(path):
        raise InputError(f"{quoted} is a URL; download it into the project and write the file's path")


def _roots(root: Path) -> list[Path]:
    """The project first, then the data roots, which are relative to the project unless absolute."""
    listed_roots = [entry for entry in os.environ.get(DATA_ROOTS, "").split(os.pathsep) if entry.strip()]
    return [root.resolve(), *((root / entry).resolve() for entry in listed_roots)]


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Whether `path` leads to something of this kind; what cannot be looked at is of no kind."""
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _exists(path: Path) -> bool:
    return _is(lambda mode: not stat.S_ISREG(mode), path)


def _missing(root: Path, wanted: Path, pattern: str) -> str:
    """Why nothing was found, with what stands in the nearest directory that exists."""
    if _is(stat.S_ISDIR, wanted):
        return f"'{shown(pattern)}' is a directory; name its files, for example '{shown(pattern.rstrip('/'))}/*'"
    if _exists(wanted):
        return f"'{shown(pattern)}' is a pipe, a socket or a device; write what it gives to a file and name that"
    while not _is(stat.S_ISDIR, wanted.parent):
        wanted = wanted.parent
    name, directory = wanted.name, wanted.parent
    try:
        names = sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith("."))
    except OSError:
        names = []
    near = nearest(name, names)
    hint = f"; did you mean {shown(near)}?" if near else ""
    shelf = directory.relative_to(root.resolve()) if directory.is_relative_to(root.resolve()) else directory
    there = f"it holds {listed(names)}" if names else "it is empty"
    return f"no file matches '{shown(pattern)}'; looked in {shown(shelf.as_posix())}: {there}{hint}"
