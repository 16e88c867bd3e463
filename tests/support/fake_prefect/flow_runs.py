"""Flow runs: only that there are some, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping

from support.fake_prefect.routes import Routes
from support.fake_prefect.store import Answer, Json, Row, Store

ROUTES = Routes()
_OWNERS: Mapping[str, str] = {"flows": "flow_id", "deployments": "deployment_id"}


@ROUTES.serve("POST /flow_runs/count")
def count_runs(store: Store, body: Row) -> Answer:
    return 200, sum(_is_meant(row, body) for row in store.flow_runs)


def _is_meant(row: Row, body: Mapping[str, Json]) -> bool:
    own = body.get("flow_runs") or {}
    return (
        all(row[field] in body[word]["id"]["any_"] for word, field in _OWNERS.items() if word in body)
        and ("state" not in own or row["state"] in own["state"]["type"]["any_"])
        and ("tags" not in own or set(own["tags"]["all_"]) <= set(row["tags"]))
    )
