"""What files and uploads are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headrace_core import Json
from headrace_core.errors import BadRequest, Problem, ValidationFailed

from headrace_flow_manager import json_text

MAX_CHUNK_BYTES: Final = 1024 * 1024
MAX_CHUNKS: Final = 20_000
MAX_FILENAME: Final = 255
MAX_CONTENT_TYPE: Final = 255
MAX_METADATA_BYTES: Final = 64 * 1024
DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"

_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+*-]+(\s*;[\x20-\x7e]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Description:
    """What the maker says about a file."""

    filename: str
    content_type: str
    metadata: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class File:
    """One file with its finished content. `content_id` is the upload that brought it."""

    file_id: str
    tenant_id: str
    description: Description
    size_bytes: int
    sha256: str
    content_id: str
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """Content on its way. `writes` grows with every chunk."""

    upload_id: str
    file_id: str
    description: Description
    writes: int


@dataclass(frozen=True, slots=True)
class Digest:
    """What the chunks of an upload come to, after so many writes."""

    size_bytes: int
    sha256: str
    writes: int


def check_file_id(file_id: str) -> str:
    """The id itself. Raises BadRequest when a caller chose one that is not allowed."""
    if not _FILE_ID.fullmatch(file_id):
        raise BadRequest("A file id has 1 to 64 letters, digits, hyphens and underscores. Use a UUID.")
    return file_id


def describe(filename: str, content_type: str, metadata: Mapping[str, Json]) -> Description:
    """A description that keeps the rules. Raises ValidationFailed or TooLarge."""
    problems = []
    if not 1 <= len(filename) <= MAX_FILENAME or any(ord(each) < 32 or ord(each) == 127 for each in filename):
        said = f"A file name has 1 to {MAX_FILENAME} characters that can be seen."
        problems.append(Problem("filename", said, field="filename"))
    if content_type and (len(content_type) > MAX_CONTENT_TYPE or not _CONTENT_TYPE.fullmatch(content_type)):
        problems.append(Problem("contentType", "It is no MIME type.", "Write type/subtype.", field="contentType"))
    if problems:
        raise ValidationFailed(problems)
    json_text.limited(json_text.encode(dict(metadata)), MAX_METADATA_BYTES, "metadata")
    return Description(filename, content_type or DEFAULT_CONTENT_TYPE, metadata)
