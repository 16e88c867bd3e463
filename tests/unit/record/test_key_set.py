"""The set of keys that takes eight bytes a key."""

from __future__ import annotations

import pytest

from bundle.record.key_set import KeySet


def test_key_set_knows_what_was_added() -> None:
    """A key set grows, and knows exactly its members."""
    keys = KeySet()
    added = [keys.add(keys.number(f"flow:{number}")) for number in range(5000)]

    assert all(added)
    assert not any(keys.add(keys.number(f"flow:{number}")) for number in range(5000))
    assert all(keys.number(f"flow:{number}") in keys for number in range(5000))
    assert not any(keys.number(f"block:{number}") in keys for number in range(5000))


@pytest.mark.parametrize("sizes", [(3, 700), (700, 3), (0, 5), (5, 0)])
def test_key_sets_can_be_joined(sizes: tuple[int, int]) -> None:
    """Whichever of two sets is the larger, the joined one knows the members of both."""
    one, other = KeySet(), KeySet()
    numbers = [KeySet.number(f"flow:{number}") for number in range(sum(sizes))]
    for number in numbers[: sizes[0]]:
        one.add(number)
    for number in numbers[sizes[0] :]:
        other.add(number)

    joined = one.joined(other)

    assert sorted(joined) == sorted(numbers)
    assert all(number in joined for number in numbers)
