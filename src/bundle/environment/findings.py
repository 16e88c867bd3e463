"""What an operator should know of single places of an environment. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bundle.environment.keys import Draft
from bundle.kinds.fields import ACCESS_LIST
from bundle.model import Finding, Key, Record
from bundle.record.suspects import suspects

_ID_FIELD = re.compile(r"(_id|/owner_resource)$")
_ID_LABEL = re.compile(r"/(match|match_related)(/|$)")


def findings_of(draft: Draft, keys: Mapping[str, Key]) -> Iterator[Finding]:
    key = keys[draft.id]
    own = list(draft.kind.findings(draft.raw))
    foreign = {place for code, place, _ in own if code == "not-portable"}
    for place, identifier in draft.cut.unexplained:
        if place in foreign:
            continue
        if _ID_FIELD.search(place) or _ID_LABEL.search(place):
            yield Finding("dangling-reference", key, place, identifier)
        else:
            yield Finding("unexplained-uuid", key, place)
    for place in suspects(draft.cut.body) if draft.kind.holds_values else ():
        yield Finding("secret-suspected", key, place)
    for name in draft.kind.unknown_fields(draft.cut.body):
        yield Finding("unknown-field", key, f"/{name}")
    if count := draft.raw.get(ACCESS_LIST):
        yield Finding("access-list", key, "", str(count))
    for code, place, detail in own:
        yield Finding(code, key, place, keys.get(detail, detail))


def unresolved_names(records: Mapping[Key, Record]) -> Iterator[Finding]:
    for key, record in records.items():
        for reference in record.references:
            if reference.form == "name" and reference.target not in records:
                yield Finding("unresolved-name", key, reference.pointer, reference.target)
