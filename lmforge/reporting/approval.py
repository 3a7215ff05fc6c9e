"""What a person reads before they agree to a version: Markdown for the form of the paused run, and commands.

The form shows what the gate found, not what it means: the page with the slices and the changed answers is one click on.
"""

from __future__ import annotations

from datetime import datetime

from lmforge.release.decision import Decision


def approval_question(
    name: str, decision: Decision, gate: str, *, against: str | None, page: str, until: datetime
) -> str:
    """The question as Markdown. name: NAME/VERSION; against: the champion's version; page: where the gate's page is."""
    lines = [
        f"### Put {name} into production?",
        "",
        f"It would take the place of version {against}." if against else "It would be the first version there.",
        "",
        f"- **verdict**: {decision.verdict}",
        *_gain(decision),
        *(f"- **{rule.name}**: {rule.words}" for rule in decision.rules if rule.group == "superiority"),
        f"- **rules**: {sum(rule.judged for rule in decision.rules)} judged, none failed",
        f"- **evidence**: [page of the gate]({page})",
        # The form is narrow; the whole hash is a parameter of the run.
        f"- **gate hash**: `{gate[:16]}`",
        "",
        f"The answer is bound to this hash. Without one until {until:%Y-%m-%d %H:%M %Z} this run ends and the version "
        f"stays a challenger; then go on with {approval_commands(name, '`')}.",
    ]
    return "\n".join(lines)


def approval_commands(name: str, mark: str = "") -> str:
    """How to agree, and then to promote, in a terminal; `mark` stands around each command."""
    agree, promote = f'lmforge approve {name} --reason "..."', f"lmforge promote {name}"
    return f"{mark}{agree}{mark}, then {mark}{promote}{mark}"


def _gain(decision: Decision) -> list[str]:
    found = decision.comparison
    if found is None:
        return []
    interval = f"{found.interval.low:+.4f} to {found.interval.high:+.4f}"
    return [
        f"- **gain**: {found.gain:+.4f} {found.metric} on {found.num_examples:,} examples "
        f"({found.interval.confidence:.0%} interval {interval})",
        f"- **smallest visible gain**: {found.smallest_visible_gain:.4f}",
    ]
