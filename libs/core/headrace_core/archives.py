"""Zip archives from strangers: every file in memory, or one refusal that says which entry breaks which rule.

The reader is our own, because the standard library believes what an archive says of itself, and older releases of it
even where two entries share the same bytes. Nothing is inflated before the whole directory has passed: names, kinds,
places, declared sizes. Inflating then stops at the declared size. Nothing is ever written to a disk here.
"""

import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NoReturn

from headrace_core.errors import BadRequest

MEBIBYTE: Final = 1024 * 1024

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_MARK, _ENTRY_MARK, _LOCAL_MARK = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_ZIP64_LOCATOR = b"PK\x06\x07"
_LONGEST_COMMENT = 65_535

_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIPTOR, _STRONG, _PATCHED, _MASKED = 1, 1 << 3, 1 << 6, 1 << 5, 1 << 13
_UNIX_HOSTS = frozenset({3, 19})  # Unix, macOS: the high half of the attributes is a mode
_DOS_DIRECTORY = 0x10
_EPOCH = 0x21  # 1 January 1980, the first day that the format knows

_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³")})
_NOT_IN_NAMES = frozenset('\\:*?"<>|')
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


class BadArchive(BadRequest):
    """An archive breaks a rule. `entry` is the path that does, "" where it is the archive itself."""

    def __init__(self, entry: str, message: str) -> None:
        super().__init__(f"{entry}: {message}" if entry else message, details={"entry": entry})
        self.entry = entry
        self.said = message


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold. Sizes in bytes; a ratio is inflated to packed."""

    archive_bytes: int = 10 * MEBIBYTE
    entry_bytes: int = 8 * MEBIBYTE
    total_bytes: int = 24 * MEBIBYTE
    entries: int = 4_000
    ratio: int = 200
    ratio_from_bytes: int = 256 * 1024
    path_characters: int = 240
    segment_bytes: int = 120
    depth: int = 16


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    at: int
    is_folder: bool


def read_archive(data: bytes, limits: Limits = LIMITS) -> dict[str, bytes]:
    """The files of a zip archive by path, ordered by path; folders have no entry of their own.

    Paths are relative, with single slashes, in NFC. Raises `BadArchive` at the first rule that is broken: encrypted or
    oddly packed entries, links and devices, names that lead elsewhere or cannot be kept everywhere, entries that
    share bytes or collide, contents that are not what the directory says, and anything over the limits.
    """
    if len(data) > limits.archive_bytes:
        _refuse("", f"The archive has {len(data)} bytes, and {limits.archive_bytes} are allowed.")
    entries, directory_at = _directory(data, limits)
    files = [entry for entry in entries if not entry.is_folder]
    _check_sizes(files, len(data), limits)
    _check_collisions((entry.path, entry.is_folder) for entry in entries)
    starts = _check_places(data, entries, directory_at)
    return {
        entry.path: _content(data, entry, starts[entry.path]) for entry in sorted(files, key=lambda each: each.path)
    }


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of the files, by path, with no times and no owners in it: of equal files it is equal bytes."""
    body, directory = bytearray(), bytearray()
    for path, content in sorted(files.items(), key=lambda each: each[0].encode()):
        name, packer = path.encode(), zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush()
        method = _DEFLATED if len(packed) < len(content) else _STORED
        packed = packed if method == _DEFLATED else content
        common = (20, 1 << 11, method, 0, _EPOCH, zlib.crc32(content), len(packed), len(content), len(name), 0)
        mode = (stat.S_IFREG | 0o644) << 16
        directory += _ENTRY.pack(_ENTRY_MARK, 3 << 8 | 20, *common, 0, 0, 0, mode, len(body)) + name
        body += _LOCAL.pack(_LOCAL_MARK, *common) + name + packed
    end = _END.pack(_END_MARK, 0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + end)


def check_together(paths: Iterable[str]) -> None:
    """Raises `BadArchive` where files cannot lie side by side on every system."""
    _check_collisions((path, False) for path in paths)


def check_path(path: str, limits: Limits = LIMITS) -> str:
    """What is wrong with a path of a file; "" when it can be kept everywhere and leads nowhere else."""
    if not path or path.startswith("/"):
        return "The path is absolute or empty. Write vendor/service/…"
    if len(path) > limits.path_characters:
        return f"The path has {len(path)} characters, and {limits.path_characters} are allowed."
    segments = path.split("/")
    if len(segments) > limits.depth:
        return f"The path is {len(segments)} folders deep, and {limits.depth} are allowed."
    return next((said for each in segments if (said := _wrong_segment(each, limits))), "")


