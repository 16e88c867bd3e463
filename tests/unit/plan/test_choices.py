"""How a bundle is to arrive, as its user wants it."""

from __future__ import annotations

from bundle.plan.choices import Choices, Conflicts


def test_a_policy_for_a_kind_goes_before_the_usual_one() -> None:
    """Each kind has its own policy, or the usual one."""
    conflicts = Conflicts("update", {"variable": "fail"})

    assert [conflicts.policy(kind) for kind in ("variable", "flow")] == ["fail", "update"]


def test_one_kind_to_update_is_enough() -> None:
    """An import may update if any kind is to be updated."""
    assert [
        each.may_update
        for each in (Conflicts(), Conflicts("update"), Conflicts("fail", {"flow": "update"}), Conflicts("fail"))
    ] == [False, True, True, False]


def test_without_refusals_everything_else_stays() -> None:
    """Only ``fail`` becomes the policy that goes on, in every place; nothing else changes."""
    choices = Choices(Conflicts("fail", {"flow": "update", "variable": "fail"}), "fail", inert=True)

    assert choices.without_refusals() == Choices(
        Conflicts("skip", {"flow": "update", "variable": "skip"}), "placeholder", inert=True
    )
    assert Choices(Conflicts("update"), "skip").without_refusals() == Choices(Conflicts("update"), "skip")
