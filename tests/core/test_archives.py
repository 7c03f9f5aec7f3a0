"""Archives from strangers: S8's corpus of hostile ones is refused in time and memory, and honest ones are read."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from headrace_core.archives import LIMITS, BadArchive, check_together, read_archive, write_archive
from hypothesis import given
from hypothesis import strategies as st

from tests.core.zips import FILE, LINK, Member, plain, zip_of

GOOD = "acme/mail/core/Send/component.json"
MEBIBYTE = 1024 * 1024


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def overlapping() -> bytes:
    """Two entries of the same bytes: the trick of bombs that need no nesting."""
    return zip_of([Member(b"a/one"), Member(b"a/two", at=0)])


def quoted_overlap() -> bytes:
    """One entry whose content is the next one's header and content."""
    inner = zip_of([Member(b"a/b", b"y" * 50, method=0)])[: 30 + 3 + 50]
    return zip_of([Member(b"a/a", inner, method=0), Member(b"a/b", b"y" * 50, method=0, at=30 + 3)])


def torn_end() -> bytes:
    return zip_of(plain(GOOD))[:-5]


def many_zeros(size: int) -> bytes:
    return zip_of([Member(b"a/zeros", bytes(size))])


def lying_zeros() -> bytes:
    """Says 100 bytes and grows to 64 MiB."""
    packed = deflated(bytes(64 * MEBIBYTE))
    return zip_of([Member(b"a/zeros", b"", packed=packed, size=100, crc=0)])


def cut_content() -> bytes:
    packed = deflated(b"some longer content that is cut" * 20)
    return zip_of([Member(b"a/b", b"", packed=packed[:-4], size=620, crc=1)])


HOSTILE: dict[str, Callable[[], bytes]] = {
    "slip by dots": lambda: zip_of(plain("acme/../../etc/passwd")),
    "slip by leading dots": lambda: zip_of(plain("../x")),
    "slip by a dot": lambda: zip_of(plain("acme/./x")),
    "slip by backslashes": lambda: zip_of(plain("acme\\..\\..\\x")),
    "absolute": lambda: zip_of(plain("/etc/passwd")),
    "drive": lambda: zip_of(plain("C:/windows/x")),
    "network path": lambda: zip_of(plain("//server/share/x")),
    "stream of a file": lambda: zip_of(plain("acme/x.js:hidden")),
    "empty part": lambda: zip_of(plain("acme//x")),
    "empty name": lambda: zip_of([Member(b"")]),
    "link": lambda: zip_of([Member(b"acme/link", b"/etc/passwd", mode=LINK)]),
    "link to a folder with a file behind it": lambda: zip_of(
        [Member(b"acme/link", b"..", mode=LINK), *plain("acme/link/x")]
    ),
    "device": lambda: zip_of([Member(b"acme/dev", mode=0o020666)]),
    "pipe": lambda: zip_of([Member(b"acme/pipe", mode=0o010666)]),
    "folder with content": lambda: zip_of([Member(b"acme/", b"hello", mode=0o040755)]),
    "folder without a slash": lambda: zip_of([Member(b"acme/x", attributes=0x10)]),
    "bomb: one file": lambda: many_zeros(64 * MEBIBYTE),
    "bomb: by its ratio": lambda: many_zeros(7 * MEBIBYTE),
    "bomb: all together": lambda: zip_of(
        [Member(f"a/{n}".encode(), b"".join(b"%d;" % each for each in range(600_000))) for n in range(7)]
    ),
    "bomb: many small ones": lambda: zip_of(
        [Member(f"a/{n}".encode(), bytes(200 * 1024), packed=deflated(bytes(200 * 1024))) for n in range(120)]
    ),
    "bomb: says less than it is": lying_zeros,
    "bomb: too many entries": lambda: zip_of([Member(f"a/{n}".encode(), b"") for n in range(4_001)]),
    "bomb: an archive within": lambda: zip_of([Member(b"acme/mail/inner.zip", zip_of(plain("x")))]),
    "bomb: too deep": lambda: zip_of(plain("/".join(["d"] * 17))),
    "overlap": overlapping,
    "overlap by quoting": quoted_overlap,
    "the same path twice": lambda: zip_of(plain(GOOD, GOOD)),
    "paths that differ in case": lambda: zip_of(plain("acme/mail/A.js", "acme/mail/a.js")),
    "folders that differ in case": lambda: zip_of(plain("acme/Mail/a.js", "acme/mail/b.js")),
    "paths that are composed otherwise": lambda: zip_of(plain("acme/caf\u00e9", "acme/cafe\u0301")),
    "paths of compatible letters": lambda: zip_of(plain("acme/\ufb01le", "acme/file")),
    "file and folder": lambda: zip_of(plain("acme/x", "acme/x/y")),
    "encrypted": lambda: zip_of([Member(b"acme/x", flags=1)]),
    "encrypted directory": lambda: zip_of([Member(b"acme/x", flags=1 << 13)]),
    "another method": lambda: zip_of([Member(b"acme/x", method=14)]),
    "wrong checksum": lambda: zip_of([Member(b"acme/x", b"content", crc=7)]),
    "wrong size": lambda: zip_of([Member(b"acme/x", b"content", size=6, crc=zlib.crc32(b"conten"))]),
    "content cut short": cut_content,
    "content that is no deflate": lambda: zip_of([Member(b"acme/x", b"", packed=b"\xff" * 20, size=20, crc=0)]),
    "more behind the content": lambda: zip_of([Member(b"acme/x", packed=deflated(b"x") + b"more")]),
    "control character": lambda: zip_of(plain("acme/a\x1b[2J.js")),
    "zero in the name": lambda: zip_of(plain("acme/a.js\0.png")),
    "text that runs backwards": lambda: zip_of(plain("acme/\u202egpj.exe")),
    "name too long": lambda: zip_of(plain("acme/" + "n" * 121)),
    "path too long": lambda: zip_of(plain("/".join(["n" * 60] * 5))),
    "name that is no text": lambda: zip_of([Member(b"acme/\xff\xfe")]),
    "device of Windows": lambda: zip_of(plain("acme/mail/con.json")),
    "device of Windows in a folder": lambda: zip_of(plain("acme/LPT1/x.js")),
    "trailing dot": lambda: zip_of(plain("acme/mail./x.js")),
    "another name in front of the content": lambda: zip_of([Member(b"acme/x", local_name=b"acme/y")]),
    "another size in front of the content": lambda: zip_of([Member(b"acme/x", local_size=9)]),
    "directory elsewhere": lambda: zip_of(plain(GOOD), directory_at=0),
    "content in the directory": lambda: zip_of([Member(b"acme/x", method=0, packed_size=60, size=60)]),
    "nothing where an entry should be": lambda: zip_of([Member(b"acme/x", at=3)]),
    "one part of several": lambda: zip_of(plain(GOOD), disk=1),
    "more entries than it says": lambda: zip_of(plain("a/b", "a/c"), total=1),
    "fewer entries than it says": lambda: zip_of(plain("a/b"), total=2),
    "bytes in front": lambda: zip_of(plain(GOOD), before=b"#!/bin/sh\n"),
    "bytes behind": lambda: zip_of(plain(GOOD), after=b"more"),
    "the form for more than 4 GB": lambda: zip_of(plain(GOOD), locator=b"PK\6\7" + bytes(16)),
    "an entry of more than 4 GB": lambda: zip_of([Member(b"a/b", size=0xFFFFFFFF)]),
    "end cut off": torn_end,
    "empty": lambda: zip_of([]),
    "nothing": lambda: b"",
    "no archive": lambda: b"hello" * 1000,
    "a tape archive": lambda: b"acme/x\0".ljust(257, b"\0") + b"ustar\0" + bytes(1000),
    "larger than allowed": lambda: bytes(LIMITS.archive_bytes + 1),
}

