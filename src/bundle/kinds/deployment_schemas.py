"""What schemas say of a deployment: where its secrets are, and what a server checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bundle.kinds.protocols import Conformity, Look
from bundle.model import Body, JsonType, Pointer
from bundle.record.secret_defaults import secret_values
from bundle.record.secret_schema import secret_places


def secrets_of_deployment(body: Body, look: Look) -> dict[Pointer, JsonType]:
    """Parameters by their own schema, job variables by the template of the pool, and defaults in the schema itself."""
    schema = body.get("parameter_openapi_schema")
    places = {
        **_below("/parameters", secret_places(body.get("parameters"), schema)),
        **_below("/parameter_openapi_schema", secret_values(schema)),
    }
    for pool in look.index("work-pool", "name").get(str(body.get("work_pool_name")), ()):
        variables = (pool.get("base_job_template") or {}).get("variables")
        places |= _below("/job_variables", secret_places(body.get("job_variables"), variables))
    return places


def checked_values(body: Body) -> Iterator[Conformity]:
    """Job variables by the template of the pool, and parameters by their own schema, where that is enforced."""
    if body.get("work_pool_name"):
        yield Conformity("/job_variables", f"work-pool:{body['work_pool_name']}", "its runs", "created-unfit")
    if body.get("enforce_parameter_schema", True):
        yield Conformity("/parameters", body.get("parameter_openapi_schema", {}), "its runs", "created-unfit")


def _below(above: Pointer, places: Mapping[Pointer, JsonType]) -> dict[Pointer, JsonType]:
    return {above + place: kind for place, kind in places.items()}
