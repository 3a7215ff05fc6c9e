"""Bad input of the stage clean: one document each, beside good ones; the third line of its file."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from typing import Any

from tests.bad_input.project import Case, Keeps, Quarantines

S = "This is a sentence about the weather"
NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(20))
BASE64, HEX = base64.b64encode(NOISE).decode(), " ".join(f"{byte:02x}" for byte in NOISE)
ENCODED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE64[:640]}\n-----END RSA PRIVATE KEY-----"
PAGE = (
    "<html><head><style>p{color:red}</style><script>alert('x')</script></head><body><nav>Home | About</nav>"
    "<p>The committee met again on Friday to talk about the roads.</p></body></html>"
)


def keeps(*texts: str, tags: dict[str, int] | None = None, **repairs: int) -> Keeps:
    return Keeps(texts, {name.replace("__", "."): number for name, number in repairs.items()}, tags)


def dropped(reason: str, says: str = "") -> Quarantines:
    return Quarantines({reason: 1}, 3, says=says)


def _masked(name: str, text: str, masked: str, kind: str) -> Case:
    return Case("personal_data", name, text, keeps(masked, **{f"personal_data__{kind}": 1}))


def _secret(name: str, text: str, kind: str) -> Case:
    return Case("secrets", name, f"{S} {text} and so on", dropped("secret", kind))


def _filtered(name: str, text: str, reason: str, *filters: str) -> Case:
    settings: dict[str, Any] = {"max_words": 10**7, "quality": {"filters": list(filters)}}
    return Case("repeats", name, text, dropped(reason), settings={"cleaning": settings})


_case = partial(Case, settings={})
CASES = [
    Case("blank_text", "nothing", "", dropped("empty")),
    Case("blank_text", "white space", " \n\t ", dropped("empty")),
    Case("blank_text", "what nobody sees", "\u200b\u00ad\ufeff", dropped("empty")),
    Case("control", "escapes, bells, backspaces", f"{S}\x1b[31m red\x1b[0m and\x08 back\x07.",
         keeps(f"{S} red and back.", control=1)),
    Case("invisible", "right-to-left override", f"{S} \u202eevil\u202c today",
         keeps(f"{S} evil today", tags={"bidi": 1}, bidi=1)),
    Case("invisible", "zero width, soft hyphen, tags", f"{S} zero\u200bwidth so\u00adft tag\U000e0041\U000e0042",
         keeps(f"{S} zerowidth soft tag", invisible=1)),
    Case("homoglyphs", "a Cyrillic a in a Latin word", f"{S} at p\u0430ypal",
         keeps(f"{S} at p\u0430ypal", tags={"mixed_script": 1})),
    Case("homoglyphs", "dropped where the recipe says so", f"{S} at p\u0430ypal", dropped("mixed_script"),
         settings={"cleaning": {"drop_tagged": ["mixed_script"]}}),
    Case("emoji", "families, flags, skin tones",
         f"{S} \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
         keeps(f"{S} \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd")),
    Case("emoji", "stacked accents", f"{S} z{chr(0x300) * 100}",
         keeps(f"{S} z{chr(0x300) * 4}", tags={"zalgo": 1}, combining=1)),
    Case("mojibake", "once", f"{S} in the cafÃ© there", keeps(f"{S} in the café there", mojibake=1)),
    Case("mojibake", "twice", f"{S} in the cafÃƒÂ© there", keeps(f"{S} in the café there", mojibake=1)),
    Case("mojibake", "entities twice", f"{S} of Tom &amp;amp; Jerry", keeps(f"{S} of Tom & Jerry", entities=1)),
    Case("html", "a page", PAGE, keeps("The committee met again on Friday to talk about the roads.", html=1),
         settings={"cleaning": {"html": True}}),
    Case("markup", "Python", "import os\nfor name in os.listdir():\n    print(name)\nif True:\n    pass\n",
         keeps("import os\nfor name in os.listdir():\nprint(name)\nif True:\npass", tags={"code": 1}, whitespace=1)),
    Case("markup", "LaTeX", r"\begin{a} \frac{1}{2} and \cite{b} and then \end{a} of it",
         keeps(r"\begin{a} \frac{1}{2} and \cite{b} and then \end{a} of it", tags={"latex": 1})),
    Case("markup", "Markdown", "## A title\n[one](http://a.b) and **two** and [three](c) of them",
         keeps("## A title\n[one](http://a.b) and **two** and [three](c) of them", tags={"markdown": 1})),
    Case("markup", "base64", f"{S} {BASE64}", dropped("encoded"), settings={"cleaning": {"drop_tagged": ["encoded"]}}),
    Case("markup", "a hex dump", f"{S} {HEX}", dropped("encoded"), settings={"cleaning": {"drop_tagged": ["encoded"]}}),
    Case("markup", "JavaScript without spaces", "function(){var a=1;return a};x y z w u v " * 30, dropped("code"),
         settings={"cleaning": {"drop_tagged": ["code"]}}),
    Case("language", "not a wanted one", "Der Ausschuss wird seinen Bericht über den Zustand der Straßen vorlegen.",
         dropped("other_language", ": de$"), settings={"cleaning": {"languages": ["en"]}}),
    Case("language", "too short to tell", "ok ja", keeps("ok ja"),
         settings={"cleaning": {"languages": ["en"], "min_words": 1}}),
    _masked("mail", f"{S} for jane.doe@company.com there", f"{S} for <EMAIL> there", "email"),
    _masked("phone", f"Please call +49 30 901820 about {S}", f"Please call <PHONE> about {S}", "phone"),
    _masked("IBAN", f"{S} paid to DE89370400440532013000 now", f"{S} paid to <IBAN> now", "iban"),
    _masked("card", f"{S} with card 4111 1111 1111 1111 now", f"{S} with card <CREDIT_CARD> now", "credit_card"),
    Case("personal_data", "no card, by Luhn", f"{S} with 4111 1111 1111 1112 now",
         keeps(f"{S} with 4111 1111 1111 1112 now")),
    _masked("IP address", f"{S} from 81.2.69.160 today", f"{S} from <IP_ADDRESS> today", "ip_address"),
    _masked("national id", f"His SSN 536-22-8726 is about {S}", f"His SSN <NATIONAL_ID> is about {S}", "national_id"),
    _secret("an AWS key", "AKIA" + "QWERTYUIOPASDFGH", "aws_access_key"),
    _secret("a GitHub token", "ghp_" + "Zb3kQ9xLmT7vR2nYc5wHj8dFs4gPa6eUi1Bo", "github"),
    _secret("a PEM key", PEM, "private_key"),
    _secret("a JSON web token", ENCODED, "json_web_token"),
    _secret("a password in a URL", "https://user:hunter2secret@example.org/x", "password_in_url"),
    _filtered("one line 1,000 times", "a line of text\n" * 1000, "gopher_duplicate_lines", "gopher_repetition"),
    _filtered("one word 10,000 times", "word " * 10_000, "gopher_top_2_gram", "gopher_repetition"),
    _filtered("one word, by C4", "word " * 10_000, "c4_no_lines", "c4"),
]  # fmt: skip
