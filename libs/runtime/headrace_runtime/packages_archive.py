"""Archives of npm packages: made by us at publishing, read by who runs the bundle. A tar of regular files, in gzip."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from headrace_core.errors import BadRequest

MIB: Final = 1024 * 1024
MAX_FILES: Final = 60_000
MAX_BYTES: Final = 512 * MIB
MAX_ARCHIVE_BYTES: Final = 96 * MIB


class TooMuch(ValueError):
    """The packages are more than what is kept."""


def pack(root: Path, files: Iterable[Path]) -> bytes:
    """The files under `root` by their paths below it, of equal files equal bytes. Raises TooMuch."""
    listed = sorted(files)
    if len(listed) > MAX_FILES:
        raise TooMuch(f"Its packages have {len(listed)} files, and {MAX_FILES} are allowed.")
    total = sum(each.stat().st_size for each in listed)
    if total > MAX_BYTES:
        raise TooMuch(f"Its packages have {total} bytes, and {MAX_BYTES} are allowed.")
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in listed:
            entry = tarfile.TarInfo(file.relative_to(root).as_posix())
            entry.size, entry.mode = file.stat().st_size, 0o444
            with file.open("rb") as content:
                archive.addfile(entry, content)
    if packed.tell() > MAX_ARCHIVE_BYTES:
        raise TooMuch(f"Its packages have {packed.tell()} bytes when packed, and {MAX_ARCHIVE_BYTES} are allowed.")
    return packed.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write what `pack` packed below the folder, and nothing anywhere else. Raises BadRequest for what it did not."""
    count = total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r|gz") as packed:
            for entry in packed:
                count, total = count + 1, total + entry.size
                if not entry.isreg() or count > MAX_FILES or total > MAX_BYTES:
                    raise BadRequest("The archive of packages holds something else than files, or too much.")
                packed.extract(entry, folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadRequest(f"The archive of packages cannot be unpacked: {error}") from error
