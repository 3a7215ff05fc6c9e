"""URLs of recipes: which may be asked, how messages show them, and the connection to an address that was judged.

A recipe comes from other people, so a URL in it must not reach what only this machine can reach: private, loopback and
link-local addresses (the credentials of a cloud machine among them) need their host in `LMFORGE_ALLOWED_HOSTS`.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from lmforge.errors import InputError
from lmforge.wording import shown

ALLOWED_HOSTS = "LMFORGE_ALLOWED_HOSTS"

_WEB = ("https", "http")
# What fsspec reaches over a network. Its ways to local files (`file`, `zip::...`, `reference`) are left out.
_STORES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "memory")
_HOSTED = ("hdfs", "sftp")
# Addresses in it stand for any IPv4 address behind a translator, private ones too.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MAX_URL_CHARS = 2000


def check_url(url: str) -> SplitResult:
    """The parts of a URL that may be asked.

    Raises InputError for another scheme, a missing host, credentials in it, control characters and excess length.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{shown(url)} is no URL: {shown(str(error))}") from error
    known = (*_WEB, *_STORES, *_HOSTED)
    # `::` chains fsspec's file systems, and so would reach local files.
    if parts.scheme not in known or (parts.scheme not in _WEB and "::" in url):
        raise InputError(
            f"{shown(url)}: scheme {shown(parts.scheme)!r} is refused; it must be one of {', '.join(known)}, "
            "and local files are read by a source of the kind files"
        )
    if not host or len(url) > _MAX_URL_CHARS or not url.isprintable() or " " in url or "\\" in url:
        raise InputError(f"{shown(url)}: not a complete URL; write scheme://host/path, with blanks as %20")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"{safe_url(url)}: user and password in a URL are refused; set them in the environment")
    if parts.scheme in _HOSTED and not _is_allowed(host, parts.port):
        raise InputError(f"{safe_url(url)}: name the host in {ALLOWED_HOSTS} to read from it")
    return parts


def safe_url(url: str) -> str:
    """The URL as messages show it: without the query, which often holds a signature, and without a user."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return shown(f"{parts.scheme}://{host}{parts.path}", 200)


def is_web(scheme: str) -> bool:
    """Whether it is asked by HTTP."""
    return scheme in _WEB


def connect(url: str, known_hosts: Collection[str], timeout_seconds: float) -> socket.socket:
    """A connection to the host of a URL, by an address that was judged; `known_hosts` are the recipe's.

    Raises InputError for another host and for an address that is not public; OSError when nobody answers.
    """
    parts = check_url(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if host not in {known.lower() for known in known_hosts}:
        raise InputError(f"{safe_url(url)}: leads to another host, {shown(host)}; add it to `allowed_hosts` if it may")
    addresses = [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not _is_allowed(host, port):
        for address in addresses:
            if not _is_public(address):
                raise InputError(
                    f"{safe_url(url)}: {shown(host)} is {address}, which is no public address; "
                    f"name the host in {ALLOWED_HOSTS} if it may be asked"
                )
    last: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=timeout_seconds)
        except OSError as error:
            last = error
    raise last or OSError(f"{host} has no address")


def _is_allowed(host: str, port: int | None) -> bool:
    entries = {entry.strip().lower() for entry in os.environ.get(ALLOWED_HOSTS, "").split(",")}
    return bool({host, f"{host}:{port}"} & (entries - {""}))


def _is_public(address: str) -> bool:
    # A zone (`fe80::1%eth0`) is only ever on a link-local address.
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            return False
        inner = found.ipv4_mapped or found.sixtofour
        found = inner or found
    return found.is_global and not found.is_multicast
