"""Who vouches for a bundle, in the reports of all commands that read one."""

from __future__ import annotations

from collections.abc import Iterator

from bundle.report.model import Report
from bundle.report.parts import Lines
from bundle.trust.reasons import TEXTS
from bundle.trust.verdict import Signed, Verdict


def signature_lines(report: Report) -> Lines:
    """A line for each signature, or that nobody was asked, and who approved."""
    yield from _verdict_lines(report.signatures)
    if report.approved_by:
        yield f"approved by:     {', '.join(report.approved_by)}"


def _verdict_lines(verdict: Verdict | None) -> Lines:
    if verdict is None:
        return
    if verdict.state == "unverified":
        yield "signed by:       not checked (--unverified)"
    for each in verdict.signatures:
        yield from _line(each)
    if verdict.needed > 1:
        yield f"                 {verdict.people} people, {verdict.needed} required"


def _line(each: Signed) -> Iterator[str]:
    if each.reason is None:
        yield f"signed by:       {', '.join(each.principals)} ({each.key_type} {each.fingerprint})"
    else:
        yield f"does not count:  {each.file}: {TEXTS[each.reason]}"
