"""Put a version into production, or put an old one back, so that a kill at any moment leaves one of the two there.

What will be done is written down first, as a tag of the registered model, with the ledger's entry and what was there
before. Every step sets a value, so `recover` goes through all of them again and ends where an undisturbed run would
have ended. A version that does not answer when loaded by its alias is moved back out, and the ledger says so.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lmforge.artifacts.artifact import Frozen
from lmforge.errors import InputError, IntegrityError, LmforgeError, RefusedError
from lmforge.faults import point
from lmforge.hashing import hash_path
from lmforge.home import Home
from lmforge.release.ledger import MAX_WHY_CHARS, Entry, Kind, next_entry
from lmforge.release.notice import Notice
from lmforge.release.states import check_transition, state_of
from lmforge.serving.self_test import answers_in_clean_process
from tasks import registry, tracking
from tasks.ledgers import append_entry, copy_ledger, read_ledger
from tasks.notifying import notify
from tasks.reaching import is_outage
from tasks.turns import only_one

INTENT_TAG = "lmforge.intent"
SelfTest = Callable[[Path], None]


class Change(Frozen):
    """What is asked for. expected: the champion that the gate compared with, for a promotion.

    gate, files: hashes of the gate's answer and of the version's files, as the gate saw them; None without a gate.
    """

    model: str
    version: str
    kind: Kind
    why: str
    expected: str | None = None
    gate: str | None = None
    files: str | None = None


class _Standing(Frozen):
    """Aliases, and states of the versions concerned; None is an alias or a state that does not exist."""

    champion: str | None
    previous: str | None
    states: dict[str, str | None]


class _Intent(Frozen):
    """What is being done: the entry that the ledger will have, from where to where, and the hash of the files."""

    entry: Entry
    before: _Standing
    after: _Standing
    files: str

    @property
    def goal(self) -> _Standing:
        return self.before if self.entry.kind == "undone" else self.after


def move_champion(home: Home, change: Change, self_test: SelfTest = answers_in_clean_process) -> Entry:
    """Carry the change out and return the ledger's entry of it; of the last one, if the version is already there.

    self_test: raises IntegrityError when the model in a directory does not answer.
    Raises RefusedError when another version is in production than the gate compared with, or when files changed since;
    IntegrityError when the version failed its self-test and was moved back.
    """
    with _turn(home, change.model):
        _finish(home, change.model, self_test)
        chain = _with_found(home, change.model)
        champion = registry.aliases(home, change.model).get(registry.CHAMPION)
        if champion == change.version:
            return chain[-1]
        if change.kind == "promote" and champion != change.expected:
            raise RefusedError(_moved_on(change, champion))
        intent = _intend(home, change, chain)
        point(f"{change.kind}.checked")
        entry = _carry_out(home, intent, self_test)
    if entry.kind == "undone":
        raise IntegrityError(f"{change.model} version {change.version}: {entry.why}")
    return entry


def recover(home: Home, name: str, self_test: SelfTest = answers_in_clean_process) -> Entry | None:
    """Finish or undo what a killed process had begun; the entry of it, None if there was nothing to do."""
    if INTENT_TAG not in registry.model_tags(home, name):
        return None
    with _turn(home, name):
        return _finish(home, name, self_test)


def who() -> str:
    """The account and the machine of this process, as the ledger names them."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        account = f"uid-{os.getuid()}"
    return f"{account}@{socket.gethostname()}"[:200]


def files_hash(home: Home, name: str, version: str) -> str:
    """The hash of a version's files; raises RefusedError when they are not there."""
    return _files(home, f"{registry.SCHEME}{name}/{version}")


@contextmanager
def _turn(home: Home, name: str) -> Iterator[None]:
    """Hold the lock of the model's name; once it is free, tell what the ledger got meanwhile, a refusal or not."""
    refusal: LmforgeError | None = None
    with only_one(home, name):
        num_known = len(read_ledger(home, name))
        try:
            yield
        except LmforgeError as error:
            refusal = error
        new = read_ledger(home, name)[num_known:]
    for entry in new:
        notify(home, Notice.of_change(entry))
    if refusal is not None:
        raise refusal


def _finish(home: Home, name: str, self_test: SelfTest) -> Entry | None:
    text = registry.model_tags(home, name).get(INTENT_TAG)
    if text is None:
        copy_ledger(home, name, read_ledger(home, name))
        return None
    intent = _Intent.model_validate_json(text)
    champion = registry.aliases(home, name).get(registry.CHAMPION)
    if champion not in (intent.before.champion, intent.after.champion):
        # Somebody chose a third version since; what was begun has lost its ground.
        tracking.client(home).delete_registered_model_tag(name, INTENT_TAG)
        return None
    return _carry_out(home, intent, self_test)


def _with_found(home: Home, name: str) -> list[Entry]:
    """The ledger, with an entry for an alias that something else has moved."""
    chain, champion = read_ledger(home, name), registry.aliases(home, name).get(registry.CHAMPION)
    if champion != (chain[-1].to_version if chain else None):
        why = "the alias was set by other means than lmforge"
        found = next_entry(chain, model=name, kind="found", who="unknown", why=why, to_version=champion)
        append_entry(home, found)
        chain.append(found)
    return chain


