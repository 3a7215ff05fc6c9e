"""What `lmforge lineage` and `lmforge reproduce` tell a person, in lines of at most 80 columns.

Only names of files may make a line longer: cut, they would name nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lmforge.hashing import short
from lmforge.reporting.lines import size_words
from lmforge.wording import listed, shown

# What a reader asks for first; all of them are in the JSON document.
_LIBRARIES = ("torch", "transformers", "tokenizers", "pytorch-lightning", "mlflow", "prefect")
_NUM_FILES, _NUM_CHANGES, _WIDTH = 20, 8, 80


def render_lineage(document: Mapping[str, Any]) -> str:
    """The lineage of a version: what it was run with, its stages, its source files, and what is gone."""
    lines = [f"{document['model']} version {document['version']}, made by run {document['run_id'] or 'not recorded'}"]
    lines += [*_recipe(document), *_code(document["code"]), *_environment(document["environment"])]
    if document["start"]:
        lines += [f"start      {shown(document['start'])}", "           which has a lineage of its own"]
    lines += ["", f"{'stage':<20} {'key':<16} {'fingerprint':<16} what"]
    for stage in document["stages"]:
        lines.append(
            f"{stage['name']:<20} {stage['key'] or 'unknown':<16} {short(stage['fingerprint'])} {_what(stage)}"
        )
        lines += [f"  from {one['stage']} ({one['role']})" for one in stage["inputs"] if one["stage"]]
    lines += ["", f"{'source file':<47}{'sha256':<18}records"]
    lines += [_source(one) for one in document["sources"][:_NUM_FILES]]
    if (more := len(document["sources"]) - _NUM_FILES) > 0:
        lines.append(f"and {more:,} more; all of them with --json")
    return "\n".join(lines + [f"missing: {shown(one, 400)}" for one in document["missing"]])


def render_reproduction(document: Mapping[str, Any]) -> str:
    """What is equal and what differs, stage by stage, the first difference at the end."""
    lines = [*_around(document), *_sources(document["sources"])]
    for stage in document["stages"]:
        differing = [one for one in stage["files"] if one["state"] != "equal"]
        told = f"{len(stage['files']) - len(differing)} of {len(stage['files'])} files equal"
        if not stage["files"]:
            told = "by fingerprint: its files are gone"
        changed = "; other code or libraries" if stage["same_code"] is False else ""
        lines.append(f"{stage['name']:<22}{stage['state']:<11}{told}{changed}")
        lines += [f"  {one['state']:<11}{shown(one['name'], 200)}" for one in differing]
    if document["released"]:
        lines.append(
            f"{'released weights':<22}{document['released']['state']:<11}{short(document['released']['then'])}"
        )
    return "\n".join([*lines, "", *_end(document)])


def _recipe(document: Mapping[str, Any]) -> Iterator[str]:
    recipe = document["recipe"]
    print_ = f" ({short(recipe['sha256'])})" if recipe["sha256"] else ", not recorded"
    yield f"recipe     {shown(str(recipe['path']))}{print_}"
    if recipe["overrides"]:
        yield f"  --set    {shown(recipe['overrides'], 200)}"


def _code(code: Mapping[str, Any]) -> Iterator[str]:
    yield f"commit     {code['commit'] or 'not recorded: the project was no repository'}"
    if code["dirty"]:
        yield "           with changes that were not committed"


def _environment(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "lock       not recorded by this run"
        return
    yield f"lock       {short(found['lock']) if found['lock'] else 'no constraints.txt'}"
    yield f"python     {found['python']}, {len(found['libraries'])} libraries, among them"
    known = [f"{name} {found['libraries'][name]}" for name in _LIBRARIES if name in found["libraries"]]
    for start in range(0, len(known), 3):
        yield f"           {', '.join(known[start : start + 3])}"


def _what(stage: Mapping[str, Any]) -> str:
    if not stage["stored"]:
        return "gone"
    counts = stage["counts"]
    num_left = counts["kept"] + counts["repaired"]
    if not counts["read"]:
        return size_words(stage["size_bytes"])
    return f"{num_left:,} of {counts['read']:,} {counts['unit']}"


def _source(one: Mapping[str, Any]) -> str:
    collected = one["collected"] or {}
    number = collected.get("num_records")
    records = f"{number:,}" if isinstance(number, int) else ""
    address = collected.get("name", one["name"])
    return f"{shown(address, 200):<46} {short(one['sha256']):<18}{records}".rstrip()


def _around(document: Mapping[str, Any]) -> Iterator[str]:
    code = document["code"]
    then, now = (code[when]["commit"] for when in ("then", "now"))
    if code["same"] is False:
        yield f"commit     differs: {short(then)} then, {short(now) if now else 'none'} now"
    elif code["same"] is None:
        yield "commit     cannot be compared: none recorded, or changes that were not committed"
    environment = document["environment"]
    if environment is None:
        yield "libraries  not recorded by that run"
    elif environment:
        pairs = [f"{name} {then} to {now}" for name, (then, now) in environment.items()]
        yield from (f"machine    {shown(pair, _WIDTH - 14)}" for pair in pairs[:_NUM_CHANGES])
        if len(pairs) > _NUM_CHANGES:
            yield f"           and {len(pairs) - _NUM_CHANGES} more differences; all of them with --json"


def _sources(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Those that differ first, so that a long list never hides one."""
    ordered = sorted(rows, key=lambda one: one["state"] == "equal")
    yield from (f"{'source':<11}{one['state']:<11}{shown(one['name'], 200)}" for one in ordered[:_NUM_FILES])
    if (more := len(rows) - _NUM_FILES) > 0:
        yield f"           and {more:,} more; all of them with --json"


def _end(document: Mapping[str, Any]) -> Iterator[str]:
    name, first = f"{document['model']} version {document['version']}", document["first_difference"]
    if first is None:
        num_files = sum(len(stage["files"]) for stage in document["stages"])
        yield f"{name}: equal, {num_files} files in {len(document['stages'])} stages"
        return
    yield f"{name}: first difference in {first['stage'] or 'its sources'}"
    yield f"  {listed(first['what']) or 'its fingerprint'}"
    if first.get("drift"):
        yield f"  {first['drift']['words']}"
    if document["status"] == "sources differ":
        yield "nothing was run; put the sources back, or add --despite-sources"
