"""The ledger of a model: tags of the registered model, so that every machine sees it, and a copy in the home.

The registry's is the one that counts. The copy is what shows that entries were cut off at the registry's end: it is
only ever added to. Callers hold the lock of the model's name when they write.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from lmforge.errors import IntegrityError
from lmforge.hashing import hash_value, short
from lmforge.home import Home
from lmforge.release.ledger import MAX_ENTRY_CHARS, Entry, first_break
from tasks import registry, tracking

_PREFIX = "lmforge.ledger."


def read_ledger(home: Home, name: str) -> list[Entry]:
    """The entries in the registry, in order of their numbers. Raises IntegrityError for one that is no entry."""
    tags = registry.model_tags(home, name)
    return [_parsed(tags[key], key) for key in sorted(tags) if key.startswith(_PREFIX)]


def append_entry(home: Home, entry: Entry) -> None:
    """Write the entry to the registry and bring the copy up to date; again is the same as once.

    Raises IntegrityError where the registry holds another entry of this number.
    """
    chain = read_ledger(home, entry.model)
    if entry not in chain:
        broken = first_break([*chain, entry])
        if broken:
            raise IntegrityError(f"the ledger of {entry.model} cannot go on: {broken}; {_advice(entry.model)}")
        text = entry.model_dump_json()
        assert len(text) <= MAX_ENTRY_CHARS, "an entry fits into a tag"
        tracking.client(home).set_registered_model_tag(entry.model, f"{_PREFIX}{entry.number:08d}", text)
        chain.append(entry)
    copy_ledger(home, entry.model, chain)


def copy_ledger(home: Home, name: str, chain: list[Entry]) -> None:
    """Add to the copy in the home what the registry has and it has not."""
    path = _copy(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    held = path.read_bytes() if path.is_file() else b""
    whole = held[: held.rfind(b"\n") + 1]  # a kill may have left half a line
    missing = chain[len(whole.splitlines()) :]
    if not missing and whole == held:
        return
    with path.open("r+b" if held else "wb") as file:
        file.truncate(len(whole))
        file.seek(len(whole))
        file.writelines(f"{entry.model_dump_json()}\n".encode() for entry in missing)
        file.flush()
        os.fsync(file.fileno())


def check_ledger(home: Home, name: str) -> list[str]:
    """What is wrong with the ledger: the first broken link, what differs from the copy and from the champion."""
    try:
        chain, copied = read_ledger(home, name), _read_copy(home, name)
    except IntegrityError as error:
        return [str(error)]
    broken, problems = first_break(chain), []
    if broken:
        problems.append(broken)
    for number, copy in enumerate(copied, start=1):
        held = next((entry for entry in chain if entry.number == number), None)
        if held != copy:
            said = "is not in the registry any more" if held is None else "differs from the registry's"
            problems.append(f"entry {number} of the copy {_copy(home, name)} {said}")
            break
    champion = registry.aliases(home, name).get(registry.CHAMPION)
    if chain and champion != chain[-1].to_version:
        last = chain[-1].to_version
        problems.append(f"the ledger ends with version {last}, but the alias champion points at version {champion}")
    return problems


def _copy(home: Home, name: str) -> Path:
    # A home may be pointed at another registry, which has a history of its own.
    return home.path / "ledgers" / f"{short(hash_value([home.tracking_uri, name]))}.jsonl"


def _read_copy(home: Home, name: str) -> list[Entry]:
    path = _copy(home, name)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [_parsed(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def _parsed(text: str, place: str) -> Entry:
    try:
        return Entry.model_validate_json(text)
    except ValidationError as error:
        raise IntegrityError(f"{place}: no entry of a ledger: {error.errors()[0]['msg']}") from error


def _advice(name: str) -> str:
    return f"see what it holds: lmforge history {name} --verify"
