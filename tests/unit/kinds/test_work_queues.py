"""Work queues."""

from __future__ import annotations

from typing import Any

from support.one_kind import ID, OTHER, Rows, Sent, created, deleted, kind, updated

QUEUE = kind("work-queue")
POOL = {"id": OTHER, "name": "k8s", "default_queue_id": ID}


def body(**more: Any) -> dict[str, Any]:
    return {"name": "high", "work_pool_id": OTHER, "priority": 2, **more}


def test_it_is_named_by_pool_and_name() -> None:
    """And knows whether it is the pool's default queue."""
    row = {"id": ID, "status": "READY", **body()}
    assert QUEUE.natural_name(row, Rows(POOL)) == "k8s/high"
    assert QUEUE.portable(row, Rows(POOL))["is_default"] is True
    assert "is_default" not in QUEUE.portable({**row, "id": "x"}, Rows(POOL))


def test_a_new_pool_brings_its_default_queue() -> None:
    """That one is taken over and changed where it differs; it is never posted."""
    sent = created("work-queue", body(is_default=True), Sent(POOL, new=[OTHER]))
    assert sent == [["PATCH", f"/work_queues/{ID}", {"description": "", "name": "high", "priority": 2}]]


def test_in_a_pool_that_was_there_a_queue_pushes_no_other_down() -> None:
    """It is posted without its priority, which ``PATCH`` gives it."""
    (first, *_rest) = created("work-queue", body(), Sent(POOL))
    assert first == ["POST", "/work_pools/k8s/queues", {"name": "high"}]


def test_queues_of_a_pool_are_created_in_order() -> None:
    """The default queue first, then by priority."""
    queues = [body(priority=2), body(priority=1), body(priority=3, is_default=True)]
    assert [each["priority"] for each in sorted(queues, key=QUEUE.lane_order)] == [3, 1, 2]


def test_a_default_queue_is_not_deleted() -> None:
    """It goes with its pool; another one is deleted by id."""
    row = {"id": ID, "work_pool_id": OTHER}
    assert deleted("work-queue", row, Sent(POOL)) == []
    assert deleted("work-queue", row, Sent({**POOL, "default_queue_id": "x"})) == [
        ["DELETE", f"/work_queues/{ID}", None]
    ]


def test_only_a_default_queue_goes_with_its_pool() -> None:
    """Another one, which somebody added, keeps its pool from being deleted."""
    assert QUEUE.goes_with(body(is_default=True)) == "/work_pool_id"
    assert QUEUE.goes_with(body()) is None


def test_it_is_changed_by_id() -> None:
    """``PATCH`` by id leaves the priorities of others alone; where it belongs is for good."""
    assert updated("work-queue", body(), {"priority"}) == [["PATCH", f"/work_queues/{ID}", {"priority": 2}]]
    can = [QUEUE.can_change(each, is_removal=False, raw={}, at=Sent()) for each in ("/work_pool_id", "/priority")]
    assert can == [False, True]


def test_one_that_goes_on_again_is_resumed_last() -> None:
    """A queue that is not paused hands out runs."""
    assert QUEUE.late(body(), {"is_paused", "priority"}, {}) == {"is_paused"}
    assert QUEUE.late(body(is_paused=True), {"is_paused", "priority"}, {}) == ()
