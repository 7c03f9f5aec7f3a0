"""How a process lives and dies. Each test is a real process, for signals and exits are the whole point."""

import signal
import subprocess
import sys

PREAMBLE = """
import asyncio, sys
from datetime import timedelta
from headrace_runtime import lifecycle

def say(what):
    print(what, flush=True)
"""


def started(body: str) -> "subprocess.Popen[str]":
    """A process that runs the script and has said that it is up."""
    process = subprocess.Popen([sys.executable, "-c", PREAMBLE + body], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def said(process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """How it ended and what it said since. Not by `communicate`: that loses what `readline` has read ahead."""
    assert process.stdout is not None
    with process.stdout as output:
        rest = output.read().split()
    return process.wait(timeout=20), rest


POLITE = """
async def main(stack, stopping):
    stack.callback(say, "first-opened")
    stack.callback(say, "last-opened")
    say("up")
    await stopping.wait()
    say("stopping")

lifecycle.run(main)
say("gone")
"""


def test_a_signal_stops_the_process_and_closes_what_was_opened_last_first() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = started(POLITE)

        process.send_signal(number)

        assert said(process) == (0, ["stopping", "last-opened", "first-opened", "gone"])


def test_a_second_signal_ends_the_process_at_once() -> None:
    process = started("""
async def main(stack, stopping):
    say("up")
    await stopping.wait()
    say("stopping")
    await asyncio.Event().wait()

lifecycle.run(main)
""")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"

    process.send_signal(signal.SIGTERM)

    assert said(process) == (128 + signal.SIGTERM, [])


def test_a_process_that_does_not_stop_in_time_is_ended() -> None:
    process = started("""
async def main(stack, stopping):
    stack.push_async_callback(asyncio.Event().wait)
    say("up")
    await stopping.wait()

lifecycle.run(main, patience=timedelta(milliseconds=100))
""")

    process.send_signal(signal.SIGTERM)

    assert said(process) == (1, [])


def test_main_may_return_by_itself_and_its_errors_are_raised_after_the_stack_is_closed() -> None:
    process = started("""
async def main(stack, stopping):
    stack.callback(say, "closed")
    say("up")
    raise RuntimeError("broken")

try:
    lifecycle.run(main)
except RuntimeError as error:
    say(error)
""")

    assert said(process) == (0, ["closed", "broken"])


def test_what_broke_ends_the_process_with_status_1_after_the_stack_is_closed() -> None:
    process = started("""
async def main(stack, stopping):
    stack.callback(say, "closed")
    say("up")
    stopping.fail(RuntimeError("The disk is gone."))
    await stopping.wait()

lifecycle.run(main)
""")

    assert said(process) == (1, ["closed"])


def test_a_signal_ends_a_start_that_waits_for_something_that_never_comes() -> None:
    process = started("""
async def main(stack, stopping):
    stack.callback(say, "closed")
    say("up")
    await asyncio.Event().wait()

lifecycle.run(main)
say("gone")
""")

    process.send_signal(signal.SIGTERM)

    assert said(process) == (0, ["closed", "gone"])


def test_a_signal_while_the_stack_is_closed_interrupts_nothing() -> None:
    process = started("""
async def close():
    say("up")
    await asyncio.sleep(0.2)
    say("closed")

async def main(stack, stopping):
    stack.push_async_callback(close)

lifecycle.run(main)
""")

    process.send_signal(signal.SIGTERM)

    assert said(process) == (0, ["closed"])


def test_collections_pass_over_what_the_start_has_made() -> None:
    process = started("""
import gc

async def main(stack, stopping):
    say("up")
    before = gc.get_freeze_count()
    asyncio.get_running_loop().call_soon(stopping.set)
    await stopping.wait()
    say(before)
    say(gc.get_freeze_count() > 10_000)

lifecycle.run(main)
""")

    assert said(process) == (0, ["0", "True"])
