"""Data stores and their records."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace_cli.api import part
from headrace_cli.failures import Failure, Status
from headrace_cli.opened import AsJson, Opened, ProfileName, Yes, named, opened, write_file

app = typer.Typer(help="Data stores and their records.", no_args_is_help=True)
Store = Annotated[str, typer.Argument(metavar="STORE", help="The store's id or name.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The record's key.")]


class Format(StrEnum):
    """How a store is written."""

    JSON = "json"
    CSV = "csv"


@app.command("ls")
def list_stores(
    store: Annotated[str, typer.Argument(metavar="[STORE]", help="List the records of this one.")] = "",
    profile: ProfileName = "",
    as_json: AsJson = False,
) -> None:
    """List stores, or the records of one.

    Example: headrace store ls customers
    """
    with opened(profile, as_json) as host:
        if not store:
            host.out.rows(("storeId", "name", "registered"), [*host.api.pages("/stores")])
            return
        records = [*host.api.pages("/store", storeId=_id(host, store))]
        host.out.rows(("key", "value", "updatedAt"), records)


@app.command("new")
def new_store(
    name: Annotated[str, typer.Argument(help="What it is called.")], profile: ProfileName = "", as_json: AsJson = False
) -> None:
    """Make a store.

    Example: headrace store new customers
    """
    with opened(profile, as_json) as host:
        made = host.api.post("/stores", {"name": name})
        host.out.done(f"Made as {made['storeId']}.", made)


@app.command("get")
def get_record(store: Store, key: Key, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Print the value of a record: text as it is, anything else as JSON. With --json, the whole record.

    Example: headrace store get customers ada
    """
    with opened(profile, as_json) as host:
        record = host.api.get(_record(_id(host, store), key))
        value = record["value"]
        if as_json:
            host.out.value(record)
        else:
            print(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


@app.command("set")
def set_record(
    store: Store,
    key: Key,
    value: Annotated[str, typer.Argument(help="JSON or text; - reads the input.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
    as_text: Annotated[bool, typer.Option("--text", help="It is text, even if it looks like JSON.")] = False,
) -> None:
    """Write a record.

    Examples:

        headrace store set customers ada '{"city": "London"}'

        headrace store set customers note - --text < note.txt
    """
    with opened(profile, as_json) as host:
        given = sys.stdin.read() if value == "-" else value
        content = json.dumps(given if as_text else _value(given)).encode()
        headers = {"Content-Type": "application/json"}
        path = _record(_id(host, store), key)
        record = host.api.call("POST", path, content=content, headers=headers).json()
        host.out.done(f"{key} is written.", record)


@app.command("rm")
def remove(
    store: Store,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="One record; without it the whole store.")] = "",
    profile: ProfileName = "",
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """Remove a record, or a store with all of its records.

    Example: headrace store rm customers ada
    """
    with opened(profile, as_json) as host:
        store_id = _id(host, store)
        if key:
            told = host.api.call("DELETE", "/store", [{"storeId": store_id, "key": key}]).json()
            if not told["deletedCount"]:
                raise Failure(Status.NOT_FOUND, f"There is no record {key!r}.", f"Look: headrace store ls {store}")
            host.out.done(f"{key} is removed.", {"storeId": store_id, "key": key})
            return
        if not host.out.is_agreed(f"Remove the store {store} with all of its records?", yes=yes):
            raise Failure(Status.FAILED, "Nothing was removed.")
        host.api.call("DELETE", f"/stores/{part(store_id)}")
        host.out.done(f"{store} is removed.", {"storeId": store_id})


@app.command("export")
def export(
    store: Store,
    profile: ProfileName = "",
    as_json: AsJson = False,
    form: Annotated[Format, typer.Option("--format", help="How.")] = Format.JSON,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file; printed by default.")] = None,
) -> None:
    """Write all records of a store, by key.

    Example: headrace store export customers --format csv -o customers.csv
    """
    with opened(profile, as_json) as host, host.out.progress("Exporting"):
        store_id = _id(host, store)
        answer = host.api.call("GET", f"/store/download/{part(store_id)}", params={"format": form.value})
        if out is None:
            sys.stdout.write(answer.text)
            return
        write_file(out, answer.content)
        host.out.done(f"Written to {out}.", {"storeId": store_id, "file": str(out)})


def _id(host: Opened, store: str) -> str:
    return str(named(host.api, "/stores", "storeId", store)["storeId"])


def _record(store_id: str, key: str) -> str:
    return f"/store/{part(store_id)}/{part(key)}"


def _value(given: str) -> Any:
    try:
        return json.loads(given)
    except ValueError:
        return given
