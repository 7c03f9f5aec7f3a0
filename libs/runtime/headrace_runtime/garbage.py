"""When garbage is collected: never while one call makes very much that is no garbage, and never what a start made.

A full collection stops everything else for as long as it takes to look at each object.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def settle() -> None:
    """Keep all that is there now out of later collections: what a start made stays until the end.

    Most objects of a process are its code, its tables and its schemas. For whoever owns the process; a second call adds
    what is new.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def held_off() -> Iterator[None]:
    """No collections meanwhile, for work that makes very many objects and no cycle of them, as reading JSON does.

    A megabyte has room for hundreds of thousands of lists, and each round would look at all that are there yet.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
