"""A report as text for people. Each command has a module with its layout; this picks the one.

Rules: 80 columns; no colours; everything that came from a bundle or a server is escaped; long lists
are cut, with the number of those left out, unless ``is_whole`` is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from bundle.report import (
    check,
    demo,
    diff,
    export,
    import_,
    inspect,
    plan,
    profiles,
    rollback,
    switch,
    transfer,
    verify,
)
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
    "demo": demo.layout,
}


def render(report: Report, *, is_whole: bool = False) -> str:
    """The text of a report, without a final line break; ``is_whole``: every list in full."""
    is_trial = report.command in {"import", "transfer"} and any(each.state is None for each in report.resources)
    layout = plan.layout if is_trial else _LAYOUTS.get(report.command, import_.layout)
    blocks = [list(block) for block in layout(report, None if is_whole else SHOWN)]
    return "\n\n".join("\n".join(block) for block in blocks if block)
