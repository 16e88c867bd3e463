"""``xfer approve``: somebody agrees to a bundle and a plan."""

from __future__ import annotations

from pathlib import Path

import click

from bundle.archive.address import is_address
from bundle.cli import approving, bundles, options, plans, signing, trust_options
from bundle.cli.console import Console
from bundle.cli.sources import STANDARD
from bundle.cli.trust_options import Trust
from bundle.errors import Conflict, UsageError
from bundle.files import atomic, check_target
from bundle.report import files as files_report
from bundle.report.model import Report
from bundle.trust import digests, sshsig, statements
from bundle.trust.verify import Namespace, signature_path


@click.command(
    "approve",
    epilog=options.examples(
        "xfer approve env.pxb --plan plan.json --key ~/.ssh/id_ed25519 -m 'reviewed'",
        "xfer approve env.pxb --plan plan.json --key carol.pub --as carol -m ok",
    ),
)
@options.bundle
@click.option("--plan", "plan_file", metavar="PLAN", required=True, help="The saved plan that is approved.")
@click.option("--report", "report_file", metavar="FILE", help="A report that was read; its digest is noted.")
@click.option("--key", metavar=signing.KEY, required=True, help="The SSH key that signs the approval.")
@click.option(
    "--as",
    "principal",
    metavar="NAME",
    help="Who approves, as the file of approvers has the name. Default: the fingerprint of the key.",
)
@click.option("-m", "--message", metavar="TEXT", required=True, help="What to tell those who read the approval.")
@trust_options.trust
@options.force
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    *,
    plan_file: str,
    report_file: str | None,
    key: str,
    principal: str | None,
    message: str,
    trust: Trust,
    force: bool,
) -> Report:
    """Approve doing PLAN with the bundle FILE.

    Writes FILE.approval.NAME.json and its signature beside FILE: a statement over
    both, byte by byte. Nothing is connected to.
    """
    if STANDARD in {bundle, plan_file} or is_address(bundle):
        raise UsageError("what is approved are files", hint="name the files of the bundle and of the plan")
    loaded = bundles.read(console, bundle, trust)
    read = plans.read(plan_file, bundle, trust)
    assert read is not None  # noqa: S101 - a file was named
    if read.plan.content_digest != loaded.bundle.manifest.content_digest:
        raise Conflict("the plan was made for another bundle", hint="make a plan for this one: `xfer plan`")
    about = {"bundle": loaded.sha256, "plan": read.sha256}
    if report_file is not None:
        about["report"] = digests.of_file(Path(report_file)).sha256.hex()
    data = statements.approval(about, principal, message)
    signature = signing.signature_of(data, key, Namespace.APPROVAL)
    path = approving.place(bundle, principal or sshsig.read(signature).key.fingerprint)
    contents = {path: data, signature_path(path): signature}
    for each in contents:
        check_target(each, force)
    for each, content in contents.items():
        with atomic(each, force=force) as file:
            file.write(content)
    return files_report.report("approve", map(str, contents))
