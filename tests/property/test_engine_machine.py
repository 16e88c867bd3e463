"""The import engine against everything at once: failing writes, edits and deletions, in any order."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.fake_prefect import FakePrefect
from support.moving import Imported, import_into
from support.seeded import seeded

HOWS = ("reset", "lost", "timeout", "busy", "too-many", "error", "gateway", "race")


class ImportMachine(RuleBasedStateMachine):
    """One destination that imports, fails, and is changed by others."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakePrefect(seed=1)
        self.edited: dict[str, Any] = {}
        self.has_deleted = False

    def _import(self) -> Imported:
        return import_into(self.fake, seeded())

    @initialize()
    def begin(self) -> None:
        """Make the bundle before the first rule is timed."""
        seeded()

    @rule(failures=st.dictionaries(st.integers(0, 230), st.sampled_from(HOWS), max_size=12))
    def import_with_failures(self, failures: dict[int, Any]) -> None:
        """An import in which some writes fail, each in its own way."""
        self.fake.reset()
        for number, how in failures.items():
            self.fake.fail(number, how)
        result = self._import()
        self.fake.reset()
        assert len(result.outcomes) == len(seeded().records)

    @rule(index=st.integers(0, 1000), value=st.integers())
    def edit_a_variable(self, index: int, value: int) -> None:
        """Somebody changes a variable at the destination."""
        rows = self.fake.rows("variables")
        if rows:
            row = rows[index % len(rows)]
            row["value"] = self.edited[row["name"]] = [value]

    @rule(index=st.integers(0, 1000))
    def delete_an_automation(self, index: int) -> None:
        """Somebody deletes an automation at the destination."""
        rows = self.fake.rows("automations")
        if rows:
            self.has_deleted = True
            del self.fake.tables["automations"][rows[index % len(rows)]["id"]]

    @invariant()
    def edits_stay(self) -> None:
        """What others changed is never written over."""
        values = {row["name"]: row["value"] for row in self.fake.rows("variables")}
        assert {name: values.get(name) for name in self.edited} == self.edited

    @invariant()
    def nothing_comes_twice(self) -> None:
        """There are never more automations of a name than the bundle has."""
        wanted = Counter(each.record.body["name"] for each in seeded().records if each.record.kind == "automation")
        names = Counter(row["name"].split(" deployment ")[0] for row in self.fake.rows("automations"))
        allowed = Counter(name.split(" deployment ")[0] for name in wanted.elements())
        assert names <= allowed

    def teardown(self) -> None:
        """In the end imports without failures make it whole, and one more writes nothing."""
        for _ in range(2):
            self._import()
        self.fake.reset()
        result = self._import()
        assert not self.fake.writes
        assert {outcome.state for outcome in result.outcomes} == {"skipped"}
        differing = {each for each in result.outcomes if each.reason == "exists-differs"}
        # An automation that names a deleted one is left as it is, with an id that is nobody's.
        unexplained = {each.key for each in differing if not (self.has_deleted and each.kind == "automation")}
        assert unexplained <= {f"variable:{name}" for name in self.edited}


TestImportMachine = ImportMachine.TestCase
TestImportMachine.settings = settings(
    max_examples=8, derandomize=True, stateful_step_count=6, suppress_health_check=list(HealthCheck)
)
