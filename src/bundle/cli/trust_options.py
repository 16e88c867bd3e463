"""The options that say whose signatures are trusted: what all commands that read a bundle share.

Where a file of allowed signers is known, what is read must be signed by its people; a wrong signature is refused
always. docs/airgap.md describes it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bundle.cli import options
from bundle.errors import UsageError
from bundle.trust import allowed_signers, dates, revoked, verify
from bundle.trust.digests import Digests
from bundle.trust.policy import Policy
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.verdict import TrustFile, Verdict, verified
from bundle.trust.verify import Namespace
from bundle.trust.wire import MalformedError

VARIABLE = "XFER_ALLOWED_SIGNERS"
DEFAULT = Path(".config", "xfer", "allowed_signers")
"""Where the file of allowed signers is looked for, below the home directory, if none is named."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a command trusts: a policy and the file it is from, if one is known.

    ``signatures`` are named ones; none means those beside the file. ``is_unverified``: the user asks for no check.
    ``parts_from`` are the directories with the parts of a file that was split, besides that of the list.
    """

    policy: Policy | None = None
    file: TrustFile | None = None
    signatures: tuple[Path, ...] = ()
    is_unverified: bool = False
    parts_from: tuple[Path, ...] = ()

    def is_asked(self, files: Sequence[Path]) -> bool:
        """Whether there is anything to judge in a file with these signatures beside it."""
        return self.is_unverified or self.policy is not None or bool(files)

    def judge(self, what: str, digests: Digests, files: Sequence[Path], namespace: Namespace) -> Verdict | None:
        """The verdict on a file with these digests; None if it is not signed, and nobody asks who signed it.

        Raises:
            Distrusted: a signature is wrong, they are not enough, or nothing says whose are trusted.
        """
        if self.is_unverified:
            return _unverified(what, digests, files, namespace)
        found = verify.verify(what, digests, files, namespace=namespace, policy=self.policy)
        if found is None or self.policy is None or self.file is None:
            return None
        return verified(digests.sha256.hex(), found, self.policy, self.file)


NO_TRUST = Trust()


def _unverified(what: str, digests: Digests, files: Sequence[Path], namespace: Namespace) -> Verdict:
    """Nobody is asked for, but what is no signature of this file at all is refused all the same."""
    nobody = Policy(entries=(), at=0)
    try:
        verify.verify(what, digests, files, namespace=namespace, policy=nobody)
    except Distrusted as distrusted:
        if distrusted.reason in _WRONG:
            raise
    return Verdict(state="unverified", sha256=digests.sha256.hex())


_WRONG = {Reason.SIGNATURE_MALFORMED, Reason.SIGNATURE_WRONG, Reason.NAMESPACE_WRONG}


class _Asked(msgspec.Struct, frozen=True):
    """The options as given."""

    signers_file: str | None
    signer: str | None
    min_signers: int | None
    revoked_file: str | None
    verify_time: str | None
    signatures: tuple[str, ...]
    is_unverified: bool
    parts_from: tuple[str, ...]


def _trust(asked: _Asked) -> Trust:
    return msgspec.structs.replace(_whom(asked), parts_from=tuple(map(Path, asked.parts_from)))


def _whom(asked: _Asked) -> Trust:
    signatures = tuple(map(Path, asked.signatures))
    narrowing = (asked.signer, asked.min_signers, asked.revoked_file, asked.verify_time)
    if asked.is_unverified:
        if asked.signers_file is not None or narrowing != (None,) * 4:
            raise UsageError(
                "--unverified and options that say whom to trust contradict each other", hint="leave out one of them"
            )
        return Trust(is_unverified=True, signatures=signatures)
    path = _trust_file(asked.signers_file)
    if path is None:
        if narrowing != (None,) * 4:
            raise UsageError("nothing says whose signatures are trusted", hint="name a file with --allowed-signers")
        return Trust(signatures=signatures)
    text = allowed_signers.text_of(path)
    policy = Policy(
        entries=allowed_signers.parse(text, str(path)),
        at=_time(asked.verify_time),
        revoked=revoked.load(Path(asked.revoked_file)) if asked.revoked_file is not None else frozenset(),
        signer=asked.signer,
        min_signers=asked.min_signers or 1,
    )
    return Trust(
        policy=policy, file=TrustFile(str(path), hashlib.sha256(text.encode()).hexdigest()), signatures=signatures
    )


def _trust_file(named: str | None) -> Path | None:
    """The file of allowed signers, if one is known. One that is there and cannot be read is one."""
    if named is not None:
        return Path(named)
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    usual = Path.home() / DEFAULT
    try:
        usual.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return usual
    return usual


def _time(text: str | None) -> int:
    if text is None:
        return int(time.time())
    try:
        return dates.read(text)
    except MalformedError as error:
        raise UsageError(f"--verify-time: {error}", hint="write for example 20261125Z") from error


trust = options.gathered(
    _Asked,
    "trust",
    click.option(
        "--allowed-signers",
        "signers_file",
        metavar="FILE",
        help=f"Who may sign, in OpenSSH's form. Default: {VARIABLE}, or ~/{DEFAULT.as_posix()}.",
    ),
    click.option("--signer", metavar="PATTERN", help="Accept only these of the allowed signers."),
    click.option(
        "--min-signers", type=click.IntRange(1), metavar="N", help="Require signatures of N people. Default: 1."
    ),
    click.option("--revoked", "revoked_file", metavar="FILE", help="Public keys that are not trusted any more."),
    click.option("--verify-time", metavar="TIME", help="Judge as at this time: YYYYMMDD[HHMM[SS]][Z]."),
    click.option(
        "--signature",
        "signatures",
        metavar="FILE",
        multiple=True,
        help="The signature, if it is not beside the file. Repeatable.",
    ),
    click.option("--unverified", "is_unverified", is_flag=True, help="Use the file whoever signed it, or nobody."),
    click.option(
        "--parts-from",
        "parts_from",
        metavar="DIRECTORY",
        multiple=True,
        help="Where parts of the file are, if FILE is the .parts list of `xfer split`. Repeatable.",
    ),
    finish=_trust,
)
"""Whose signatures are trusted; the command gets one ``trust``."""
