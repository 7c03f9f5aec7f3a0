"""Data stores by command."""

from __future__ import annotations

import json

from headrace_cli.failures import Status

from .shell import Shell


def test_records_are_written_read_listed_and_removed(shell: Shell) -> None:
    shell.run("store", "new", "customers")
    shell.run("store", "set", "customers", "ada", '{"city": "London"}')
    shell.run("store", "set", "customers", "note", "-", "--text", given="12\n")

    listed = shell.json("store", "ls", "customers")
    ada, note = shell.run("store", "get", "customers", "ada"), shell.run("store", "get", "customers", "note")
    record = shell.json("store", "get", "customers", "ada")
    shell.run("store", "rm", "customers", "note")

    assert {each["key"]: each["value"] for each in listed} == {"ada": {"city": "London"}, "note": "12\n"}
    assert (json.loads(ada), note) == ({"city": "London"}, "12\n\n")
    assert record["key"] == "ada"
    shell.run("store", "get", "customers", "note", status=Status.NOT_FOUND)
    shell.run("store", "rm", "customers", "note", status=Status.NOT_FOUND)


def test_a_store_is_exported_and_removed_once_somebody_says_so(shell: Shell) -> None:
    shell.run("store", "new", "customers")
    shell.run("store", "set", "customers", "ada", "hello")

    printed = json.loads(shell.run("store", "export", "customers"))
    shell.run("store", "export", "customers", "--format", "csv", "-o", "out/customers.csv")
    refused = shell.run("store", "rm", "customers", status=Status.USAGE)
    named = shell.run("store", "ls")
    shell.run("store", "rm", "customers", "-y")

    assert [(each["key"], each["value"]) for each in printed] == [("ada", "hello")]
    assert (shell.home / "out" / "customers.csv").read_text().splitlines()[1].startswith("ada,hello,")
    assert "--yes" in refused and "customers" in named
    assert shell.json("store", "ls") == []


def test_what_a_terminal_would_obey_is_not_printed(shell: Shell) -> None:
    shell.run("store", "new", "odd")
    shell.run("store", "set", "odd", "key", "-", "--text", given="a\x1b]0;owned\x07b")

    assert "\x1b" not in shell.run("store", "ls", "odd")
