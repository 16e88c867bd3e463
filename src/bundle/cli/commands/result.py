"""``xfer result``: what came back of a bundle."""

from __future__ import annotations

import click

from bundle.cli import bundles, options, sources, trust_options
from bundle.cli.trust_options import Trust
from bundle.model import Key
from bundle.operations.results import join
from bundle.report import result as result_report
from bundle.report.model import Report
from bundle.trust import statements
from bundle.trust.verify import Namespace

_EXAMPLES = options.examples(
    "xfer import env.pxb --to prod --result result.json --sign id_ed25519",
    "xfer result verify result.json --bundle env.pxb",
)


@click.group("result", epilog=_EXAMPLES)
def command() -> None:
    """Read what the far side says became of a bundle."""


@command.command("verify", epilog=_EXAMPLES)
@click.argument("file", metavar="FILE")
@click.option("--bundle", metavar="BUNDLE", required=True, help="The bundle that was sent.")
@trust_options.trust
@options.result
def verify(file: str, bundle: str, *, trust: Trust) -> Report:
    """Compare the result FILE with the BUNDLE that was sent: what left, and what is there.

    Exit code 0 where all is there as it left, 2 where something kept its local
    edits, 3 where something is not there or not accounted for, 4 where FILE is
    not to be trusted or about another bundle.
    """
    with sources.opened(file, trust, Namespace.RESULT) as source:
        data = source.stream.read(statements.LONGEST + 1)
        source.finish()
        verdict = source.verdict
    stated = statements.read_result(data, file)
    keys: list[Key] = []
    # Whose bundle it is needs no proof here: the result names its digest.
    checked, _ = bundles.inspect(bundle, Trust(is_unverified=True), keys.append)
    about = {
        "bundle": checked.sha256,
        "content": checked.manifest.content_digest,
    }
    statements.check_subjects(stated, about, file)
    result = stated.predicate
    return result_report.report(checked.manifest, bundle, result, join(keys, result.account), verdict)
