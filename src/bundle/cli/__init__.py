"""The command line: options in, one report out, and the one place where an error becomes an exit code.

Rules:

1. Results go to stdout, everything else to stderr. With ``--json``, stdout gets exactly one JSON
   document on every path; commands return their report, and only ``run`` prints it.
2. ``xfer --version`` and ``--help`` import nothing but click: a command's module is imported when
   it is used.
3. Whatever is not a ``BundleError`` is a bug: its traceback goes to a file, without values.
4. Only this package builds a client, prints, and reads the clock and the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from bundle._version import __version__
from bundle.cli import options
from bundle.cli.console import Console
from bundle.cli.failures import handle
from bundle.cli.lazy import LazyGroup

COMMANDS = {
    "export": ("bundle.cli.commands.export", "Export an environment into a bundle."),
    "import": ("bundle.cli.commands.import_", "Import a bundle into an environment; safe to repeat."),
    "transfer": ("bundle.cli.commands.transfer", "Export and import in one command."),
    "plan": ("bundle.cli.commands.plan", "Show what an import would do, field by field."),
    "inspect": ("bundle.cli.commands.inspect", "Show what is inside a bundle."),
    "verify": ("bundle.cli.commands.verify", "Check that a bundle is intact, and that a server holds it."),
    "diff": ("bundle.cli.commands.diff", "Show what changed between two bundles or servers."),
    "activate": ("bundle.cli.commands.activate", "Switch on what is on in a bundle, and show the next runs."),
    "deactivate": ("bundle.cli.commands.deactivate", "Switch off what starts by itself; can be undone."),
    "rollback": ("bundle.cli.commands.rollback", "Undo an import by its receipt."),
    "check": ("bundle.cli.commands.check", "Check before a transfer that both servers can be used."),
    "profiles": ("bundle.cli.commands.profiles", "List the profiles and what each would connect to."),
    "sign": ("bundle.cli.commands.sign", "Sign a file with an SSH key."),
    "split": ("bundle.cli.commands.split", "Split a file into parts for small media."),
    "archive": ("bundle.cli.commands.archive", "Keep snapshots in a directory or bucket, and get them back."),
    "secrets": ("bundle.cli.commands.secrets", "Prepare the secrets that a bundle does not hold."),
    "approve": ("bundle.cli.commands.approve", "Approve what a plan does with a bundle."),
    "result": ("bundle.cli.commands.result", "Read what became of a bundle on the far side."),
    "demo": ("bundle.cli.commands.demo", "Try everything with two throwaway servers."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=options.examples(
        "xfer export --from dev -o env.pxb", "xfer plan env.pxb --to prod", "xfer import env.pxb --to prod", "xfer demo"
    ),
)
@click.version_option(__version__, message="xfer %(version)s")
@options.output
def xfer() -> None:
    """Move and archive whole Prefect 3 environments.

    Nothing is lost, and every resource is accounted for.

    SOURCE and DESTINATION are names of Prefect profiles, API URLs, or "env" for
    the PREFECT_* variables. Exit codes: 0 done, 1 failed, 2 differences (plan
    --exit-code, verify --to, diff), 3 incomplete, 4 bundle refused, 5 server, 6 secret missing,
    64 usage, 70 bug, 130 interrupted.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever is raised ends here."""
    console = Console(arguments)
    try:
        answer = xfer.main(list(arguments), prog_name="xfer", obj=console, standalone_mode=False)
        if answer is None or isinstance(answer, int):
            return answer or 0
        console.finish(answer)
        return int(answer.exit_code)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - the one place where an error becomes an exit code
        return handle(error, console)
    finally:
        console.close()


def main() -> None:
    """The entry point ``xfer``."""
    for name in ("stdout", "stderr"):
        # None where the caller closed it.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the process ends
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(sys.argv[1:]))


def _interrupt(number: int, _frame: object) -> None:
    """Do as Ctrl-C does, where nothing gentler is in place; the next such signal ends the process."""
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt
