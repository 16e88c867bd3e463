"""Requests that a real server and the fake one are both asked, by subject."""

from support.scenarios import automations, blocks, deployments, plain, pools
from support.scenarios.asks import Ask

SCENARIOS: dict[str, list[Ask]] = {
    name: scenario
    for module in (plain, pools, blocks, deployments, automations)
    for name, scenario in module.SCENARIOS.items()
}
