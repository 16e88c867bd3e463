"""The result of an import at the command line: where it is written, and who signs it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from bundle._version import __version__
from bundle.cli import signing
from bundle.cli.options import gathered
from bundle.cli.sources import STANDARD
from bundle.environment.read import server_version
from bundle.errors import BundleError, OutputError, ServerError, UsageError
from bundle.files import atomic, check_target
from bundle.operations import results
from bundle.operations.import_ import Prepared
from bundle.operations.import_ import Result as Done
from bundle.plan.capabilities import TellingApi
from bundle.plan.choices import Choices
from bundle.trust import statements
from bundle.trust.statements import Result
from bundle.trust.verdict import Verdict
from bundle.trust.verify import Namespace


class ResultOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where a result goes, if one is wanted, whether it has the URL of the destination, and which key signs it."""

    result_file: str | None
    with_url: bool
    key: str | None


options = gathered(
    ResultOptions,
    "outcome",
    click.option("--result", "result_file", metavar="FILE", help="Write what became of each resource, to carry back."),
    click.option("--with-url", is_flag=True, help="Let the result name the URL of DESTINATION."),
    click.option("--sign", "key", metavar=signing.KEY, help="Sign the result with this SSH key, into FILE.sig."),
)
"""What is told of an import to where the bundle came from; the command gets one ``outcome``."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is wanted: its place, how it is signed, and the digests of what it will be about."""

    path: Path
    sign: Callable[[BinaryIO], object]
    with_url: bool
    digests: Mapping[str, str] = {}

    def about(self, digests: Mapping[str, str]) -> Wish:
        """The same, of an import of what has these digests."""
        return msgspec.structs.replace(self, digests=digests)


def wish(asked: ResultOptions, *, dry_run: bool) -> Wish | None:
    """What is wanted, before any request; None for no result. What it is about may be known only later.

    Raises:
        UsageError: the options contradict each other, or the key cannot be used.
        OutputError: something is there, or it cannot be written.
    """
    if asked.result_file is None:
        if asked.with_url or asked.key is not None:
            raise UsageError("--sign and --with-url are about a result", hint="name its file: --result FILE")
        return None
    if dry_run:
        raise UsageError("a dry run has no result", hint="leave out --dry-run or --result")
    if asked.result_file == STANDARD:
        raise UsageError("a result is a file", hint="name it: --result FILE")
    path = Path(asked.result_file)
    if path.exists():
        raise OutputError(f"{path}: already exists", hint="name another file for the result: --result FILE")
    check_target(path, force=False)
    sign = signing.of_output(asked.key, str(path), force=False, namespace=Namespace.RESULT)
    return Wish(path=path, sign=sign, with_url=asked.with_url)


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """An import that is over: what was prepared and done, by which choices, who vouched for the bundle and approved it.

    ``was_stopped``: it was interrupted, and nothing more is asked of the destination.
    """

    prepared: Prepared
    done: Done
    choices: Choices
    destination: str
    verdict: Verdict | None
    approved_by: tuple[str, ...]
    was_stopped: bool


async def write(wished: Wish, what: Import, api: TellingApi) -> None:
    """Read the destination back, write the result, then sign it: what was done is told even where nobody can sign.

    Raises:
        OutputError: it cannot be written.
        BundleError: it is written, and cannot be signed.
    """
    data = statements.result(wished.digests, await _stated(wished, what, api))
    with atomic(wished.path, force=False) as file:
        file.write(data)
    try:
        wished.sign(io.BytesIO(data))
    except BundleError as error:
        hint = f"sign it by hand: `xfer sign {wished.path} --key KEY`"
        raise BundleError(f"{wished.path}: written, but not signed: {error.message}", hint=hint) from error


async def _stated(wished: Wish, what: Import, api: TellingApi) -> Result:
    version = None if what.was_stopped else await _version(api)
    return Result(
        destination=None if "://" in what.destination else what.destination,
        url=api.url if wished.with_url else None,
        versions={"xfer": __version__} | ({"server": version} if version else {}),
        policies=_policies(what.choices),
        signers=results.signers_of(what.verdict),
        approved_by=what.approved_by,
        account=results.account(what.prepared, what.done.outcomes),
        found=None if what.was_stopped else await results.digest_there(what.prepared, api),
    )


async def _version(api: TellingApi) -> str | None:
    with contextlib.suppress(ServerError):
        return await server_version(api)
    return None


def _policies(choices: Choices) -> dict[str, str]:
    conflicts = choices.conflicts
    kinds = {f"on-conflict {kind}": policy for kind, policy in conflicts.by_kind.items()}
    return {"on-conflict": conflicts.usual, "missing-secrets": choices.missing_secrets, **kinds}
