"""Global concurrency limits."""

from __future__ import annotations

from support.one_kind import ID, OTHER, Rows, kind

OWN = f"deployment:{OTHER}"


def test_what_travels() -> None:
    """The number of slots travels, how many are taken does not."""
    row = {"id": ID, "name": "db", "limit": 0, "active": True, "active_slots": 3, "slot_decay_per_second": 0.5}
    assert kind("concurrency-limit").portable(row, Rows()) == {"name": "db", "limit": 0, "slot_decay_per_second": 0.5}


def test_a_limit_of_a_deployment_travels_with_it() -> None:
    """One named after a deployment is carried by it, or an orphan where that deployment has another or is gone."""
    row = {"id": ID, "name": OWN, "limit": 1}
    owner = {"id": OTHER, "name": "d", "global_concurrency_limit": {"id": ID}}
    stranger = {"id": OTHER, "name": "d", "global_concurrency_limit": None}
    left_out = [kind("concurrency-limit").left_out(row, look) for look in (Rows(owner), Rows(stranger), Rows())]
    assert left_out == ["carried-by-owner", "orphan", "orphan"]
    assert not kind("concurrency-limit").is_own(row)


def test_names_of_other_limits_cannot_be_taken() -> None:
    """No limit is renamed to look like one of a tag or of a deployment."""
    import re  # noqa: PLC0415

    form = kind("concurrency-limit").name_form
    found = [bool(re.fullmatch(form, each)) for each in ("db", "tag:x", "deployment:x", "a/b")]
    assert found == [True, False, False, False]
