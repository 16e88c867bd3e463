"""Block types."""

from __future__ import annotations

from typing import Any

from support.one_kind import ID, Rows, Sent, created, kind, updated

TYPE = kind("block-type")


def row(**fields: Any) -> dict[str, Any]:
    return {"id": ID, "name": "My Type", "slug": "my-type", "is_protected": False, **fields}


def test_it_is_known_by_its_slug() -> None:
    """The slug is the natural name; that a type is protected does not travel."""
    assert TYPE.natural_name(row(), Rows()) == "my-type"
    assert TYPE.portable(row(logo_url=None), Rows()) == {"name": "My Type", "slug": "my-type"}


def test_built_in_types_are_exported_only_where_needed() -> None:
    """Every server registers them by itself."""
    assert [TYPE.optional(row(slug=each), Rows()) for each in ("secret", "my-type")] == ["built-in", None]
    assert [TYPE.is_own(row(slug=each)) for each in ("secret", "my-type")] == [False, True]


def test_texts_are_posted_unescaped() -> None:
    """The server escapes what it gets, so a stored text is sent as it was written."""
    body = {"name": "n", "slug": "s", "description": "a &lt; b"}
    assert created("block-type", body) == [["POST", "/block_types/", {**body, "description": "a < b"}]]


def test_a_text_that_escaping_would_change_comes_later() -> None:
    """One that was stored unescaped is left out of ``POST``, and given by ``PATCH``, which does not escape."""
    body = {"name": "n", "slug": "s", "description": "a < b"}
    assert TYPE.pending(body, Sent.mark) == {"name": "n", "slug": "s"}
    assert TYPE.pending({**body, "description": "a &lt; b"}, Sent.mark) == {**body, "description": "a &lt; b"}


def test_it_is_changed_by_patch_but_for_its_slug() -> None:
    """Name and slug are for good; a text is sent as it is to be stored."""
    can = [TYPE.can_change(each, is_removal=False, raw={}, at=Sent()) for each in ("/slug", "/name", "/description")]
    assert can == [False, False, True]
    assert updated("block-type", {"slug": "s", "description": "a < b"}, {"description"}) == [
        ["PATCH", f"/block_types/{ID}", {"description": "a < b"}]
    ]


def test_of_built_in_types_only_the_slug_is_compared() -> None:
    """Each version renews their texts by itself; of others two spellings of one text are equal."""
    assert TYPE.comparable({"slug": "secret", "description": "x"}) == {"slug": "secret"}
    assert TYPE.comparable({"slug": "mine", "description": "a &lt; b"}) == {"slug": "mine", "description": "a < b"}
