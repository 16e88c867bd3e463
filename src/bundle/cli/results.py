"""The result of an import at the command line: where it is written, and who signs it."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from bundle._version import __version__
from bundle.cli import signing
from bundle.environment.read import server_version
from bundle.errors import UsageError
from bundle.files import atomic, check_target
from bundle.operations import results
from bundle.operations.import_ import Prepared
from bundle.operations.import_ import Result as Done
from bundle.plan.capabilities import TellingApi
from bundle.plan.choices import Choices
from bundle.trust import statements
from bundle.trust.statements import Result
from bundle.trust.verdict import Verdict
from bundle.trust.verify import Namespace, signature_path

T = TypeVar("T")


class ResultOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where a result goes, if one is wanted, whether it has the URL of the destination, and which key signs it."""

    result_file: str | None
    with_url: bool
    key: str | None


def options(function: Callable[..., T]) -> Callable[..., T]:
    """What is told of an import to where the bundle came from; the command gets one ``outcome``."""

    @click.option("--result", "result_file", metavar="FILE", help="Write what became of each resource, to carry back.")
    @click.option("--with-url", is_flag=True, help="Let the result name the URL of DESTINATION.")
    @click.option("--sign", "key", metavar=signing.KEY, help="Sign the result with this SSH key, into FILE.sig.")
    @functools.wraps(function)
    def gathered(*args: Any, **given: Any) -> T:
        asked = ResultOptions(**{name: given.pop(name) for name in ResultOptions.__struct_fields__})
        return function(*args, outcome=asked, **given)

    return gathered


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is wanted: its place, how it is signed, and the digests of what it will be about."""

    path: Path
    sign: Callable[[bytes], None]
    digests: Mapping[str, str]
    with_url: bool


def wish(asked: ResultOptions, digests: Mapping[str, str], *, dry_run: bool) -> Wish | None:
    """What is wanted, before any request; None for no result.

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
    path = Path(asked.result_file)
    check_target(path, force=False)
    return Wish(path=path, sign=_signed(path, asked.key), digests=digests, with_url=asked.with_url)


def _signed(path: Path, key: str | None) -> Callable[[bytes], None]:
    if key is None:
        return lambda _: None
    signer, target = signing.signer_of(key), signature_path(path)
    check_target(target, force=False)

    def sign(data: bytes) -> None:
        from bundle.trust.signing import sign_stream  # noqa: PLC0415 - needs the extra

        sign_stream(io.BytesIO(data), target, signer, namespace=Namespace.RESULT, force=False)

    return sign


async def write(
    wished: Wish,
    prepared: Prepared,
    done: Done,
    api: TellingApi,
    *,
    choices: Choices,
    destination: str,
    verdict: Verdict | None,
) -> None:
    """Read the destination back and write the result; its signature comes first.

    Raises:
        OutputError: it cannot be written.
        ServerError: the destination cannot be read back.
    """
    version = await server_version(api)
    stated = Result(
        destination=destination,
        url=api.url if wished.with_url else None,
        versions={"xfer": __version__} | ({"server": version} if version else {}),
        policies=_policies(choices),
        signers=results.signers_of(verdict),
        account=results.account(prepared, done.outcomes),
        found=await results.digest_there(prepared, api),
    )
    data = statements.result(wished.digests, stated)
    with atomic(wished.path, force=False) as file:
        wished.sign(data)
        file.write(data)


def _policies(choices: Choices) -> dict[str, str]:
    conflicts = choices.conflicts
    kinds = {f"on-conflict {kind}": policy for kind, policy in conflicts.by_kind.items()}
    return {"on-conflict": conflicts.usual, "missing-secrets": choices.missing_secrets, **kinds}
