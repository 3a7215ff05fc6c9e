"""Mail and IP addresses are found; versions, sections, file names and private ranges are not."""

from __future__ import annotations

import pytest

from lmforge.privacy.addresses import find_emails, find_ip_addresses

EMAILS = {
    "write to jo.doe+news@mail.example.co.uk.": "jo.doe+news@mail.example.co.uk",
    "<mailto:jo@example.com>": "jo@example.com",
    "jo [at] example [dot] com": "jo [at] example [dot] com",
    "jörg@müller.de": "jörg@müller.de",
    "иван@почта.рф": "иван@почта.рф",
    "联系jo@example.com谢谢": "jo@example.com",
    "user=jo@xn--mller-kva.de&x": "jo@xn--mller-kva.de",
    "dot at the end .jo.@example.com": "jo.@example.com",
    "https://app.example/?mail=jo@example.com": "jo@example.com",
}
NO_EMAILS = [
    "SETI@home",
    "user@host",
    "p@ssw0rd",
    "logo@2x.png",
    "Babel@6.0",
    "@jo.doe",
    "a @ b.com",
    "jo@\nexample.com",
]
IPS = {
    "Received from 66.218.66.88 by mx": "66.218.66.88",
    "http://211.99.37.206:81/x": "211.99.37.206",
    "IP address: 4.8.15.16": "4.8.15.16",
    "listens on 4.8.15.16:443": "4.8.15.16",
    "route 52.95.110.0/24": "52.95.110.0",
    "[2606:4700:4700::1111]": "2606:4700:4700::1111",
    "at 2a00:1450:4001:82a::200e.": "2a00:1450:4001:82a::200e",
}
NO_IPS = [
    "check_hpasm (4.8.0.2): plugin",
    "version 141.2.30.45",
    "v141.2.30.45",
    "Chrome/141.0.222.120-1",
    "section 8.2.2.1 of the draft",
    "oid .1.3.6.1.2.1.1.5.0",
    "pkg >= 120.1.2.3",
    "127.0.0.1, 10.0.0.1, 192.168.1.100, 169.254.0.1, 203.0.113.7 and 239.255.255.250",
    "256.300.1.1",
    "std::dead::beef 12:30:45 00:1b:44:11:3a:b7",
    "fe80::1 and 2001:db8::1",
]


@pytest.mark.parametrize(("text", "value"), EMAILS.items())
def test_email(text: str, value: str) -> None:
    assert [text[found.start : found.end] for found in find_emails(text)] == [value]


@pytest.mark.parametrize("text", NO_EMAILS)
def test_no_email(text: str) -> None:
    assert not list(find_emails(text))


@pytest.mark.parametrize(("text", "value"), IPS.items())
def test_ip_address(text: str, value: str) -> None:
    assert [text[found.start : found.end] for found in find_ip_addresses(text)] == [value]


@pytest.mark.parametrize("text", NO_IPS)
def test_no_ip_address(text: str) -> None:
    assert not list(find_ip_addresses(text))
