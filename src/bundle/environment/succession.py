"""Which records have to come in the order in which the source made them. Pure."""

from __future__ import annotations

import itertools
from collections import defaultdict

from bundle.environment.describe import Environment
from bundle.kinds import KINDS
from bundle.model import Key


def predecessors(environment: Environment) -> dict[Key, Key]:
    """For each record of a kind whose newest one counts, the record of the same parent that was made before it."""
    groups: dict[tuple[str, str], list[tuple[str, Key]]] = defaultdict(list)
    for key, record in environment.records.items():
        parent = KINDS[record.kind].parent_field
        if KINDS[record.kind].newest_counts and parent is not None:
            raw = environment.rows[environment.ids[key]]
            groups[record.kind, str(raw.get(parent))].append((str(raw.get("created")), key))
    chains = (itertools.pairwise(sorted(group)) for group in groups.values())
    return {later: earlier for chain in chains for (_, earlier), (_, later) in chain}
