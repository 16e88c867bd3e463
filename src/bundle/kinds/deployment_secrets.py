"""Secrets in a deployment, as far as a schema says so."""

from __future__ import annotations

from collections.abc import Mapping

from bundle.kinds.protocols import Look
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


def _below(above: Pointer, places: Mapping[Pointer, JsonType]) -> dict[Pointer, JsonType]:
    return {above + place: kind for place, kind in places.items()}
