"""python -m tests.connectors.public FOLDER [--table FILE] [--only vendor.service …] [--archives URL]"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.connectors.public.suite import look_at


def main() -> None:
    """Look at a folder of connectors and write the table."""
    given = argparse.ArgumentParser(prog="python -m tests.connectors.public")
    given.add_argument("folder", type=Path)
    given.add_argument("--table", type=Path)
    given.add_argument("--only", nargs="*", default=())
    given.add_argument("--archives", default="", help="where archives of repositories at GitHub come from")
    arguments = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-public-") as work:
        table = asyncio.run(look_at(arguments.folder, Path(work), print, arguments.only, arguments.archives))
    shown = table.markdown()
    if arguments.table:
        arguments.table.write_text(shown)
    print(shown)


if __name__ == "__main__":
    main()