def _wrong_segment(segment: str, limits: Limits) -> str:
    if segment in ("", ".", ".."):
        return "The path has an empty part, or one of dots that leads elsewhere."
    if len(segment.encode("utf-8", "surrogatepass")) > limits.segment_bytes:
        return f"A part of the path has more than {limits.segment_bytes} bytes."
    if any(unicodedata.category(each) in _UNSEEN for each in segment):
        return "The path holds characters that nobody can see."
    if not _NOT_IN_NAMES.isdisjoint(segment):
        return 'A path holds none of \\ : * ? " < > |, which mean something else on some systems.'
    if segment[-1] in ". " or segment[0] == " ":
        return "A part of the path begins with a space, or ends with a space or a dot."
    if segment.split(".", 1)[0].rstrip(" ").casefold() in _DEVICES:
        return f"{segment!r} is the name of a device on Windows."
    return ""


def _directory(data: bytes, limits: Limits) -> tuple[list[_Entry], int]:
    """Every entry of the directory at the end, and where the directory begins."""
    end_at = data.rfind(_END_MARK, max(0, len(data) - _END.size - _LONGEST_COMMENT))
    if end_at < 0 or end_at + _END.size > len(data):
        _refuse("", "It is no zip archive: there is no directory at its end.")
    _, disk, first_disk, here, total, size, at, comment = _END.unpack_from(data, end_at)
    if end_at + _END.size + comment != len(data):
        _refuse("", "There are bytes behind the end of the archive.")
    if disk or first_disk or here != total:
        _refuse("", "The archive is one part of several.")
    if data[max(0, end_at - 20) : end_at].startswith(_ZIP64_LOCATOR) or 0xFFFFFFFF in (size, at) or total == 0xFFFF:
        _refuse("", "The archive has the form for more than 4 GB. Pack it without.")
    if total > limits.entries:
        _refuse("", f"The archive has {total} entries, and {limits.entries} are allowed.")
    if total == 0:
        _refuse("", "The archive is empty.")
    if at + size != end_at:
        _refuse("", "The directory is not where the archive says it is.")
    entries, place = [], at
    for _ in range(total):
        entry, place = _entry(data, place, end_at, limits)
        entries.append(entry)
    if place != end_at:
        _refuse("", "There is more in the directory than the archive says.")
    return entries, at


def _entry(data: bytes, place: int, end_at: int, limits: Limits) -> tuple[_Entry, int]:
    if place + _ENTRY.size > end_at or data[place : place + 4] != _ENTRY_MARK:
        _refuse("", "The directory is cut short.")
    (_, made_by, _, flags, method, _, _, crc, packed, size, name_length, extra, comment, disk, _, attributes, at) = (
        _ENTRY.unpack_from(data, place)
    )
    name_at = place + _ENTRY.size
    after = name_at + name_length + extra + comment
    if after > end_at:
        _refuse("", "The directory is cut short.")
    name = _name(data[name_at : name_at + name_length])
    path, is_folder = name.rstrip("/") if name.endswith("/") and name.strip("/") else name, name.endswith("/")
    said = check_path(path, limits)
    if said or name.endswith("//"):
        _refuse(_shown(name), said or "The path has an empty part.")
    _check_kind(path, made_by >> 8, attributes, is_folder=is_folder, size=size)
    if flags & (_ENCRYPTED | _STRONG | _MASKED):
        _refuse(path, "The entry is encrypted.")
    if flags & _PATCHED or method not in (_STORED, _DEFLATED):
        _refuse(path, f"The entry is packed by method {method}. Use deflate, or none.")
    if 0xFFFFFFFF in (packed, size, at) or disk:
        _refuse(path, "The entry has the form for more than 4 GB, or lies in another part.")
    if path.casefold().endswith(_PACKED) and not is_folder:
        _refuse(path, "An archive lies within the archive. Unpack it, or leave it out.")
    return _Entry(path, flags, method, crc, packed, size, at, is_folder), after


def _name(raw: bytes) -> str:
    try:
        return unicodedata.normalize("NFC", raw.decode())
    except UnicodeDecodeError:
        _refuse(_shown(raw.decode("latin-1")), "The path is not UTF-8.")


def _check_kind(path: str, host: int, attributes: int, *, is_folder: bool, size: int) -> None:
    kind = stat.S_IFMT(attributes >> 16) if host in _UNIX_HOSTS else 0
    if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG):
        what = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder"}.get(kind, "a device, pipe or socket")
        _refuse(path, f"The entry is {what}. Only regular files can be in an archive.")
    if bool(attributes & _DOS_DIRECTORY) and not is_folder:
        _refuse(path, "The entry says that it is a folder and has the name of a file.")
    if is_folder and size:
        _refuse(path, "A folder has no content.")


