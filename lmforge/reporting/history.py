"""The output of `lmforge history`, `promote`, `approve` and `rollback` as text of at most 80 columns.

Reasons and account names come from people: they are escaped. Times are shown in the zone of this machine; the documents
that the text is made of have them in UTC.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lmforge.wording import shown

WIDTH = 80
_MAX_WORDS = 1000


def render_history(document: Mapping[str, Any]) -> str:
    """What is in production now or was at the time that was asked for, and the entries, newest first."""
    entries = {entry["number"]: entry for entry in document["entries"]}
    if document["at"] is not None:
        lines = _asked(document, entries)
    else:
        lines = [_now(document), ""]
        for entry in reversed(document["entries"]):
            lines += _entry(entry)
        if not entries:
            lines = [f"{document['model']}: nothing was promoted yet"]
    return "\n".join([*lines, *_verified(document)])


def render_promotion(document: Mapping[str, Any]) -> str:
    """What was promoted or would be, with every rule."""
    name, version = document["model"], document["version"]
    if "rules" not in document:
        return f"{name} version {version}: {document['summary']}"
    done = "would be promoted" if document["dry_run"] else "is champion"
    instead = f" instead of version {document['previous']}" if document["previous"] else ""
    lines = [f"{name} version {version} {done}{instead}", *_wrapped(document["summary"], "  ")]
    for rule in document["rules"]:
        lines += _wrapped(f"{'passed' if rule['passed'] else 'FAILED'}  {rule['name']}: {rule['words']}", "  ")
    return "\n".join([*lines, f"  gate {document['gate'][:16]}"])


def render_approval(document: Mapping[str, Any]) -> str:
    """What was agreed to, and what to do next."""
    name = f"{document['model']}/{document['version']}"
    lines = [f"{name} is approved for {document['hours']:g} hours", *_wrapped(document["summary"], "  ")]
    asked = "" if document["needed"] else " (its gate did not ask for an approval)"
    waited = document.get("flow_run")
    following = f"next: the flow run that waited promotes it: {waited}" if waited else f"next: lmforge promote {name}"
    return "\n".join([*lines, f"  gate {document['gate'][:16]}{asked}", following])


def render_rollback(document: Mapping[str, Any]) -> str:
    """What is in production again, and how long it took."""
    name, version = document["model"], document["version"]
    if not document["changed"]:
        return f"{name} version {version} is in production already"
    back = f"{name} version {version} is champion again instead of version {document['previous']}"
    return f"{back}\n  restored in {document['seconds']:.1f} s, loaded and answering"


def _now(document: Mapping[str, Any]) -> str:
    champion = document["champion"]
    if champion is None:
        return f"{document['model']}: no version is in production"
    since = next((_minute(span["since"]) for span in reversed(document["spans"]) if span["version"] == champion), None)
    now = f"{document['model']}: version {champion} is in production{f' since {since}' if since else ''}"
    run = document.get("evidence_run")
    return f"{now}\n      evidence: MLflow run {run}, page gate/gate.html" if run else now


def _asked(document: Mapping[str, Any], entries: Mapping[int, Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for span in document["in_production"]:
        if span["version"] is not None:
            until = _minute(span["until"]) if span["until"] else "today"
            lines.append(f"{document['model']} version {span['version']}, from {_minute(span['since'])} until {until}")
            lines += _details(entries[span["number"]])
    return lines or [f"{document['model']}: no version was in production at {shown(document['at'])}"]


def _entry(entry: Mapping[str, Any]) -> list[str]:
    change = f"{entry['from_version'] or 'none'} -> {entry['to_version'] or 'none'}"
    return [f"{entry['number']:>4}  {_minute(entry['time'])}  {entry['kind']:<8}  {change}", *_details(entry)]


def _details(entry: Mapping[str, Any]) -> list[str]:
    gate = f", gate {entry['gate'][:16]}" if entry["gate"] else ""
    return [*_wrapped(f"by {entry['who']}{gate}", "      "), *_wrapped(entry["why"], "      ")]


def _verified(document: Mapping[str, Any]) -> list[str]:
    if document["problems"] is None:
        return []
    if not document["problems"]:
        return ["", f"verified: {len(document['entries'])} entries, an unbroken chain that ends with the champion"]
    return ["", "NOT VERIFIED", *(line for one in document["problems"] for line in _wrapped(one, "  "))]


def _minute(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(shown(text, _MAX_WORDS), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
