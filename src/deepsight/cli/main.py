"""The command line: each command parses its options and calls one workflow."""

import os
import sys
from typing import Annotated

import typer

from deepsight import __version__
from deepsight.cli import (
    audit_commands,
    decision_commands,
    examine_command,
    gate_commands,
    predict_command,
    run_commands,
    sharing_commands,
    study_commands,
)
from deepsight.cli.failures import Commands, run_guarded
from deepsight.cli.progress import accept_any_text, show
from deepsight.cli.waiting_threads import choose_waiting
from deepsight.core.stop import stop_on_signals

INTRODUCTION = """\
DeepSight: why does my image classifier fail, and what do I do about it?

  deepsight run                             study CIFAR-10 in five minutes; writes runs/first/report.html
  deepsight run --data folder:photos        the same on your own images, one folder per class
  deepsight audit photos                    look for faults in a data set, without training
  deepsight examine --predictions p.npz     find out why a model that you already have fails
  deepsight treat runs/first                try remedies against a control, and say which helped
  deepsight view runs/first                 open the report; see also compare, predict and export

deepsight COMMAND --help shows examples; deepsight --install-completion sets up completion in your shell."""

app = typer.Typer(
    name="deepsight",
    cls=Commands,
    help="Why does my image classifier fail, and what do I do about it? A forensic study in one command.",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def print_version(asked: bool) -> None:
    """Print the version and exit, where --version was given."""
    if asked:
        show(f"deepsight {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def introduce(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Why does my image classifier fail, and what do I do about it? A forensic study in one command."""
    if context.invoked_subcommand is None:
        show(INTRODUCTION)


app.add_typer(study_commands.app)
app.add_typer(examine_command.app)
app.add_typer(run_commands.app)
app.add_typer(predict_command.app)
app.add_typer(decision_commands.app)
app.add_typer(gate_commands.app)
app.add_typer(sharing_commands.app)
app.add_typer(audit_commands.app)


def main() -> None:
    """Entry point: sentences for the user, tracebacks only with --debug."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    if not {"--help", "--version"} & set(sys.argv):
        choose_waiting(os.environ)
    accept_any_text()
    stop_on_signals()
    sys.exit(run_guarded(app, debug=debug))
