"""Secrets to plant, and the search for any trace of them."""

from __future__ import annotations

import base64
import html
import json
import random
from collections.abc import Iterator
from urllib.parse import quote


class Canaries:
    """Unique strings to plant as secrets, and a search for any trace of them.

    ``masked`` are those in places that Prefect masks, or that a schema calls
    secret; ``unmasked`` are those that every server shows in clear.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.masked: list[str] = []
        self.unmasked: list[str] = []

    def mask(self, *, plain: bool = False) -> str:
        """A new string for a place that is masked; ``plain`` without characters that encodings escape."""
        self.masked.append(self._new("" if plain else '"\\/&<+ é'))
        return self.masked[-1]

    def mask_number(self) -> int:
        """A new number for a place that is masked."""
        number = self._random.randrange(10**14, 10**15)
        self.masked.append(str(number))
        return number

    def show(self) -> str:
        """A new string for a place that is not masked."""
        self.unmasked.append(self._new(""))
        return self.unmasked[-1]

    def search(self, haystack: bytes) -> list[str]:
        """The masked canaries that are in ``haystack`` in any form (``encodings``)."""
        return [canary for canary in self.masked if is_in(haystack, canary)]

    def search_unmasked(self, haystack: bytes) -> list[str]:
        """The unmasked canaries that are in ``haystack`` in any form."""
        return [canary for canary in self.unmasked if is_in(haystack, canary)]

    def _new(self, middle: str) -> str:
        letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        first, last = ("".join(self._random.choices(letters, k=11)) for _ in range(2))
        return f"cn{first}{middle}{last}"


def is_in(haystack: bytes, text: str) -> bool:
    """Whether ``text`` is in ``haystack``, raw or encoded."""
    return any(form in haystack for form in encodings(text))


def encodings(text: str) -> Iterator[bytes]:
    """Every form in which a program may leave ``text`` behind, by accident or not."""
    raw = text.encode()
    escaped = [json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]]
    twice = [json.dumps(each)[1:-1] for each in escaped]
    web = [quote(text), quote(text, safe=""), quote(text).replace("%20", "+"), html.escape(text)]
    for form in {text, *escaped, *twice, *web, raw.hex(), raw.hex().upper()}:
        yield form.encode()
    yield text.encode("utf-16-le")
    for offset in range(3):
        # Only the characters that depend on nothing but our own bytes.
        whole = (len(raw) + offset) // 3 * 3
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * offset + raw)[-(-offset * 4 // 3) : whole // 3 * 4]
