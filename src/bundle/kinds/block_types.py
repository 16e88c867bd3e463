"""Block types with their metadata.

Servers register the built-in types by themselves, so those are exported only
when something exported needs them. ``POST`` HTML-escapes two fields, ``PATCH``
does not; a stored text can therefore be either.
"""

from __future__ import annotations

import html

from bundle.kinds.base import Destination, Kind, Look, Made, Raw
from bundle.model import Body

# Registered at start by some server from 3.0.0 to 3.9.1 (POST /block_types/filter of a fresh one).
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
    """.split()
)
_ESCAPED = ("description", "code_example")


class BlockType(Kind):
    name = "block-type"
    path = "/block_types"
    fields = frozenset({"name", "slug", "logo_url", "documentation_url", "description", "code_example"})
    ignored = frozenset({"is_protected"})
    required = frozenset({"name", "slug"})

    def natural_name(self, raw: Raw, look: Look) -> str:
        return str(raw["slug"])

    def optional(self, raw: Raw, look: Look) -> str | None:
        return "built-in" if raw["slug"] in BUILT_IN else None

    def comparable(self, body: Body) -> Body:
        return body | {name: html.unescape(body[name]) for name in _ESCAPED if name in body}

    async def create(self, to: Destination, body: Body) -> Made:
        """Make the type so that both texts are stored as they were, escaped or not."""
        plain = {name: html.unescape(body[name]) for name in _ESCAPED if name in body}
        if all(html.escape(text, quote=False) == body[name] for name, text in plain.items()):
            raw = await to.post("/block_types/", body | plain)
            return Made(str(raw["id"]), raw)
        raw = await to.post("/block_types/", {name: body[name] for name in body if name not in _ESCAPED})
        made = Made(str(raw["id"]), raw)
        await to.patch("/block_types/{id}", {name: body[name] for name in plain}, id=made.id)
        return made


KIND = BlockType()
