"""Finds secrets, names their slots, and makes the marker for a missing one.

Rules:

1. Prefect's own masking is not trusted: it lets objects under a secret field
   through. What is secret, a schema says (``secret_schema``).
2. The whole value at a secret place is taken out, whatever its type. Null and
   what is empty hold no secret and stay.
3. Values that merely look like secrets elsewhere are reported by place; their
   text never leaves this module.

Pure: no I/O, no logging.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from bundle.model import Body, Json, Key, Pointer, Secret
from bundle.record.pointers import replace_all, resolve, walk
from bundle.record.secret_schema import MASK

_NOT_SUPPLIED = "xfer: this secret was not supplied:"
# A map is used member by member: those of ``headers`` are sent to whoever is called.
_NAME_OF_MEMBER = "xfer: these secrets\nwere not supplied"
SUPPLIED_PREFIX = "XFER_SECRET_"

_SECRET_NAME = re.compile(
    r"pass(word|phrase|wd)?$|^pwd$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential"
    r"|conn(ection)?[-_]?str|auth(orization)?$|bearer|cookie|dsn$|(^|_)sas(_|$)",
    re.IGNORECASE,
)
_NAMES_ANOTHER = re.compile(r"_(name|slug|id)$", re.IGNORECASE)
# Each alternative ends soon after where it begins, so that a long text costs no more than its length.
_SECRET_VALUE = re.compile(
    r"[a-z0-9]://(?:[^/\s:@]+:[^/\s@]+|[^/\s:@]{12,})@"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_|glpat-"
    r"|xox[abpr]-|hooks\.slack\.com/services/|eyJ[\w-]{8,500}\.[\w-]{8,}\.|pn[ub]_[A-Za-z0-9]{20,}|AccountKey=",
)
_PURE_TEMPLATE = re.compile(r"^\s*\{\{[^{}]*\}\}\s*$")
_DENSE = re.compile(r"^[A-Za-z0-9+/=_-]{24,}$")
_DENSE_BITS_PER_CHARACTER = 4.2


def slot_id(key: Key, pointer: Pointer) -> str:
    """The name of a secret slot: the resource's key, a ``#``, the place in its body."""
    return f"{key}#{pointer}"


def variable_name(slot: str) -> str:
    """The environment variable that fills a slot: ``XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE``."""
    return SUPPLIED_PREFIX + re.sub(r"[^A-Za-z0-9]+", "_", slot).strip("_").upper()


def marker(secret: Secret) -> Json:
    """What is in the place of a missing secret: it fails where it is used, and says which one is missing.

    No HTTP library sends a text of two lines as the name or value of a header, or in a URL.
    """
    text = f"{_NOT_SUPPLIED}\n{secret.slot}"
    return {"object": {_NAME_OF_MEMBER: text}, "array": [text]}.get(secret.type, text)


def _older_marker(secret: Secret) -> Json:
    """What earlier versions left there."""
    text = f"{_NOT_SUPPLIED} {secret.slot}"
    return {"object": {"xfer": text}, "array": [text]}.get(secret.type, text)


def fill(body: Body, secrets: Iterable[Secret], supplied: Mapping[str, Json]) -> Body:
    """The body with each secret's supplied value, or its marker, in place."""
    return replace_all(
        body, {each.pointer: supplied[each.slot] if each.slot in supplied else marker(each) for each in secrets}
    )


def suspects(body: Body) -> Iterator[Pointer]:
    """Places whose value looks like a secret although Prefect does not mask it."""
    for pointer, value in walk(body):
        if isinstance(value, str) and value not in {"", MASK} and _looks_secret(pointer, value):
            yield pointer


def _looks_secret(pointer: Pointer, value: str) -> bool:
    if _PURE_TEMPLATE.match(value):
        return False
    name = pointer.rpartition("/")[2]
    is_told = _SECRET_NAME.search(name) and not _NAMES_ANOTHER.search(name)
    if _SECRET_VALUE.search(value) or (is_told and "{{" not in value):
        return True
    return bool(_DENSE.match(value)) and _entropy(value) >= _DENSE_BITS_PER_CHARACTER


def _entropy(text: str) -> float:
    shares = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in shares)


def still_marked(body: Body, secret: Secret) -> bool:
    """Whether the destination still holds our marker in a slot."""
    try:
        return resolve(body, secret.pointer) in (marker(secret), _older_marker(secret))
    except LookupError:
        return False