def _intend(home: Home, change: Change, chain: list[Entry]) -> _Intent:
    name, aliases = change.model, registry.aliases(home, change.model)
    champion = aliases.get(registry.CHAMPION)
    files = files_hash(home, name, change.version)
    if change.files not in (None, files):
        raise RefusedError(
            f"{name} version {change.version}: its files have the hash {files[:16]}, but the gate saw {change.files}; "
            "they were changed since: register and judge the model again"
        )
    states = {change.version: "champion"}
    if champion:
        states[champion] = "rolled_back" if change.kind == "rollback" else "retired"
    held = {number: _state(home, name, number) for number in states}
    if change.kind == "promote":
        check_transition(change.version, state_of(held[change.version]), "champion")
    before = _Standing(champion=champion, previous=aliases.get(registry.PREVIOUS), states=held)
    after = _Standing(champion=change.version, previous=champion, states=dict(states))
    entry = next_entry(
        chain, model=name, kind=change.kind, who=who(), why=change.why, to_version=change.version, gate=change.gate
    )
    return _Intent(entry=entry, before=before, after=after, files=files)


def _carry_out(home: Home, intent: _Intent, self_test: SelfTest) -> Entry:
    entry = intent.entry
    name, kind = entry.model, entry.kind
    tracking.client(home).set_registered_model_tag(name, INTENT_TAG, intent.model_dump_json())
    point(f"{kind}.intended")
    _establish(home, name, kind, intent.goal)
    if kind != "undone":
        try:
            _test(home, name, intent.files, self_test)
        except IntegrityError as error:
            return _carry_out(home, _undoing(home, intent, error), self_test)
        point(f"{kind}.tested")
    append_entry(home, entry)
    point(f"{kind}.recorded")
    tracking.client(home).delete_registered_model_tag(name, INTENT_TAG)
    point(f"{kind}.done")
    return entry


def _establish(home: Home, name: str, kind: Kind, goal: _Standing) -> None:
    """States first and the champion last: whoever asks for it gets the old or the new one, never none."""
    for version, state in goal.states.items():
        if state is None:
            tracking.client(home).delete_model_version_tag(name, version, registry.STATE_TAG)
        else:
            registry.tag_version(home, name, version, {registry.STATE_TAG: state})
        point(f"{kind}.tagged")
    registry.set_alias(home, name, registry.PREVIOUS, goal.previous)
    point(f"{kind}.previous")
    registry.set_alias(home, name, registry.CHAMPION, goal.champion)
    point(f"{kind}.champion")
    held = registry.aliases(home, name)
    found = (held.get(registry.CHAMPION), held.get(registry.PREVIOUS))
    if found != (goal.champion, goal.previous):
        raise LmforgeError(
            f"{name}: champion and previous_champion were set to {goal.champion} and {goal.previous}, but are "
            f"{found[0]} and {found[1]}: something else moves the aliases; the next lmforge command looks at it again"
        )
    point(f"{kind}.read_back")


def _test(home: Home, name: str, files: str, self_test: SelfTest) -> None:
    uri = f"{registry.SCHEME}{name}@{registry.CHAMPION}"
    try:
        found = _files(home, uri)
    except RefusedError as error:
        raise IntegrityError(str(error)) from error
    if found != files:
        raise IntegrityError(f"{uri} has files with the hash {found[:16]} instead of {files[:16]}")
    self_test(registry.model_directory(home, uri))


def _undoing(home: Home, intent: _Intent, error: IntegrityError) -> _Intent:
    version, back = intent.after.champion, intent.before.champion
    why = f"version {version} failed its self-test and was moved back: {error}"[:MAX_WHY_CHARS]
    chain = read_ledger(home, intent.entry.model)
    entry = next_entry(chain, model=intent.entry.model, kind="undone", who=intent.entry.who, why=why, to_version=back)
    return intent.model_copy(update={"entry": entry})


def _files(home: Home, uri: str) -> str:
    try:
        directory = registry.model_directory(home, uri)
        if directory.is_dir() and any(directory.iterdir()):
            return hash_path(directory)
        reason = f"{directory} is missing or empty"
    except (OSError, InputError) as error:
        if is_outage(error):
            raise
        reason = str(error)
    raise RefusedError(f"{uri}: its files are not there: {reason}; register the model again: lmforge run RECIPE")


def _state(home: Home, name: str, version: str) -> str | None:
    tags: dict[str, str] = tracking.client(home).get_model_version(name, version).tags
    return tags.get(registry.STATE_TAG)


def _moved_on(change: Change, champion: str | None) -> str:
    judged = f"against version {change.expected}" if change.expected else "as the first version"
    now = f"version {champion}" if champion else "no version"
    return (
        f"{change.model} version {change.version} was judged {judged}, but {now} is in production now; judge it again "
        "against that: lmforge run RECIPE"
    )
