"""Approvals at the command line: which are there, and whether enough people agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from bundle.archive.address import is_address
from bundle.cli.options import gathered
from bundle.cli.sources import STANDARD
from bundle.cli.trust_options import Trust
from bundle.errors import UsageError
from bundle.trust import allowed_signers, digests, statements, verify
from bundle.trust.policy import Policy, Signer, Verification
from bundle.trust.reasons import TEXTS, Distrusted, Reason
from bundle.trust.statements import Approved, FourEyes
from bundle.trust.verdict import Verdict
from bundle.trust.verify import Namespace

_WRONG = {Reason.SIGNATURE_MALFORMED, Reason.SIGNATURE_WRONG, Reason.NAMESPACE_WRONG, Reason.STATEMENT_MALFORMED}


class ApprovalOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How many people must approve, who may, and where their approvals are if not beside the bundle."""

    required: int | None
    approvers_file: str | None
    approval_files: tuple[str, ...]


options = gathered(
    ApprovalOptions,
    "approvals",
    click.option(
        "--require-approvals",
        "required",
        type=click.IntRange(1),
        metavar="N",
        help="Refuse unless N people approved this bundle and plan, none of whom signed the bundle.",
    ),
    click.option("--approvers", "approvers_file", metavar="FILE", help="Who may approve, in OpenSSH's form."),
    click.option(
        "--approval",
        "approval_files",
        metavar="FILE",
        multiple=True,
        help="An approval, if it is not beside the bundle. Repeatable.",
    ),
)
"""Whose approval is needed; the command gets one ``approvals``."""


def check(
    asked: ApprovalOptions, bundle: str, about: Mapping[str, str], trust: Trust, verdict: Verdict | None
) -> FourEyes | None:
    """Who approved what is about to be done; None where nobody has to. Sends no request.

    ``about`` has the digests of bundle and plan, ``verdict`` says who signed the bundle by ``trust``, whose revoked
    keys and time of judging count for approvals, too.

    Raises:
        UsageError: the options contradict each other.
        Distrusted: too few people approved, or an approval is altered.
    """
    if asked.required is None:
        if asked.approvers_file is not None or asked.approval_files:
            raise UsageError("--approvers and --approval are about approvals", hint="use --require-approvals N")
        return None
    if asked.approvers_file is None:
        raise UsageError("nothing says who may approve", hint="name a file with --approvers")
    if "plan" not in about:
        raise UsageError("what is approved is a plan", hint="name the file of the plan with --plan")
    if trust.policy is None or verdict is None:
        raise UsageError("nothing says who signed the bundle, and they must not approve it", hint="--allowed-signers")
    approvers = allowed_signers.load(Path(asked.approvers_file))
    policy = Policy(entries=approvers, at=trust.policy.at, revoked=trust.policy.revoked)
    wanted = {name: about[name] for name in ("bundle", "plan")}
    approvals, passed_over = list[Approved](), list[tuple[str, str]]()
    for path in map(Path, asked.approval_files or _beside(bundle)):
        try:
            approvals.append(_approved(path, policy, wanted))
        except Distrusted as distrusted:
            if distrusted.reason in _WRONG:
                raise
            passed_over.append((str(path), TEXTS[distrusted.reason]))
    found = statements.four_eyes(approvals, _makers(verdict))
    found = msgspec.structs.replace(found, passed_over=(*found.passed_over, *passed_over))
    return statements.require_approvals(bundle, found, asked.required)


def place(bundle: str, principal: str) -> Path:
    """Where the approval of a bundle by somebody is."""
    safe = "".join(each if each.isalnum() or each in "@._-" else "_" for each in principal)
    return Path(f"{bundle}.approval.{safe}.json")


def _beside(bundle: str) -> list[str]:
    if bundle == STANDARD or is_address(bundle):
        return []
    start = f"{Path(bundle).name}.approval."
    beside = Path(bundle).parent.iterdir()
    return sorted(str(each) for each in beside if each.name.startswith(start) and each.suffix == ".json")


def _approved(path: Path, policy: Policy, about: Mapping[str, str]) -> Approved:
    with digests.opened(path) as file:
        data = file.read(statements.LONGEST_APPROVAL + 1)
    found = digests.of_bytes(data)
    files = verify.signature_files(path)
    verification = verify.verify(str(path), found, files, namespace=Namespace.APPROVAL, policy=policy)
    assert verification is not None  # noqa: S101 - there is a policy
    statement = statements.check_subjects(statements.read_approval(data, str(path)), about, str(path))
    return Approved(str(path), statement, verification)


def _makers(verdict: Verdict) -> Verification:
    signers = tuple(
        Signer(each.file, each.key_type, each.fingerprint, each.principals, each.reason) for each in verdict.signatures
    )
    return Verification(signers, verdict.people, verdict.needed)
