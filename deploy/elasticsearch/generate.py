"""Writes the index template that the log service installs: `python deploy/elasticsearch/generate.py`.

An operator who keeps the log service from making templates installs the file by hand; a test holds it to the code.
"""

import json
from pathlib import Path

from headrace_logging.stores.elasticsearch_documents import Layout, Names, template

FILE = Path(__file__).parent / "headrace-logs.json"


def text() -> str:
    """The template with the names and numbers that the settings have by default."""
    return json.dumps(template(Names("headrace"), Layout()), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
