"""A scenario told to a server, and its answers in a form that can be compared.

Ids and checksums give way to numbers in order of appearance and times to a word; of a
422 only the kind and the place of each fault count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx

from support.scenarios.asks import GONE, Ask, Json

ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TIME = re.compile(r"20(2[5-9]|[3-9]\d)-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
SETS = ("after", "expect", "for_each")


class Talk:
    """A run of a scenario against one server: answers as they came, and as they are compared."""

    def __init__(
        self,
        url: str,
        transport: httpx.BaseTransport | None = None,
        *,
        key: str = "",
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._url, self._transport, self._without = url, transport, without
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._kept: dict[str, Json] = {}
        self._numbers: dict[str, int] = {}

    def run(self, scenario: list[Ask]) -> Iterator[tuple[str, int, Json]]:
        """What was asked, the status, and the answer in comparable form."""
        for ask in scenario:
            answer = self._send(ask)
            body = answer.json() if answer.content else None
            if ask.keep:
                self._kept[ask.keep] = body
            shown = None if ask.hides or ask.loose else self._plain(_faults(body))
            yield f"{ask.method} {ask.path}", answer.status_code, shown

    def _send(self, ask: Ask) -> httpx.Response:
        """A connection each, since Prefect drops one after a 500; 503 (SQLite was busy) is asked again."""
        for _ in range(20):
            with httpx.Client(transport=self._transport, timeout=60, trust_env=False) as http:
                body = None if ask.body is None else self._filled(ask.body)
                answer = http.request(ask.method, self._url + self._filled(ask.path), json=body, headers=self._headers)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
        return answer

    def _filled(self, value: Json) -> Json:
        """A value with what ``$name.field`` stands for."""
        if isinstance(value, dict):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if not isinstance(value, str) or "$" not in value or value == "$ref":
            return value
        whole = re.fullmatch(r"\$([\w-]+(?:\.\w+)+)", value)
        if whole:
            return self._look_up(whole[1])
        return re.sub(r"\$([\w-]+(?:\.\w+)+)", lambda found: str(self._look_up(found[1])), value)

    def _look_up(self, path: str) -> Json:
        value: Json = self._kept
        for step in path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        return value

    def _plain(self, value: Json, name: str = "") -> Json:
        """Ids and checksums as numbers in order of appearance, times as a word, sets in order."""
        if isinstance(value, dict):
            return {key: self._plain(each, key) for key, each in sorted(value.items()) if key not in self._without}
        if isinstance(value, list):
            is_union = all(isinstance(each, dict) and "block_schema_checksum" in each for each in value)
            if name in SETS:
                value = sorted(value)
            elif is_union:
                value = sorted(value, key=lambda each: str(each["block_type_slug"]))
            return [self._plain(each) for each in value]
        if not isinstance(value, str):
            return value
        value = _TIME.sub("(time)", value)
        for pattern in (ID, CHECKSUM):
            value = pattern.sub(self._number, value)
        return value

    def _number(self, found: re.Match[str]) -> str:
        if found[0] == GONE:
            return GONE
        return f"({self._numbers.setdefault(found[0], len(self._numbers) + 1)})"


def _faults(body: Json) -> Json:
    """Of a 422 the kind and the place of each fault."""
    if not isinstance(body, dict) or "exception_detail" not in body:
        return body
    return sorted([each["type"], *map(str, each["loc"])] for each in body["exception_detail"])
