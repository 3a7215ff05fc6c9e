"""Finders of mail and IP addresses; a version number, a section or an object identifier is no IP address.

Only addresses that lead to somebody are found: loopback, private, link-local, multicast and documentation ranges stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from lmforge.privacy.findings import Finding

# Letters of the scripts that put spaces between words; elsewhere the words around an address would be taken with it.
_LETTER = "0-9A-Za-z\u00c0-\u024f\u0370-\u052f"
_LABEL = rf"[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?"
_DOT = r"(?:\.| ?[\[({] ?(?i:dot) ?[\])}] ?)"
_AT = r"(?:@| ?[\[({] ?(?i:at) ?[\])}] ?)"
# `image@2x.png` names a file.
_NO_FILE = r"(?!(?:png|jpe?g|gif|svg|webp|ico|css|js|json|html?)(?![\w-]))"
# RFC 1035, 2.3.4 limits labels to 63 characters; nobody writes more than eight of them after an `@`.
_DOMAIN = re.compile(
    rf"{_AT}(?:{_LABEL}{_DOT}){{1,8}}{_NO_FILE}(?:[a-zA-Z\u0370-\u052f]{{2,24}}|xn--[a-z0-9-]{{2,59}})(?![{_LETTER}_])"
)
# RFC 5321, 4.5.3.1.1: at most 64 characters; matched backwards from the `@`, so that no start is tried twice.
_LOCAL_BACKWARDS = re.compile(rf"[{_LETTER}._%+'-]{{0,63}}[{_LETTER}_]")

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.+~-]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w~+]|[.-][0-9])")
# Global unicast addresses begin so (RFC 4291, 2.4); clock times, MAC addresses and names in C++ do not.
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![\w:])")

_CONTEXT_CHARS = 24
_VERSION_BEFORE = re.compile(
    r"(?:\b(?:versions?|ver|v|release[ds]?|rel|build|firmware|updated? (?:to|from)|upgraded? (?:to|from)|sections?"
    r"|chapter|oid|doi|rfc|kernel|driver|patch)\b|§|[<>=~]=|doi[=:]|(?:->|=>))[\s:=(\"'#]*\Z",
    re.IGNORECASE,
)
_ADDRESS_BEFORE = re.compile(
    r"(?:\b(?:ips?|ipv4|address(?:es)?|addr|hosts?|hostname|servers?|client|dns|nameserver|gateway|router|ping|peer|from"
    r"|login|connect(?:ed|ion)?|visitor|logged|user)\b(?:[\s:=(\"'\[]|is|of|at|to|in)*|//|\[)\Z",
    re.IGNORECASE,
)
_ADDRESS_AFTER = re.compile(r":[0-9]{2,5}\b|/[0-9]{1,2}\b")


def find_emails(text: str) -> Iterator[Finding]:
    """Mail addresses of a folded text, also with `[at]` and `(dot)`."""
    for domain in _DOMAIN.finditer(text):
        before = text[max(0, domain.start() - 64) : domain.start()][::-1]
        local = _LOCAL_BACKWARDS.match(before)
        if local is not None:
            yield Finding(domain.start() - local.end(), domain.end(), "email")


def find_ip_addresses(text: str) -> Iterator[Finding]:
    """IP addresses of a folded text that are globally reachable and do not read like a version number."""
    for match in _IPV4.finditer(text):
        address = ipaddress.IPv4Address(match[0])
        if address.is_global and not address.is_multicast and _is_address(text, match):
            yield Finding(*match.span(), "ip_address")
    for match in _IPV6.finditer(text):
        if _is_global_ipv6(match[0].rstrip(":")):
            yield Finding(match.start(), match.start() + len(match[0].rstrip(":")), "ip_address")


def _is_address(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - _CONTEXT_CHARS) : match.start()]
    if _VERSION_BEFORE.search(before):
        return False
    # Four numbers below 100 are as often a version: 2 % of random addresses, so these need a word that says address.
    if max(map(int, match[0].split("."))) >= 100:
        return True
    return bool(_ADDRESS_BEFORE.search(before) or _ADDRESS_AFTER.match(text, match.end()))


def _is_global_ipv6(value: str) -> bool:
    try:
        return ipaddress.IPv6Address(value).is_global
    except ValueError:
        return False
