"""Which function serves which route."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from support.fake_prefect.store import Answer

Handler = TypeVar("Handler", bound=Callable[..., Answer])


@dataclass(frozen=True)
class Route:
    """``METHOD /path/{segment}`` and who serves it: a function of the store, the body, and the segments and flags."""

    name: str
    method: str
    pattern: re.Pattern[str]
    handler: Callable[..., Answer]


class Routes(list[Route]):
    """The routes of one subject."""

    def serve(self, *names: str) -> Callable[[Handler], Handler]:
        """Serve ``METHOD /path/{segment}`` with a function; ``{id}`` takes ids only."""

        def register(handler: Handler) -> Handler:
            for name in names:
                method, path = name.split(" ")
                self.append(Route(name, method, re.compile(re.sub(r"\{(\w+)\}", _segment, path)), handler))
            return handler

        return register


def _segment(name: re.Match[str]) -> str:
    return f"(?P<{name[1]}>{'[0-9a-f-]{36}' if name[1] == 'id' else '[^/]+'})"