REASONS: dict[str, tuple[str, ...]] = {
    "dots that leads elsewhere": ("slip by dots", "slip by leading dots", "slip by a dot", "empty part"),
    "mean something else": ("slip by backslashes", "drive", "stream of a file"),
    "absolute or empty": ("absolute", "network path", "empty name"),
    "is a link": ("link", "link to a folder with a file behind it"),
    "device, pipe or socket": ("device", "pipe"),
    "folder": ("folder with content", "folder without a slash", "file and folder"),
    "allowed for a file": ("bomb: one file",),
    "times": ("bomb: by its ratio", "bomb: many small ones"),
    "allowed together": ("bomb: all together",),
    "longer or shorter": ("bomb: says less than it is", "content cut short", "more behind the content"),
    "entries, and 4000": ("bomb: too many entries",),
    "lies within": ("bomb: an archive within",),
    "folders deep": ("bomb: too deep",),
    "do not say the same": (
        "overlap",
        "another name in front of the content",
        "another size in front of the content",
    ),
    "shares bytes": ("overlap by quoting",),
    "there twice": ("the same path twice", "paths that are composed otherwise"),
    "the same on some systems": (
        "paths that differ in case",
        "folders that differ in case",
        "paths of compatible letters",
    ),
    "encrypted": ("encrypted", "encrypted directory"),
    "by method 14": ("another method",),
    "checksum": ("wrong checksum", "wrong size"),
    "cannot be unpacked": ("content that is no deflate",),
    "nobody can see": ("control character", "zero in the name", "text that runs backwards"),
    "more than 120 bytes": ("name too long",),
    "304 characters": ("path too long",),
    "not UTF-8": ("name that is no text",),
    "on Windows": ("device of Windows", "device of Windows in a folder"),
    "ends with a space or a dot": ("trailing dot",),
    "where the archive says it is": ("directory elsewhere",),
    "into the directory": ("content in the directory",),
    "no entry where": ("nothing where an entry should be",),
    "part of several": ("one part of several",),
    "more in the directory": ("more entries than it says",),
    "cut short": ("fewer entries than it says",),
    "in front of the first": ("bytes in front",),
    "behind the end": ("bytes behind",),
    "more than 4 GB": ("the form for more than 4 GB", "an entry of more than 4 GB"),
    "no zip archive": ("end cut off", "nothing", "no archive", "a tape archive"),
    "is empty": ("empty",),
    "10485760 are allowed": ("larger than allowed",),
}
"""What the refusal says, of which archives: each is refused for what is wrong with it, and for nothing else."""

