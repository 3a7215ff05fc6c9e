"""Services listen on this machine only, at ports that are free, and passwords are never shown."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lmforge.errors import InputError
from lmforge.services.addresses import LOOPBACK_HOSTS, check_host, choose_port, url_of, without_password


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("host", LOOPBACK_HOSTS)
def test_loopback_hosts_pass(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org"])
def test_other_hosts_are_refused_with_the_reason(host: str) -> None:
    with pytest.raises(InputError, match="no authentication yet"):
        check_host(host)


def test_default_port_gives_way(taken: int) -> None:
    chosen = choose_port("127.0.0.1", None, taken)
    assert taken < chosen <= taken + 20


def test_port_of_the_other_server_is_not_taken_twice(taken: int) -> None:
    first = choose_port("127.0.0.1", None, taken)
    assert choose_port("127.0.0.1", None, first, frozenset({first})) > first


def test_a_port_that_was_asked_for_does_not_give_way(taken: int) -> None:
    with pytest.raises(InputError, match=f"port {taken} of 127.0.0.1 is in use"):
        choose_port("127.0.0.1", taken, 4200)
    free = choose_port("127.0.0.1", None, taken)
    assert choose_port("127.0.0.1", free, 4200) == free


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_ports(port: int) -> None:
    with pytest.raises(InputError, match="from 1 to 65535"):
        choose_port("127.0.0.1", port, 4200)


def test_all_ports_in_use() -> None:
    with pytest.raises(InputError, match=r"ports 4200 to 4220 .* are all in use"):
        choose_port("127.0.0.1", None, 4200, frozenset(range(4200, 4221)))


def test_urls() -> None:
    assert url_of("127.0.0.1", 80) == "http://127.0.0.1:80"
    assert url_of("::1", 80) == "http://[::1]:80"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:p@ss:w/rd@db/x", "postgresql://me:***@db/x"),
        ("http://:secret@host", "http://:***@host"),
        ("http://host:5000/a", "http://host:5000/a"),
        ("postgresql://db/x?user=a&password=b&sslmode=off", "postgresql://db/x?user=a&password=***&sslmode=off"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert without_password(text) == shown
