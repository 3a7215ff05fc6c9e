"""Where a service may listen: only on this machine, at a free port; and what of an address may be shown."""

from __future__ import annotations

import re
import socket

from lmforge.errors import InputError
from lmforge.wording import shown

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
_NUM_FURTHER_PORTS = 20


def check_host(host: str) -> str:
    """The host, if only this machine can reach it. Raises InputError otherwise: the servers know no passwords."""
    if host not in LOOPBACK_HOSTS:
        raise InputError(
            f"--host {shown(host)}: the servers have no authentication yet, so whoever reaches them could run code "
            f"here; use one of {', '.join(LOOPBACK_HOSTS)}, and from another machine an SSH tunnel"
        )
    return host


def choose_port(host: str, asked: int | None, default: int, taken: frozenset[int] = frozenset()) -> int:
    """The port that was asked for, else the default or the first free one of the 20 after it; never one of `taken`.

    Raises InputError when the asked one is in use or out of range, or when all are.
    """
    if asked is not None:
        if not 1 <= asked <= 65535:
            raise InputError(f"port {asked}: a port is a number from 1 to 65535")
        if asked in taken or not _is_free(host, asked):
            raise InputError(
                f"port {asked} of {host} is in use; choose another one, or leave it out to take a free one"
            )
        return asked
    last = default + _NUM_FURTHER_PORTS
    for port in range(default, last + 1):
        if port not in taken and _is_free(host, port):
            return port
    raise InputError(f"ports {default} to {last} of {host} are all in use; name a free one by option")


def _is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections that linger after a server has ended do not keep a new one from starting.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def url_of(host: str, port: int) -> str:
    """`http://host:port`, an IPv6 address in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def without_password(text: str) -> str:
    """`text` with the password of each URL in it, and each `password=`, replaced by `***`."""
    # To the last @: a password may hold one.
    hidden = re.sub(r"(://[^:@/\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)(pass(?:word|wd)?|secret|token)=[^&\s]*", r"\1=***", hidden)