def _check_sizes(files: Iterable[_Entry], archive_bytes: int, limits: Limits) -> None:
    total = 0
    for entry in files:
        total += entry.size_bytes
        if entry.size_bytes > limits.entry_bytes:
            _refuse(entry.path, f"It has {entry.size_bytes} bytes, and {limits.entry_bytes} are allowed for a file.")
        if total > limits.total_bytes:
            _refuse(entry.path, f"The files have more than the {limits.total_bytes} bytes that are allowed together.")
        if entry.size_bytes > limits.ratio_from_bytes and entry.size_bytes > entry.packed_bytes * limits.ratio:
            _refuse(entry.path, f"It grows to more than {limits.ratio} times its packed size.")
    if total > limits.ratio_from_bytes * 4 and total > archive_bytes * limits.ratio:
        _refuse("", f"The files grow to more than {limits.ratio} times the size of the archive.")


def _check_collisions(paths: Iterable[tuple[str, bool]]) -> None:
    """No two paths that are one on some system, and no file that is also a folder; folders say that they are."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path, is_folder in paths:
        parents = path.split("/")
        if not is_folder:
            key = _key(path)
            if key in files:
                other = files[key]
                same = "twice" if other == path else f"as {other!r} too, which is the same on some systems"
                _refuse(path, f"The path is there {same}.")
            files[key] = path
            parents.pop()
        for depth in range(1, len(parents) + 1):
            folder = "/".join(parents[:depth])
            other = folders.setdefault(_key(folder), folder)
            if other != folder:
                _refuse(path, f"The folder is there as {other!r} too, which is the same on some systems.")
    both = next((path for key, path in files.items() if key in folders), None)
    if both is not None:
        _refuse(both, "The path is a file and a folder.")


def _key(path: str) -> str:
    """Equal for paths that some system takes for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _check_places(data: bytes, entries: Iterable[_Entry], directory_at: int) -> dict[str, int]:
    """Where the packed bytes of each entry begin. No byte belongs to two entries, and none stands in front of them."""
    ranges: list[tuple[int, int, str]] = []
    starts: dict[str, int] = {}
    for entry in entries:
        start = _local_end(data, entry, directory_at)
        end = start + entry.packed_bytes
        if end > directory_at:
            _refuse(entry.path, "Its bytes reach into the directory.")
        ranges.append((entry.at, end, entry.path))
        starts[entry.path] = start
    ranges.sort()
    if ranges and ranges[0][0] != 0:
        _refuse("", "There are bytes in front of the first entry.")
    for (_, end, path), (begin, _, other) in pairwise(ranges):
        if begin < end:
            _refuse(other, f"It shares bytes with {path!r}.")
    return starts


def _local_end(data: bytes, entry: _Entry, directory_at: int) -> int:
    """Where the entry's own header ends; it must say what the directory says."""
    if entry.at + _LOCAL.size > directory_at or data[entry.at : entry.at + 4] != _LOCAL_MARK:
        _refuse(entry.path, "There is no entry where the directory says.")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra = _LOCAL.unpack_from(data, entry.at)
    name_at = entry.at + _LOCAL.size
    name = data[name_at : name_at + name_length].decode("utf-8", "replace").removesuffix("/")
    known = (entry.crc, entry.packed_bytes, entry.size_bytes)
    told_later = bool(flags & _DESCRIPTOR) and (crc, packed, size) in ((0, 0, 0), known)
    if unicodedata.normalize("NFC", name) != entry.path or (flags, method) != (entry.flags, entry.method):
        _refuse(entry.path, "The entry and the directory do not say the same of it.")
    if not told_later and (crc, packed, size) != known:
        _refuse(entry.path, "The entry and the directory do not say the same of its size.")
    end: int = name_at + name_length + extra
    return end


def _content(data: bytes, entry: _Entry, start: int) -> bytes:
    packed = memoryview(data)[start : start + entry.packed_bytes]
    content = bytes(packed) if entry.method == _STORED else _inflated(packed, entry)
    if len(content) != entry.size_bytes or zlib.crc32(content) != entry.crc:
        _refuse(entry.path, "Its content is not what the directory says: the checksum or the size differs.")
    return content


def _inflated(packed: memoryview, entry: _Entry) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(packed, entry.size_bytes + 1)
        if len(content) <= entry.size_bytes and not inflater.eof:
            content += inflater.decompress(inflater.unconsumed_tail, entry.size_bytes + 1 - len(content))
    except zlib.error:
        _refuse(entry.path, "Its content cannot be unpacked.")
    if not inflater.eof or inflater.unused_data:
        _refuse(entry.path, "Its content is longer or shorter than the directory says.")
    return content


def _shown(name: str) -> str:
    """A name as it can be shown: nothing in it acts on who reads it."""
    return name[:200].encode("ascii", "backslashreplace").decode().translate({i: f"\\x{i:02x}" for i in range(32)})


def _refuse(entry: str, message: str) -> NoReturn:
    raise BadArchive(entry[:240], message)
