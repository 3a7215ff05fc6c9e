"""Keys, tokens and passwords in texts; a document with one is kept out whole, because a part of a secret is one too.

What a secret looks like is known by detect-secrets, whose plugins confirm what a screen of this module cuts out: they
are never run on whole texts (some take quadratic time) and never ask a service whether a key still works. Plugins that
go by entropy are not used, because hashes and encoded images look the same to them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import polars as pl

_MAX_LENGTH = 4096
# What stands for a password in manuals; a document is not lost for it.
_EXAMPLE = re.compile(
    r"(?:(?:my|your|the|user|db|a|new)?[_-]?(?:passw(?:or)?d|password\d?|passwort|pass|pwd|pw|passphrase|secret|token|key"
    r"|api[_-]?key))|x+|\*+|\.{2,}|…|changeme|example|guest|anonymous|test|foo(?:bar)?|bar|root|admin|user(?:name)?|\d{1,5}"
    r"|[$%&<\[{].*|.*[>\]}…]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Secret:
    """One kind of secret: a linear pattern that cuts candidates out, and who confirms one.

    confirm: a plugin of detect-secrets as `module.Class`, a function of this module, or empty where the form is enough.
    """

    kind: str
    pattern: str
    confirm: str | Callable[[str], bool] = ""


def find_secrets(texts: pl.Series) -> pl.Series:
    """The kind of the first secret in each text, in the order of `SECRETS`; null where there is none."""
    kinds: list[str | None] = [None] * len(texts)
    for secret in reversed(SECRETS):
        mask = texts.str.contains(secret.pattern).fill_null(False)
        for index, text in zip(mask.arg_true(), texts.filter(mask), strict=True):
            if any(map(_confirmation(secret), _candidates(secret, text))):
                kinds[index] = secret.kind
    return pl.Series("secret", kinds, dtype=pl.String)


def _candidates(secret: Secret, text: str) -> list[str]:
    found: list[str] = pl.Series([text]).str.extract_all(secret.pattern).to_list()[0]
    # A bounded piece, so that a plugin which tries every start of a candidate stays fast.
    return [candidate[:_MAX_LENGTH] for candidate in found]


def _confirmation(secret: Secret) -> Callable[[str], bool]:
    if isinstance(secret.confirm, str):
        return _plugin(secret.confirm) if secret.confirm else bool
    return secret.confirm


@cache
def _plugin(name: str) -> Callable[[str], bool]:
    module, _, plugin = name.partition(".")
    analyze = getattr(import_module(f"detect_secrets.plugins.{module}"), plugin)().analyze_string
    return lambda candidate: any(analyze(candidate))


def _is_login(url: str) -> bool:
    name, _, password = url.rpartition("@")[0].rpartition("/")[2].partition(":")
    if not password or _EXAMPLE.fullmatch(password) or name.lower() == password.lower():
        return False
    return _plugin("basic_auth.BasicAuthDetector")(url)


def _is_basic_header(header: str) -> bool:
    encoded = header.split()[-1]
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(colon and password and name.isprintable() and not _EXAMPLE.fullmatch(password))


def _is_assigned(assignment: str) -> bool:
    value = re.split(r"[:=]\s*", assignment, maxsplit=1)[1].strip("\"'")
    mixed = re.search(r"[0-9]", value) and re.search(r"[a-z]", value) and re.search(r"[A-Z]", value)
    return bool(mixed) and _EXAMPLE.fullmatch(value) is None


# Patterns are read by an engine without look-around and with bounded memory; `\b` keeps words out of longer words.
SECRETS = (
    # A header alone stands in every manual: key material has to follow.
    Secret(
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?-----\s{0,8}(?:[A-Za-z-]{2,20}: [^\n]{0,80}\s{1,4}){0,6}"
        r"[A-Za-z0-9+/=\s\\]{24}|PuTTY-User-Key-File-[23]: ",
    ),
    Secret("aws_access_key", r"\b(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}\b", "aws.AWSKeyDetector"),
    Secret(
        "aws_secret_key",
        r"(?i)aws.{0,20}(?:key|pwd|pw|password|pass|token).{0,20}['\"][0-9a-zA-Z/+]{40}['\"]",
        "aws.AWSKeyDetector",
    ),
    Secret("github_token", r"\bgh[pousr]_[A-Za-z0-9_]{36}", "github_token.GitHubTokenDetector"),
    Secret("github_token", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    Secret(
        "gitlab_token",
        r"\b(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941)[A-Za-z0-9_-]{20,1024}",
        "gitlab_token.GitLabTokenDetector",
    ),
    Secret("slack_token", r"(?i)\bxox[abpors]-(?:[0-9]+-)+[a-z0-9]{8,128}", "slack.SlackDetector"),
    Secret(
        "slack_webhook",
        r"(?i)https://hooks\.slack\.com/services/T[a-z0-9_]{6,20}/B[a-z0-9_]{6,20}/[a-z0-9_]{16,64}",
        "slack.SlackDetector",
    ),
    Secret("stripe_key", r"\b[rs]k_live_[0-9a-zA-Z]{24}", "stripe.StripeDetector"),
    Secret("google_api_key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    Secret("azure_storage_key", r"AccountKey=[a-zA-Z0-9+/=]{88}", "azure_storage_key.AzureStorageKeyDetector"),
    Secret("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    Secret("npm_token", r"//[^\s/]{3,100}/[^\s:]{0,100}:_authToken=\s?[A-Za-z0-9_-]{36,40}", "npm.NpmDetector"),
    Secret(
        "pypi_token",
        r"pypi-Ag(?:EIcHlwaS5vcmc|ENdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{70,512}",
        "pypi_token.PypiTokenDetector",
    ),
    Secret("openai_key", r"\bsk-[A-Za-z0-9_-]{20,200}T3BlbkFJ[A-Za-z0-9]{20,200}", "openai.OpenAIDetector"),
    Secret("sendgrid_key", r"\bSG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}", "sendgrid.SendGridDetector"),
    Secret("square_secret", r"\bsq0csp-[0-9A-Za-z_-]{43}", "square_oauth.SquareOAuthDetector"),
    Secret("telegram_token", r"\b[0-9]{8,10}:AA[0-9A-Za-z_-]{33}\b", "telegram_token.TelegramBotTokenDetector"),
    Secret(
        "discord_token",
        r"\b[MNO][a-zA-Z0-9_-]{23,25}\.[a-zA-Z0-9_-]{6}\.[a-zA-Z0-9_-]{27}",
        "discord.DiscordBotTokenDetector",
    ),
    Secret(
        "json_web_token",
        r"\beyJ[A-Za-z0-9_=-]{8,2000}\.eyJ[A-Za-z0-9_=-]{8,2000}\.[A-Za-z0-9_=-]{16,2000}",
        "jwt.JwtTokenDetector",
    ),
    Secret(
        "password_in_url",
        r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^:/?#\[\]@\s]{1,64}:[^:/?#\[\]@\s]{1,128}@[A-Za-z0-9\[]",
        _is_login,
    ),
    Secret("basic_authorization", r"(?i)\bauthorization['\"]?: ?['\"]?basic [a-z0-9+/]{8,512}={0,2}", _is_basic_header),
    Secret(
        "assigned_secret",
        r"(?i)(?:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token)['\"]?\s?[:=]\s?"
        r"['\"][A-Za-z0-9+/=_!@#$%^&*-]{12,128}['\"]",
        _is_assigned,
    ),
)
