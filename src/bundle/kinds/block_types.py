"""Block types with their metadata.

Servers register the built-in types by themselves, so those are exported only
when something exported needs them. ``POST`` HTML-escapes two fields, ``PATCH``
does not; a stored text can therefore be either.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, OWN, Field
from bundle.kinds.naming import UNSAID
from bundle.kinds.protocols import Destination, Look, Made, Raw, made_of
from bundle.model import Body

# Registered at start by some server from 2.20 to 3.9.1 (POST /block_types/filter of a fresh one); the last two
# lines by those before 3.0 only.
BUILT_IN = frozenset(
    """
    aws-credentials aws-secret azure-blob-storage-container azure-blob-storage-credentials
    azure-container-instance-credentials azure-cosmos-db-credentials azureml-credentials bigquery-warehouse
    bitbucket-credentials bitbucket-repository custom-webhook database-credentials databricks-credentials
    date-time dbt-cli-bigquery-target-configs dbt-cli-global-configs dbt-cli-postgres-target-configs
    dbt-cli-profile dbt-cli-snowflake-target-configs dbt-cli-target-configs dbt-cloud-credentials
    dbt-core-operation discord-webhook docker-host docker-registry-credentials email-server-credentials
    gcp-credentials gcpsecret gcs-bucket github-credentials github-repository gitlab-credentials
    gitlab-repository json kubernetes-cluster-config kubernetes-credentials lambda-function local-file-system
    mattermost-webhook minio-credentials ms-teams-webhook opsgenie-webhook pager-duty-webhook
    remote-file-system s3-bucket secret sendgrid-email shell-operation slack-credentials slack-webhook smb
    snowflake-connector snowflake-credentials sqlalchemy-connector string twilio-sms webhook
    azure azure-container-instance-job cloud-run-job docker-container docker-registry ecs-task gcs github
    kubernetes-job process s3 vertex-ai-custom-training-job
    """.split()
)
_ESCAPED = ("description", "code_example")


class BlockType(Kind):
    name = "block-type"
    path = "/block_types"
    name_field = None
    fields: ClassVar = {
        "name": Field(str, required=True, fixed=True),
        "slug": NAME,
        "logo_url": Field(),
        "documentation_url": Field(),
        "description": Field(str),
        "code_example": Field(str),
        "is_protected": OWN,
    }
    route_is_required = True
    holds_values = False

    def natural_name(self, raw: Raw, look: Look) -> str:
        return str(raw["slug"])

    def bound_name(self, body: Body, parent: str) -> str:
        return str(body.get("slug", UNSAID))

    def comes_along(self, body: Body) -> bool:
        return True

    def optional(self, raw: Raw, look: Look) -> str | None:
        return "built-in" if raw["slug"] in BUILT_IN else None

    def comparable(self, body: Body) -> Body:
        """Servers renew the texts and pictures of built-in types by themselves, each version its own."""
        return {"slug": body["slug"]} if body["slug"] in BUILT_IN else body | _plain(body)

    def pending(self, body: Body, mark: str) -> Body:
        """Without the two texts, where escaping them would not give what was stored."""
        if all(html.escape(text, quote=False) == body[name] for name, text in _plain(body).items()):
            return body
        return {name: value for name, value in body.items() if name not in _ESCAPED}

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        rest = self.pending(body, mark)
        return rest != body and all(raw.get(name) == rest.get(name) for name in self.travelling)

    def is_own(self, raw: Raw) -> bool:
        return raw.get("slug") not in BUILT_IN

    def is_built_in(self, name: str) -> bool:
        return name in BUILT_IN

    async def create(self, to: Destination, body: Body) -> Made:
        """``POST`` the texts unescaped, since the server escapes them."""
        raw = await to.post("/block_types/", body | _plain(body))
        return made_of(raw)


def _plain(body: Body) -> Body:
    return {name: html.unescape(body[name]) for name in _ESCAPED if body.get(name) is not None}


KIND = BlockType()
