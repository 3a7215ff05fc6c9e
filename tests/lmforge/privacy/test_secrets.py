"""Secrets: every kind is found, examples from manuals are not, and a find names the kind only."""

from __future__ import annotations

import base64
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.privacy.secrets import SECRETS, find_secrets


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Put together here, so that no scanner of repositories takes them for leaked ones.
A40 = "a1B2" * 10
FOUND = {
    "private_key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75mLpQ1xkfUa\n",
    "aws_access_key": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws_secret_key": f"aws_secret_access_key = '{A40}'",
    "github_token": "ghp_" + A40[:36],
    "gitlab_token": "glpat-" + A40[:20],
    "slack_token": "xoxb-" + "123456789012-123456789012-" + A40[:24],
    "slack_webhook": "https://hooks.slack.com/services/" + "T00000000/B00000000/" + A40[:24],
    "stripe_key": "sk_live_" + A40[:24],
    "google_api_key": "AIza" + A40[:35],
    "azure_storage_key": "AccountKey=" + (A40 * 3)[:86] + "==",
    "npm_token": "npm_" + A40[:36],
    "pypi_token": "pypi-AgEIcHlwaS5vcmc" + A40 * 2,
    "openai_key": "sk-" + A40[:20] + "T3BlbkFJ" + A40[:20],
    "sendgrid_key": "SG." + A40[:22] + "." + (A40 * 2)[:43],
    "square_secret": "sq0csp-" + (A40 * 2)[:43],
    "telegram_token": "123456789:" + "AA" + A40[:33],
    "discord_token": "M" + A40[:23] + "." + A40[:6] + "." + A40[:27],
    "json_web_token": ".".join(
        [_encoded('{"alg":"HS256"}'), _encoded('{"sub":"1234567890"}'), _encoded("signature" * 3)]
    ),
    "password_in_url": "postgres://app:" + "hunter2@db.internal/x",
    "basic_authorization": "Authorization: Basic " + base64.b64encode(b"app:hunter2!").decode(),
    "assigned_secret": "DB_PASSWORD = " + "'s3cr3tPassW0rd'",
}
EXAMPLES = [
    None,
    "",
    "a -----BEGIN PRIVATE KEY----- line starts the file",
    "https://user:password@example.com and https://user:<password>@example.com and ftp://anonymous:guest@x.org",
    "https://app:$PASSWORD@example.com, http://root:root@localhost, mysql://u:xxxx@h",
    "git@github.com:owner/name, http://host:8080/a@b",
    "password = 'password', api_key: \"your_api_key\", secret = 'changeme'",
    "AKIA is a prefix, ghp_ too",
    "eyJhbGciOi and eyJ.eyJ.eyJ",
    "sha256 " + "9f86d081884c7d65" * 4,
    "Authorization: Basic realm",
]


def test_every_kind_has_an_example() -> None:
    assert {secret.kind for secret in SECRETS} == set(FOUND)


@pytest.mark.parametrize("kind", FOUND)
def test_is_found(kind: str) -> None:
    texts = pl.Series(["plain", f"before\n{FOUND[kind]}\nafter", FOUND[kind]])
    assert find_secrets(texts).to_list() == [None, kind, kind]


def test_examples_of_manuals_are_none() -> None:
    assert find_secrets(pl.Series(EXAMPLES)).to_list() == [None] * len(EXAMPLES)


def test_the_first_in_the_list_is_told() -> None:
    assert find_secrets(pl.Series([FOUND["password_in_url"] + " " + FOUND["private_key"]])).to_list() == ["private_key"]


def test_no_texts_no_kinds() -> None:
    found = find_secrets(pl.Series([], dtype=pl.String))
    assert found.dtype == pl.String
    assert len(found) == 0


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert len(find_secrets(pl.Series([text]))) == 1


@pytest.mark.parametrize(
    "unit", ["eyJ", "eyJ.", "://", "://a:b", "x://a:b1@", "aws key ", "password='", "xoxb-1-", "-----BEGIN "]
)
def test_time_is_linear_in_repeats(unit: str) -> None:
    started = time.process_time()
    find_secrets(pl.Series([(unit * 100_000)[:100_000]]))
    assert time.process_time() - started < 5
