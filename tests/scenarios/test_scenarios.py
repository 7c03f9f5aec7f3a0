"""Plays the transcripts next to this file: what the engine promises (docs/concepts/runs.md), told as short stories.

A transcript is a list of entries, parted by blank lines. An entry is comments (`#`), a command, its indented block if
it has one, and after a line `----` what it prints. A file that prints something else fails with a diff. With
SCENARIOS_REWRITE=1 in the environment the files are written anew instead: read the difference before you keep it.

    flow NAME             makes a flow of the block, or saves a new version of it; running flows go on running
        ID = TYPE {properties} on errors {errorHandling}
        ID.IN-PORT <- SOURCE.OUT-PORT, SOURCE.OUT-PORT : {input}
    start NAME            stop NAME
    send NAME.ID {data}   calls the webhook with this body; `send NAME.ID {data} as KEY` with an idempotency key
    far 503 200           sets what the far side, http://far/, answers to the next calls; 200 after that
    calls                 prints how many calls the far side got, and with how many different idempotency keys
    after 90s             lets time pass (s, m, h)
    runs                  waits for rest and prints the runs that are not as they were told before: their steps by
                          node, and what they wait for
    unprocessed           prints the unprocessed messages
    retry                 gives all unprocessed messages back to their runs
    stages                prints whether each flow runs
    logs NAME             prints the log records of a flow that are errors

In a flow, a TYPE of two words is one of `appmixer.utils`; the input of SetVariable is the variables by name; a text
that begins with `$.` is a variable. Runs are called r1, r2, … as they appear; times and ids are printed as <time> and
<id>.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scenarios import transcript
from tests.scenarios.playing import Player
from tests.scenarios.stage import open_stage

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_transcript_is_what_happens(file: Path, tmp_path: Path) -> None:
    text = _read(file)
    entries = list(transcript.read(text))
    async with open_stage(tmp_path) as stage:
        player = Player(stage)
        played = [entry.written(await player.play(entry)) for entry in entries]

    happened = "\n\n".join(played) + "\n"
    if os.environ.get("SCENARIOS_REWRITE"):
        _write(file, happened)
    else:
        assert happened.splitlines() == text.splitlines()


def _read(file: Path) -> str:
    return file.read_text()


def _write(file: Path, text: str) -> None:
    file.write_text(text)
