"""Numbers that only grow, for claims and locks. One counter serves all: it grows for each of them too."""

import sqlite3

SCHEMA = """
    CREATE TABLE fencing (last_token INTEGER NOT NULL);
    INSERT INTO fencing VALUES (0);
"""


def next_token(connection: sqlite3.Connection) -> int:
    """A number greater than all before."""
    row = connection.execute("UPDATE fencing SET last_token = last_token + 1 RETURNING last_token").fetchone()
    return int(row["last_token"])
