"""`headrace completion`: what a shell needs to complete commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer has no __all__

VARIABLE = "_HEADRACE_COMPLETE"
"""With it a shell asks the command itself how a line may go on."""


class Shell(StrEnum):
    """Shells that complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Whose.")] = Shell.BASH) -> None:
    """Print what a shell has to read so that it completes headrace's commands.

    Example: headrace completion bash > ~/.local/share/bash-completion/completions/headrace
    """
    print(get_completion_script(prog_name="headrace", complete_var=VARIABLE, shell=shell.value))
