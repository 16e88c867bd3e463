"""What the name of a value says of it: a secret, perhaps one, or nothing. Pure.

A name is read as words (``dbPassword``, ``DB-PASSWORD``, ``db_password_2``), and what counts is its last noun:
``password`` is a secret, ``password_policy``, ``token_url`` and ``max_tokens`` are not.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable


class Told(enum.IntEnum):
    """How much a name says; each stands for all below it."""

    NOTHING = 0
    PERHAPS = 1
    """A value that looks made by chance is one."""
    VALUE = 2
    """The value is one, or each item of the list."""
    ALL = 3
    """All is secret that is inside."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOST = 120
_WORD = re.compile(r"[A-Z]++(?![a-z])|[A-Z]?[a-z]++|[A-Z]|\d++")
_STEMS = _words(
    """
    pass pw secret token key cred auth cookie dsn conn sas pat bearer jwt otp pin sig salt nonce session code seed login
    sid senha contrase kennwort motdepasse mot_de
    """
)
_SECRET = _words(
    """
    password passwords passwd passwort kennwort senha contrasena motdepasse passphrase passcode pwd pw pswd secret
    secrets token tokens apikey apikeys accesskey secretkey privatekey pat jwt bearer sas otp pin pins pass authkey
    """
)
_ONE_VALUE = _words(
    "credential credentials creds auth authorization cookie cookies dsn connstr connectionstring basicauth"
)
_GLUED = re.compile(
    r"(password|passwd|passphrase|passwort|secret|token|apikey|accesskey|secretkey|privatekey|pwd|authkey)s?$"
)
_KEYS = _words(
    """
    api access secret private signing encryption decryption account shared storage master auth license licence
    subscription fernet ssh deploy integration application app write ingest rsa pgp gpg tls ssl aes hmac webhook jwt
    client service security crypto cipher instrumentation admin
    """
)
_PERHAPS = _words("key keys code sig signature session salt nonce login seed sid")
_COUNTED = _words(
    """
    max min maximum minimum num number n total prompt completion input output used per stop special context new count
    limit page next continuation cache pad eos bos mask sep
    """
)
_PAGING = _words("page next continuation cache pad eos bos mask sep csrftoken")
_OWNERS_OF_PASS = _words(
    """
    db database smtp mail email ftp sftp user mysql pg postgres redis mongo rabbitmq rabbit ldap proxy http auth admin
    root basic login imap pop ssh sudo vault key cert keystore truststore service app
    """
)
_VERBS = _words(
    """
    is has use uses allow allows enable enabled disable show hide require requires needs validate verify check rotate
    generate store keep log with without skip ask forgot num count
    """
)
_QUALIFIERS = _words(
    """
    prod production dev develop development stage staging test testing qa uat live sandbox old new current previous
    primary secondary main default backup value string text plain raw b64 base64 encoded v v1 v2 ro rw readonly
    db database postgres postgresql pg mysql mssql oracle mongo mongodb redis rabbitmq kafka snowflake redshift bigquery
    databricks github gitlab bitbucket slack discord teams aws gcp azure s3 smtp prefect docker npm pypi openai stripe
    twilio sendgrid datadog sentry jira admin root eu us
    """
)
_SECRET_IDS = frozenset({("secret", "id")})
_INNOCENT = _words(
    """
    id ids ref type kind name names title description user username host hostname port url uri path file dir directory
    scope scopes provider region enabled created updated expires expiry expiration ttl version format issuer audience
    role method algorithm alg engine backend namespace group email project account tenant bucket mount field label
    labels tags order key slug source template database schema driver dialect endpoint min max length pattern required
    optional secret_name position hint warehouse domain environment client owner comment notes age days seconds
    """
)
_CONNECTIONS = _words("connection conn connect")


def words_of(name: str) -> list[str]:
    """``DB-passwordOld2`` is ``db``, ``password``, ``old``, ``2``."""
    return [each.lower() for each in _WORD.findall(name[-_MOST:])]


def told_by(name: str) -> Told:
    """What a name says of its value."""
    return _told(name) if may_tell(name[-_MOST:]) else Told.NOTHING


def may_tell(text: str) -> bool:
    """Whether a text has any of the names that tell of something; most have none, and this is fast."""
    lower = text.lower()
    return any(stem in lower for stem in _STEMS)


def is_innocent(name: str) -> bool:
    """Whether the value is no secret although all around it are: the user beside a password, the id of a token."""
    words = words_of(name)
    return not words or words[-1] in _INNOCENT


def told_by_one(names: Iterable[str]) -> Told:
    """The most that any of some names says."""
    return max(map(told_by, names), default=Told.NOTHING)


@functools.lru_cache(maxsize=8192)
def _told(name: str) -> Told:
    words = _nouns(words_of(name))
    if not words or (len(words) > 1 and words[0] in _VERBS):
        return Told.NOTHING
    *before, head = words
    last = before[-1] if before else ""
    if "public" in before:
        return Told.NOTHING
    if head == "pass":
        return Told.ALL if not before or last in _OWNERS_OF_PASS else Told.NOTHING
    if head.startswith("token") and (last in _PAGING or (head == "tokens" and not _COUNTED.isdisjoint(before))):
        return Told.NOTHING
    if "pull" in before and head == "secrets":
        # Kubernetes' imagePullSecrets are names.
        return Told.NOTHING
    return _of_head(head, last)


def _of_head(head: str, last: str) -> Told:
    if head in _SECRET or (last, head) in _SECRET_IDS or _GLUED.search(head):
        return Told.ALL
    if head in {"key", "keys"} and last in _KEYS:
        return Told.ALL
    if head in _ONE_VALUE or (head in {"str", "string"} and last in _CONNECTIONS):
        return Told.VALUE
    return Told.PERHAPS if head in _PERHAPS else Told.NOTHING


def _nouns(words: list[str]) -> list[str]:
    """The words up to the noun that says what it is: without numbers and environments behind it."""
    for preposition in ("for", "of"):
        if preposition in words[1:]:
            words = words[: words.index(preposition, 1)]
    if words[-2:] == ["connection", "string"] or words[-2:] == ["conn", "string"]:
        return words
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _QUALIFIERS):
        words = words[:-1]
    return words
