"""Tags: each is given for what it is about, and for nothing that only resembles it."""

from __future__ import annotations

import base64
import gzip
import json
import random
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.tagging import TAGS, tag

BYTES = random.Random(0).randbytes(600)
PROSE = "The committee will publish its report on the state of the roads next week, as it did last year. "
PYTHON = """import os

def main(path):
    # Sums the sizes.
    total = 0
    for name in os.listdir(path):
        total += os.path.getsize(name)
    return total
"""
SCRIPT = "function f(a,b){return a[b]&&(c=d[e],g(h)||(i=j))};var k={l:1,m:function(){return(n)}};" * 4

TAGGED = {
    "override": ("bidi", "invoice\u202efdp.exe"),
    "isolate": ("bidi", "a \u2066b\u2069 c"),
    "Cyrillic in Latin": ("mixed_script", "log in at pаypal now"),
    "Latin in Cyrillic": ("mixed_script", "Прoсто"),
    "Greek omicron": ("mixed_script", "gοοgle"),
    "stacked accents": ("zalgo", "Z\u030d\u0310\u0314\u0357\u0352 he comes"),
    "Python": ("code", PYTHON),
    "minified": ("code", SCRIPT),
    "base64": ("encoded", base64.encodebytes(BYTES).decode()),
    "base64 in one line": ("encoded", base64.b64encode(BYTES).decode()),
    "hex": ("encoded", BYTES.hex()),
    "hex dump": ("encoded", "\n".join(BYTES[n : n + 16].hex(" ") for n in range(0, 160, 16))),
    "xxd": (
        "encoded",
        "\n".join(f"{n:08x}: {BYTES[n : n + 16].hex(' ', 2)}  k..{n % 7}.m.." for n in range(0, 160, 16)),
    ),
    "escapes": ("encoded", "".join(f"\\x{byte:02x}" for byte in BYTES[:40])),
    "LaTeX": ("latex", r"\section{One} As \cite{knuth} says, $\frac{1}{2}$ is less."),
    "Markdown": ("markdown", "## One\n\nSee [this](http://x.y).\n\n## Two\n\n**bold** text"),
}


@pytest.mark.parametrize(("name", "text"), TAGGED.values(), ids=TAGGED)
def test_what_a_tag_is_about_gets_it(name: str, text: str) -> None:
    assert tag(pl.Series([text])).to_list() == [name]


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROSE,
        "שלום \u200e(abc)\u200f עולם",
        "TNFα and 5 μm, ΔG of α-helix; Яндекс.Maps, Ελλάδα, T-образный",
        "naïve café, Việt Nam ệ, \u1fa7",
        "* one thing;\n* another;\n* the last: (see below);",
        "= Features =\n- fast (very);\n- small; and so on",
        PROSE + f"The SHA-256 is {BYTES[:32].hex()}. " + PROSE,
        "-" * 300,
        "a" * 300,
        "0" * 300,
        "10 20 30 40 50 60 70 80 90 12 23 34 45 56 67 78 89 91",
        "see https://example.org/one/two/three/four/five/six/seven/eight/nine/ten/eleven/twelve/thirteen",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "C:\\begin with **this** one",
    ],
)
def test_what_only_resembles_gets_none(text: str) -> None:
    assert tag(pl.Series([text])).to_list() == [""]


def test_several_tags_stand_in_order_with_commas() -> None:
    text = PYTHON + "# pаypal \u202e Z" + "\u0310" * 7
    assert tag(pl.Series([text, None])).to_list() == ["bidi,mixed_script,zalgo,code", ""]
    assert list(TAGS)[:4] == ["bidi", "mixed_script", "zalgo", "code"]


def test_prose_about_software_is_seldom_tagged() -> None:
    path = Path(__file__).parents[3] / "examples/data/debian_descriptions.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["description"] for line in lines]
    counts = Counter(name for joined in tag(pl.Series(texts)) for name in joined.split(",") if name)
    assert counts["code"] <= 0.0015 * len(texts)
    assert counts["markdown"] <= 0.0002 * len(texts)
    assert set(counts) <= {"code", "markdown"}


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=5))
def test_any_text_gets_known_tags_and_neighbours_do_not_matter(texts: list[str]) -> None:
    tags = tag(pl.Series(texts, dtype=pl.String))
    assert all(set(joined.split(",")) <= {*TAGS, ""} for joined in tags)
    assert tags.to_list() == [tag(pl.Series([text]))[0] for text in texts]


@pytest.mark.parametrize("part", ["(", "ab ", "a", "%41", "**", "a(", "=", "\n", "for ", "|-", "[", "aё", "\u0301"])
def test_time_is_linear_in_the_length(part: str) -> None:
    started = time.process_time()
    tag(pl.Series([part * 200_000]))
    assert time.process_time() - started < 5
