"""What others are told when production changes or a gate says no, and the signature that proves who says it.

Nothing here sends. The form is that of the Standard Webhooks specification 1.0 (standardwebhooks.com), so a receiver
may check a notice with any of its libraries; the signature covers the time too, so an old notice cannot be replayed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, SecretStr

from lmforge.artifacts.artifact import Frozen
from lmforge.errors import InputError
from lmforge.hashing import hash_value
from lmforge.release.ledger import MAX_WHY_CHARS, Entry, Kind
from lmforge.services.addresses import LOOPBACK_HOSTS
from lmforge.wording import shown

URL, SECRET = "LMFORGE_WEBHOOK_URL", "LMFORGE_WEBHOOK_SECRET"
# Standard Webhooks: a secret has 24 to 64 bytes, and those that are written in base64 begin so.
_MIN_SECRET_BYTES = 24
_ENCODED = "whsec_"

_What = Literal["promoted", "rolled_back", "undone", "moved", "refused", "approval_needed"]
_CHANGES: dict[Kind, _What] = {
    "promote": "promoted", "rollback": "rolled_back", "undone": "undone", "found": "moved"
}  # fmt: skip


class Notice(Frozen):
    """One piece of news about a registered model.

    version: what the news is about. champion: what is in production now. gate: hash of the gate's answer. entry: number
    in the ledger, from which a receiver sees that it missed something; None where nothing changed.
    """

    what: _What
    time: AwareDatetime
    model: str
    version: str | None
    champion: str | None
    who: str
    why: str
    gate: str | None = None
    entry: int | None = None

    @classmethod
    def of_change(cls, entry: Entry) -> Notice:
        """The news of an entry of the ledger; of a change that was undone, the version that is back."""
        return cls(
            what=_CHANGES[entry.kind], time=entry.time, model=entry.model, version=entry.to_version,
            champion=entry.to_version, who=entry.who, why=entry.why, gate=entry.gate, entry=entry.number,
        )  # fmt: skip

    @classmethod
    def of_answer(
        cls, what: Literal["refused", "approval_needed"], model: str, version: str, champion: str | None, *,
        who: str, why: str, gate: str | None = None, now: datetime | None = None,
    ) -> Notice:  # fmt: skip
        """The news that the gate let nothing through, or leaves it to a person."""
        time = (now or datetime.now(UTC)).replace(microsecond=0)
        return cls(
            what=what, time=time, model=model, version=version, champion=champion, who=who, why=why[:MAX_WHY_CHARS],
            gate=gate,
        )  # fmt: skip

    @property
    def event(self) -> str:
        """The name of the event, by which receivers choose."""
        return f"lmforge.model.{self.what}"

    @property
    def id(self) -> str:
        """The same for the same news, so that a receiver drops what it has already."""
        return hash_value(self.model_dump(mode="json"))[:32]

    @property
    def body(self) -> bytes:
        """JSON with `type`, `timestamp` and `data`."""
        data = self.model_dump(mode="json", exclude={"what", "time"})
        time = self.time.astimezone(UTC).isoformat()
        return json.dumps({"type": self.event, "timestamp": time, "data": data}).encode()


class Webhook(Frozen):
    """Where notices are posted. Neither value is ever shown: the path of such an address is often a secret itself."""

    url: SecretStr
    secret: SecretStr

    @property
    def host(self) -> str:
        """What messages call it."""
        return shown(urlsplit(self.url.get_secret_value()).hostname or "")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.url.get_secret_value()).hostname in LOOPBACK_HOSTS


def webhook_of(environment: Mapping[str, str]) -> Webhook | None:
    """The webhook that the environment names; None where it names none. Raises InputError for one that is not safe."""
    url, secret = environment.get(URL, "").strip(), environment.get(SECRET, "").strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{URL}: no URL; write https://HOST/PATH") from error
    if not host or parts.scheme not in ("https", "http") or not url.isprintable() or " " in url:
        raise InputError(f"{URL}: no URL of a web server; write https://HOST/PATH")
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise InputError(f"{URL}: http to {shown(host)} could be read and changed on its way; write https://")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"{URL}: user and password in it are refused; the signature says who sends")
    if len(_key(secret)) < _MIN_SECRET_BYTES:
        raise InputError(f"{SECRET}: shorter than {_MIN_SECRET_BYTES} bytes; make one: openssl rand -base64 32")
    return Webhook(url=SecretStr(url), secret=SecretStr(secret))


def signed_headers(notice_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a request: id, time in seconds since the epoch, and `v1,` with the HMAC-SHA256 in base64.

    Signed is `id.time.body`. A secret that begins with `whsec_` is base64 after that; any other is taken as it is.
    """
    seconds = str(int(now.timestamp()))
    signed = b".".join((notice_id.encode(), seconds.encode(), body))
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": notice_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(_ENCODED):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
    except binascii.Error as error:
        raise InputError(f"{SECRET}: what follows {_ENCODED} must be base64") from error
