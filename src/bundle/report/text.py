"""A report as text for people.

Rules: 80 columns where names allow it; no colours; every line is escaped here, wherever its parts come
from; long lists are cut, with the number of those left out, unless all is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from bundle.report import (
    archive,
    check,
    demo,
    diff,
    export,
    files,
    import_,
    inspect,
    plan,
    profiles,
    result,
    rollback,
    secrets,
    switch,
    transfer,
    verify,
)
from bundle.report.escaping import escape
from bundle.report.model import Report
from bundle.report.parts import SHOWN, Layout

_LAYOUTS: Mapping[str, Layout] = {
    "export": export.layout,
    "import": import_.layout,
    "transfer": transfer.layout,
    "plan": plan.layout,
    "inspect": inspect.layout,
    "verify": verify.layout,
    "diff": diff.layout,
    "activate": switch.layout,
    "deactivate": switch.layout,
    "rollback": rollback.layout,
    "check": check.layout,
    "profiles": profiles.layout,
    "secrets": secrets.layout,
    "sign": files.layout,
    "split": files.layout,
    "approve": files.layout,
    "result": result.layout,
    "demo": demo.layout,
    "archive init": archive.layout_init,
    "archive snapshot": archive.layout_snapshot,
    "archive list": archive.layout_list,
    "archive log": archive.layout_log,
    "archive pin": archive.layout_list,
    "archive unpin": archive.layout_list,
    "archive forget": archive.layout_forget,
    "archive check": archive.layout_check,
    "archive drill": archive.layout_drill,
}


def render(report: Report, *, in_full: bool = False) -> str:
    """The text of a report, safe to print, without a final line break; ``in_full``: no list is cut."""
    blocks = [list(block) for block in _LAYOUTS[report.command](report, None if in_full else SHOWN)]
    return "\n\n".join("\n".join(map(escape, block)) for block in blocks if block)
