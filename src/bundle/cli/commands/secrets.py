"""``xfer secrets``: the values that a bundle does not hold."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bundle.cli import bundles, connection, documents, options, signing, trust_options
from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.cli.trust_options import Trust
from bundle.errors import UsageError
from bundle.files import atomic, check_target
from bundle.model import Bundle
from bundle.operations.secrets import SlotValues, read_slots
from bundle.report import secrets as secrets_report
from bundle.report import text
from bundle.report.model import Report
from bundle.server.target import Target
from bundle.trust.verify import Namespace

_EXAMPLES = options.examples(
    "xfer secrets template env.pxb",
    "xfer secrets template env.pxb -o secrets.toml",
    "xfer import env.pxb --to prod --secrets secrets.toml",
    "xfer secrets seal env.pxb --from dev -r age1… -o env.secrets.age",
)


@click.group("secrets", epilog=_EXAMPLES)
def command() -> None:
    """Prepare the secrets that a bundle does not hold."""


@command.command("template", epilog=_EXAMPLES)
@options.bundle
@click.option("-o", "--output", "file", metavar="FILE", default="-", help="The file to write; - for stdout.")
@options.force
@trust_options.trust
@options.result
@click.pass_obj
def make_template(console: Console, bundle: str, file: str, *, force: bool, trust: Trust) -> Report | None:
    """Write a TOML file for --secrets with a line for each secret of the bundle FILE, to be filled in.

    With --json, standard output gets the list of secrets as JSON instead.
    """
    found = bundles.verify(bundle, trust)
    report = secrets_report.report(found.manifest, bundle, found.warnings, found.verdict)
    if file == bundles.STANDARD:
        return report
    with atomic(Path(file), force=force) as output:
        output.write(f"{text.render(report)}\n".encode())
    console.say(f"{len(report.secrets)} secrets to fill in: {file}")
    return report if console.is_json else None


@command.command("seal", epilog=_EXAMPLES)
@options.bundle
@options.source
@click.option(
    "-r",
    "--recipient",
    "recipients",
    metavar="RECIPIENT",
    multiple=True,
    help="Who may open it: age1…, or a public key ssh-ed25519 … or ssh-rsa …. Repeatable.",
)
@click.option(
    "-R", "--recipients-file", "files", metavar="FILE", multiple=True, help="A file of recipients, one a line."
)
@click.option("-o", "--output", "file", metavar="FILE", required=True, help="The file to write.")
@click.option("--sign", "key", metavar=signing.KEY, help="Sign the sealed file with this SSH key, into FILE.sig.")
@options.force
@trust_options.trust
@options.result
@click.pass_obj
def make_sealed(
    console: Console,
    bundle: str,
    source: str,
    *,
    recipients: tuple[str, ...],
    files: tuple[str, ...],
    file: str,
    key: str | None,
    force: bool,
    trust: Trust,
) -> Report:
    """Read the secrets of exactly the bundle FILE from SOURCE and seal them for recipients, in the form of age.

    Only their keys open it, and only an import of this bundle takes it. No value
    is ever written in the clear.
    """
    # Not at the top: it needs the extra.
    from bundle.trust import sealing  # noqa: PLC0415

    lines = [*recipients, *(line for each in files for line in documents.text_of(Path(each)).splitlines())]
    wanted = sealing.recipients_of(lines)
    if not wanted:
        raise UsageError("secrets are not sealed for nobody", hint="name whoever may open them with --recipient")
    check_target(Path(file), force)
    sign = signing.of_output(key, file, force=force, namespace=Namespace.SECRETS)
    (target,) = connection.find_targets(console, source)
    loaded = bundles.read(console, bundle, trust)
    found = asyncio.run(_read_slots(console, loaded.bundle, target))
    with atomic(Path(file), force=force) as output:
        output.write(sealing.seal(found.values, loaded.bundle.manifest.content_digest, wanted))
        output.seek(0)
        sign(output)
    return secrets_report.report_of_sealed(loaded.bundle.manifest, bundle, file, found, loaded.verdict)


async def _read_slots(console: Console, bundle: Bundle, target: Target) -> SlotValues:
    connection.announce(console, "reading the secrets of", target)
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            return await read_slots(bundle, api, on_event=on_event)
