"""Which resources a selection means, what comes along, and what must be at the destination."""

from __future__ import annotations

import pytest

from bundle.environment.describe import Environment
from bundle.environment.selection import EVERYTHING, Selection, external, matches, narrow, select
from bundle.errors import UsageError
from bundle.model import Body, Count, Key, Record, Reference
from bundle.record.canonical import make_record


def _record(key: Key, *targets: Key, **body: object) -> Record:
    fields: Body = {"name": key.partition(":")[2], **body}
    fields |= {f"to_{number}": "" for number in range(len(targets))}
    return make_record(key, fields, [Reference(f"/to_{number}", to) for number, to in enumerate(targets)], [])


RECORDS = {
    record.key: record
    for record in (
        _record("flow:etl", tags=["prod", "heavy"]),
        _record("flow:report", tags=["prod"]),
        _record("work-pool:k8s"),
        _record("deployment:etl/nightly", "flow:etl", "work-pool:k8s", "block:secret/(anonymous)~0123abcd", tags=["x"]),
        _record("deployment:report/weekly", "flow:report", "work-pool:k8s"),
        _record("automation:ping~0123abcd", "automation:pong"),
        _record("automation:pong", "automation:ping~0123abcd"),
        _record("block-type:secret"),
        _record("block-schema:secret@abc", "block-type:secret"),
        _record("block:secret/(anonymous)~0123abcd", "block-schema:secret@abc", is_anonymous=True),
    )
}


def _selected(*include: str, exclude: tuple[str, ...] = (), tags: tuple[str, ...] = (), needs: bool = True) -> set[Key]:
    return set(select(RECORDS, Selection(include, exclude, tags, dependencies=needs)))


def test_everything_is_selected_unless_asked() -> None:
    """Without any pattern all is meant, and the manifest says nothing of it."""
    assert select(RECORDS, EVERYTHING) == RECORDS.keys()
    assert EVERYTHING.as_json() == {}


def test_patterns_bring_what_they_need() -> None:
    """What a selected resource refers to comes along, also at second hand."""
    assert _selected("deployment:etl/*") == {
        "deployment:etl/nightly",
        "flow:etl",
        "work-pool:k8s",
        "block:secret/(anonymous)~0123abcd",
        "block-schema:secret@abc",
        "block-type:secret",
    }
    assert _selected("flow", "work-pool:k*") == {"flow:etl", "flow:report", "work-pool:k8s"}


def test_without_dependencies_only_what_has_no_name_comes_along() -> None:
    """Named dependencies stay and are then external; an anonymous block and its schema still come."""
    chosen = select(RECORDS, Selection(("deployment:etl/nightly",), dependencies=False))

    assert chosen == {
        "deployment:etl/nightly",
        "block:secret/(anonymous)~0123abcd",
        "block-schema:secret@abc",
        "block-type:secret",
    }
    assert external(RECORDS, chosen) == ("flow:etl", "work-pool:k8s")


def test_excluded_resources_never_come_along() -> None:
    """An exclusion wins over an inclusion and over what needs the resource."""
    assert _selected("deployment", exclude=("work-pool", "deployment:report/*", "block")) == {
        "deployment:etl/nightly",
        "flow:etl",
    }


def test_several_tags_mean_all_of_them() -> None:
    """A resource must have each tag; a kind without tags is never meant by one."""
    assert _selected(tags=("prod",)) == {"flow:etl", "flow:report"}
    assert _selected(tags=("prod", "heavy")) == {"flow:etl"}


def test_a_cycle_comes_whole() -> None:
    """Resources that refer to each other come together; the suffix of a twin need not be typed."""
    assert _selected("automation:ping") == {"automation:ping~0123abcd", "automation:pong"}


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(("deployments",)), "'deployments' names no kind"),
        (Selection(("flow:etl2",)), "nothing matches 'flow:etl2'"),
        (Selection((), ("variable",)), "nothing matches 'variable'"),
        (Selection(tags=("prod", "x")), "nothing has the tags prod, x"),
    ],
)
def test_a_selection_of_nothing_is_refused(selection: Selection, message: str) -> None:
    """A pattern that matches nothing is a mistake of the user, not an empty selection."""
    with pytest.raises(UsageError, match=message):
        select(RECORDS, selection)


def test_what_is_not_selected_is_accounted_for() -> None:
    """The census of a narrowed environment has what was left out, by name, and still adds up."""
    census = {"flow": Count(3, 2, 1), "deployment": Count(2, 2, 0)}
    whole = Environment(RECORDS, {key: key for key in RECORDS}, {}, census)

    narrowed = narrow(whole, frozenset({"flow:etl", "deployment:etl/nightly"}))

    assert narrowed.census == {"flow": Count(3, 1, 2), "deployment": Count(2, 1, 1)}
    assert narrowed.records.keys() == narrowed.ids.keys() == {"flow:etl", "deployment:etl/nightly"}
    left_out = {(each.kind, each.reason): (each.count, each.names) for each in narrowed.left_out}
    assert left_out["flow", "excluded"] == (1, ("report",))
    assert left_out["deployment", "excluded"] == (1, ("report/weekly",))


@pytest.mark.parametrize("key", ["flow:e[1]", "flow:*", "deployment:a?/[b]", "automation:e[1]~0123abcd"])
def test_a_key_means_itself(key: Key) -> None:
    """What a report calls a resource can be given as a pattern, whatever characters it has."""
    assert matches(key, key)
    assert not matches(f"{key}x", key)
