"""Automations."""

from __future__ import annotations

from support.scenarios.asks import GONE, Ask, Json, delete, get, patch, post, put


def event(**fields: Json) -> Json:
    return {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0, **fields}


NOTHING = {"type": "do-nothing"}


SCENARIOS: dict[str, list[Ask]] = {
    "automations": [
        post("/automations/", {"name": "a", "trigger": event(id=GONE, expect=["x", "y"]), "actions": [NOTHING]}, "a"),
        post("/automations/", {"name": "a", "trigger": event(expect=["x", "y"]), "actions": [NOTHING]}),
        post("/automations/", {"name": "a", "trigger": event(posture="Proactive"), "actions": [], "id": GONE}),
        post("/automations/", {"name": "a", "trigger": {"type": "event"}, "actions": []}, loose=True),
        post("/automations/", {"name": "a", "trigger": {"type": "metric"}, "actions": []}, loose=True),
        post("/automations/", {"name": "a"}),
        put(
            "/automations/$a.id",
            {
                "name": "b",
                "trigger": {"type": "compound", "require": "any", "within": 60, "triggers": [event(), event()]},
                "actions": [{"type": "run-deployment", "deployment_id": GONE, "schedule_after": 90}],
                "actions_on_resolve": [{"type": "pause-automation", "source": "inferred"}],
            },
        ),
        get("/automations/$a.id"),
        patch("/automations/$a.id", {"enabled": False}),
        patch("/automations/$a.id", {"name": "c"}),
        put("/automations/$a.id", {"name": "c", "trigger": event(), "actions": [], "owner_resource": "x"}),
        put(f"/automations/{GONE}", {"name": "c", "trigger": event(), "actions": [NOTHING]}),
        post("/automations/filter"),
        post("/automations/filter", {"sort": "CREATED_DESC"}),
        post("/automations/count"),
        delete("/automations/$a.id"),
        get("/automations/$a.id"),
        delete("/automations/$a.id"),
    ],
    "what is related to a deployment": [
        post(
            "/automations/",
            {"name": "owned", "trigger": event(), "actions": [NOTHING], "owner_resource": f"prefect.deployment.{GONE}"},
            "owned",
        ),
        post(
            "/automations/",
            {"name": "runs", "trigger": event(), "actions": [{"type": "run-deployment", "deployment_id": GONE}]},
        ),
        post(
            "/automations/",
            {
                "name": "not in the first list",
                "trigger": event(),
                "actions": [{"type": "pause-deployment", "deployment_id": GONE}],
                "actions_on_trigger": [{"type": "run-deployment", "deployment_id": GONE}],
            },
        ),
        get(f"/automations/related-to/prefect.deployment.{GONE}"),
        put("/automations/$owned.id", {"name": "still owned", "trigger": event(), "actions": [NOTHING]}),
        get(f"/automations/related-to/prefect.deployment.{GONE}"),
        get("/automations/related-to/prefect.deployment.none"),
    ],
}
