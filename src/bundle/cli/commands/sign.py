"""``xfer sign``: a file gets a signature beside it."""

from __future__ import annotations

from pathlib import Path

import click

from bundle.cli import options, signing
from bundle.report import files as files_report
from bundle.report.model import Report


@click.command(
    "sign",
    epilog=options.examples(
        "xfer sign env.pxb --key ~/.ssh/id_ed25519",
        "xfer sign env.pxb --key ~/.ssh/id_ed25519.pub --as bob",
        "xfer sign plan.json --key ~/.ssh/id_ed25519",
    ),
)
@click.argument("file", metavar="FILE")
@click.option(
    "--key",
    metavar=signing.KEY,
    required=True,
    help="A private SSH key, or a .pub whose private half is in the SSH agent.",
)
@click.option("--as", "name", metavar="NAME", default="", help="Sign besides others, into FILE.NAME.sig.")
@options.force
@options.result
def command(file: str, key: str, *, name: str, force: bool) -> Report:
    """Sign FILE with an SSH key, into FILE.sig; FILE stays as it is.

    FILE is a bundle, a saved plan, an approval, a result or sealed secrets; a
    signature for one kind of file is none for another. `ssh-keygen -Y verify`
    reads it too.
    """
    signer = signing.signer_of(key)
    # Not at the top: it needs the extra.
    from bundle.trust.signing import namespace_of, sign_file  # noqa: PLC0415

    path = Path(file)
    written = sign_file(path, signer, namespace=namespace_of(path), force=force, name=name)
    return files_report.report("sign", [str(written)])
