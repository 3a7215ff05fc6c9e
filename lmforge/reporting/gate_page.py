"""One page about one decision of the release gate: the verdict, every rule, and what both models answered.

The same evidence gives the same page, whenever it is made. Text of the data in it is masked and escaped, there is no
script, and the page's content policy forbids loading anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmforge.hashing import short
from lmforge.release.bundle import Sealed
from lmforge.release.decision import Decision, Rule
from lmforge.release.evidence import Facts
from lmforge.release.power import POWER
from lmforge.release.rules.wording import LESS_IS_BETTER
from lmforge.reporting import gate_page_charts as charts
from lmforge.reporting.data_report_charts import histogram
from lmforge.reporting.excerpts import masked
from lmforge.reporting.gate_page_examples import changed_examples, confusion
from lmforge.reporting.gate_page_measures import latencies, reliability, slice_rows, values
from lmforge.reporting.gate_page_variants import fairness_rows, robustness_rows
from lmforge.reporting.lines import size_words
from lmforge.reporting.pages import render_page
from lmforge.wording import shown

_HEX = frozenset("0123456789abcdef")
_WORDS_CHARACTERS = 400
# How an observed value has to stand to its limit; `at most` where nothing else is said.
_RELATIONS = {
    "superiority": "above", "non_inferiority": "above", "minimum": "at least", "cheaper": "below", "test_set": "",
}  # fmt: skip


def gate_document(sealed: Sealed) -> dict[str, Any]:
    """Everything that the page shows, as one JSON document; text of the data in it is fit to be shown."""
    evidence, decision = sealed.evidence, sealed.decision
    facts, examples = evidence.facts, evidence.examples.sort("id")
    comparison = decision.comparison
    slices = [rule for rule in decision.rules if rule.group == "slices"]
    return {
        "model": facts.name,
        "version": facts.challenger.version,
        "against": facts.champion.version if facts.champion else None,
        "verdict": decision.verdict,
        "promote": decision.promote,
        "needs_approval": decision.needs_approval,
        "follows": _follows(facts, decision),
        "metric": facts.metric,
        "num_examples": len(examples),
        "power": POWER,
        "limit": -facts.policy.margin if facts.policy.margin is not None else facts.policy.minimum_gain,
        "values": values(evidence),
        "comparison": comparison.model_dump(mode="json") if comparison else None,
        "rules": _rules(decision.rules, facts.metric),
        "slices": slice_rows(evidence, slices),
        "max_regression": facts.policy.slices.max_regression,
        "slices_alpha": facts.policy.slices.alpha,
        "reliability": reliability(examples, facts.policy.calibration.num_bins),
        "num_bins": facts.policy.calibration.num_bins,
        "robustness": robustness_rows(decision.rules),
        "fairness": fairness_rows(decision.rules),
        "confusion": confusion(examples, facts),
        "latency": latencies(evidence.latency),
        "changed": changed_examples(examples),
        "provenance": _provenance(facts, sealed.gate_hash),
    }


def render_gate_page(document: Mapping[str, Any]) -> str:
    """The page of a document: the same document gives the same bytes."""
    filters = {"four": _four, "signed": _signed, "percent": _percent}
    drawn = {
        "gain_chart": _gain_chart(document),
        "slice_charts": _slice_charts(document),
        "curves": _curves(document),
        "times": _times(document),
    }
    return render_page("gate.html", {**document, **drawn}, filters)


def _follows(facts: Facts, decision: Decision) -> str:
    named = f"{facts.name}/{facts.challenger.version}"
    stays = f"version {facts.champion.version} stays champion" if facts.champion else "there is no champion yet"
    if not decision.promote:
        others = sum(not rule.passed for rule in decision.rules) - 1
        more = f" and {others} more" if others else ""
        name = shown(masked([decision.first_failure or ""])[0])
        return f"It is not promoted, because rule {name}{more} failed; {stays}."
    if decision.needs_approval:
        return (
            f"Every rule passed, and a person has to agree within {facts.policy.approval_hours:g} hours before the "
            f'promotion: lmforge approve {named} --reason "...", then lmforge promote {named}. Until then {stays}.'
        )
    return "Every rule passed: the gate allows it to become the champion."


def _rules(rules: tuple[Rule, ...], metric: str) -> list[dict[str, Any]]:
    texts = ([rule.name for rule in rules], [rule.words for rule in rules])
    names, words = ([shown(one, _WORDS_CHARACTERS) for one in masked(every)] for every in texts)
    return [
        {
            "group": rule.group,
            "name": name,
            "state": "not judged" if not rule.judged else "passed" if rule.passed else "failed",
            "observed": _value(rule, rule.observed, metric),
            "limit": _limit(rule, metric),
            "words": said,
        }
        for rule, name, said in zip(rules, names, words, strict=True)
    ]


def _value(rule: Rule, value: float | str | None, metric: str) -> str:
    if isinstance(value, str):
        # A sentence stands in the words already; a fingerprint is told by its beginning.
        return short(value) if value and set(value) <= _HEX else ""
    if value is None:
        return ""
    if rule.group == "slices":
        # It is held as a loss; beside its words a change is what is read.
        return _signed(0.0 - value)
    # More is better everywhere in the gate, which nobody expects of bits per byte.
    return _four(-value if rule.group == "floors" and metric in LESS_IS_BETTER else value)


def _limit(rule: Rule, metric: str) -> str:
    written = _value(rule, rule.limit, metric)
    if not written:
        return ""
    if rule.group == "slices":
        return f"not surely below {written}"
    if rule.group != "floors":
        return f"{_RELATIONS.get(rule.name, 'at most')} {written}".strip()
    relations = ("at most", "below") if metric in LESS_IS_BETTER else ("at least", "above")
    return f"{relations[rule.name != 'minimum']} {written}"


def _provenance(facts: Facts, gate_hash: str) -> dict[str, str]:
    rows = {"gate hash": gate_hash, "judged at": facts.made_at, "test set": facts.test_digest}
    for side, subject in (("challenger", facts.challenger), ("champion", facts.champion)):
        if subject is not None:
            rows[side] = f"version {subject.version}, {size_words(subject.size_bytes)}, {subject.fingerprint}"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(facts.environment.items()))
    rows |= {"code": facts.code, "seed": str(facts.seed), "resamples": f"{facts.policy.resamples:,}"}
    return {name: shown(text, _WORDS_CHARACTERS) for name, text in (rows | {"made with": versions}).items() if text}


def _gain_chart(document: Mapping[str, Any]) -> dict[str, Any] | None:
    found = document["comparison"]
    if found is None:
        return None
    interval, limit = found["interval"], document["limit"]
    numbers = (interval["low"], interval["high"], found["lower_bound"], found["smallest_visible_gain"], limit, 0.0)
    scale = charts.scale_over(numbers)
    marks = {"zero": 0.0, "limit": limit, "visible": found["smallest_visible_gain"], "bound": found["lower_bound"]}
    label = f"gain {_signed(found['gain'])}, interval {_signed(interval['low'])} to {_signed(interval['high'])}"
    drawn = charts.range_chart(scale, found["gain"], (interval["low"], interval["high"]), marks, "challenger", label)
    return {"scale": scale, "chart": drawn}


def _slice_charts(document: Mapping[str, Any]) -> dict[str, Any] | None:
    rows, limit = document["slices"], document["max_regression"]
    if not rows:
        return None
    judged = [row for row in rows if row["judged"]] or rows
    ends = [one for row in judged for one in (row["low"], row["high"], row["change"]) if one is not None]
    scale = charts.scale_over([*ends, 0.0, -limit])
    drawn = []
    for row in rows:
        bounds = (row["low"], row["high"]) if row["judged"] else None
        name = "unjudged" if not row["judged"] else "challenger" if row["passed"] else "broken"
        label = f"{row['name']}: change {_signed(row['change'])}"
        drawn.append(charts.range_chart(scale, row["change"], bounds, {"zero": 0.0, "limit": -limit}, name, label))
    return {"scale": scale, "drawn": drawn}


def _curves(document: Mapping[str, Any]) -> Any:
    points = {
        side: [(one["confidence"], one["right"]) for one in bins] for side, bins in document["reliability"].items()
    }
    return charts.curves(points, "share of right answers by probability") if points else None


def _times(document: Mapping[str, Any]) -> Any:
    found = document["latency"]
    return histogram(found["challenger"], found["champion"], "calls by time, both models") if found else None


def _four(value: float) -> str:
    return f"{value:.4f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