CASES = [(name, said) for said, names in REASONS.items() for name in names]


@pytest.mark.parametrize(("name", "said"), CASES)
def test_a_hostile_archive_is_refused_in_time_and_memory(name: str, said: str) -> None:
    data = HOSTILE[name]()
    tracemalloc.start()
    began = time.process_time()

    with pytest.raises(BadArchive, match=said) as refused:
        read_archive(data)

    took, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took <= 1.0
    assert peak <= 64 * MEBIBYTE
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_the_corpus_is_as_large_as_the_scorecard_asks() -> None:
    assert {name for name, _ in CASES} == set(HOSTILE)
    assert len(HOSTILE) >= 40


def by_the_standard_library(compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.mkdir("acme")
        archive.writestr("acme/mail/service.json", b'{"name": "acme.mail"}')
        archive.writestr("acme/mail/core/Größe/lib.js", b"")
    return buffer.getvalue()


HONEST: dict[str, Callable[[], bytes]] = {
    "deflated": lambda: by_the_standard_library(zipfile.ZIP_DEFLATED),
    "stored": lambda: by_the_standard_library(zipfile.ZIP_STORED),
    "streamed, with sizes behind the content": lambda: zip_of(
        [
            Member(b"acme/mail/service.json", b'{"name": "acme.mail"}', flags=1 << 11 | 8),
            Member("acme/mail/core/Größe/lib.js".encode(), b"", flags=1 << 11 | 8),
        ]
    ),
    "from Windows, with a comment": lambda: zip_of(
        [
            Member(b"acme/", b"", mode=0, attributes=0x10, host=0),
            Member(b"acme/mail/service.json", b'{"name": "acme.mail"}', mode=0, attributes=0x20, host=0),
            Member("acme/mail/core/Größe/lib.js".encode(), b"", mode=0, host=0),
        ],
        comment=b"made by hand",
    ),
    "our own": lambda: write_archive(
        {"acme/mail/service.json": b'{"name": "acme.mail"}', "acme/mail/core/Größe/lib.js": b""}
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_archive_is_read(name: str) -> None:
    files = read_archive(HONEST[name]())

    assert files == {"acme/mail/service.json": b'{"name": "acme.mail"}', "acme/mail/core/Größe/lib.js": b""}


def test_a_whole_connector_of_the_largest_size_is_read_in_time_and_memory() -> None:
    members = [
        Member(f"acme/mail/m{n}/File.js".encode(), b"".join(b"line %d of %d;\n" % (each, n) for each in range(50_000)))
        for n in range(25)
    ]
    data = zip_of(members)
    tracemalloc.start()
    began = time.process_time()

    files = read_archive(data)

    took, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, files.values())) > 15 * MEBIBYTE
    assert took <= 1.0
    assert peak <= 64 * MEBIBYTE


@given(
    st.dictionaries(
        st.lists(st.text("abcÄß1-_", min_size=1, max_size=5), min_size=1, max_size=3).map("/".join),
        st.binary(max_size=2000),
        max_size=6,
    )
)
def test_what_is_written_reads_back_and_no_changed_byte_is_taken_for_it(files: dict[str, bytes]) -> None:
    data = write_archive(files)
    try:
        found = read_archive(data)
    except BadArchive:
        return  # names of it collide, or there are none

    assert found == files
    assert write_archive(dict(reversed(files.items()))) == data
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert {name: other.read(name) for name in other.namelist()} == files


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_an_archive_with_one_changed_byte_reads_as_the_same_or_is_refused(place: int, value: int) -> None:
    files = {"acme/a.js": b"content " * 30, "acme/b.js": struct.pack("<L", 7)}
    data = bytearray(write_archive(files))
    data[place % len(data)] = value

    try:
        found = read_archive(bytes(data))
    except BadArchive:
        return

    assert sorted(found.values()) == sorted(files.values())


def test_limits_can_be_tighter() -> None:
    data = zip_of([Member(b"a/b", b"12345", mode=FILE)])

    assert read_archive(data, replace(LIMITS, entry_bytes=5)) == {"a/b": b"12345"}
    with pytest.raises(BadArchive, match=r"a/b: It has 5 bytes, and 4 are allowed"):
        read_archive(data, replace(LIMITS, entry_bytes=4))


@pytest.mark.parametrize("paths", [("acme/Lib.js", "acme/lib.js"), ("acme/lib", "acme/lib/x.js"), ("A/x", "a/y")])
def test_files_that_cannot_lie_side_by_side_are_told(paths: tuple[str, ...]) -> None:
    with pytest.raises(BadArchive):
        check_together(paths)

    check_together(("acme/lib.js", "acme/mail/lib.js"))
