"""``xfer split``: a file in parts that fit a medium."""

from __future__ import annotations

import re
from pathlib import Path

import click

from bundle.cli import options
from bundle.errors import UsageError
from bundle.report import files as files_report
from bundle.report.model import Report
from bundle.trust import parts

_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB|KB|MB|GB|B)?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@click.command(
    "split",
    epilog=options.examples(
        "xfer split env.pxb --size 4480MiB -o media/",
        "xfer import media/env.pxb.parts --to prod --parts-from /media/disc2",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("--size", metavar="N", required=True, help="Bytes of a part at most: 700000000, 700MB, 4480MiB.")
@click.option("-o", "--output", "directory", metavar="DIRECTORY", default=".", help="Where to. Default: here.")
@options.force
@options.result
def command(file: str, size: str, directory: str, *, force: bool) -> Report:
    """Write FILE in parts of N bytes, FILE.001-of-003 and so on, and their list FILE.parts.

    Every command that reads a bundle takes the list instead of FILE, with
    --parts-from for each further directory that has parts; nothing is joined on
    disk. FILE stays as it is; its signature is not split, copy it beside the list.
    """
    found = parts.split(Path(file), _bytes(size), Path(directory), force=force)
    names = [*(each.name for each in found.parts), f"{found.whole.name}{parts.SUFFIX}"]
    return files_report.report("split", [str(Path(directory, name)) for name in names])


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"--size {text!r} is not a size", hint="write bytes, or a number with MB, MiB, GB or GiB")
    return int(found[1]) * _UNITS[(found[2] or "").lower()]
