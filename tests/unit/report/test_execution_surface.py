"""What a bundle would run, in lines."""

from __future__ import annotations

from bundle.plan.execution_surface import Surface, Surfaces
from bundle.report import inspect, text
from support.reports import manifest


def test_what_would_be_run_is_grouped() -> None:
    """Equal texts are listed once with their number, few of each code; -v has every place, escaped."""
    entries = [Surface(f"deployment:etl/{number}", "/job_variables/image", "image", "reg/x") for number in range(9)]
    entries += [Surface("work-pool:k8s", "/x", "command", f"run \x1b {number}") for number in range(5)]
    found = Surfaces({"image": 9, "command": 5}, tuple(entries))
    report = inspect.report(manifest(), "env.pxb", found)
    short, full = text.render(report), text.render(report, in_full=True)
    assert "    reg/x  (deployment:etl/0 and 8 more)\n" in short
    assert "  command (5): a command or script\n    run \\x1b 0  (work-pool:k8s)\n" in short
    assert "    … and 2 more (-v shows all)" in short
    assert full.count(" at /job_variables/image\n") == 9
    assert "\x1b" not in short + full
