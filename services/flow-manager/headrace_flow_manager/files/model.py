"""Files: contents that users upload and components make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

CHUNK_BYTES = 1024 * 1024
MAX_FILENAME = 255
DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a finished file."""

    file_id: str
    tenant_id: str
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    uploaded_at: datetime
    metadata: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is being written."""

    upload_id: str
    file_id: str
    tenant_id: str
    filename: str
    content_type: str
    metadata: Mapping[str, Json]
    opened_at: datetime


def check_filename(filename: str) -> str:
    """The name itself. Raises ValidationFailed when it cannot be one."""
    if not 1 <= len(filename) <= MAX_FILENAME or any(ord(char) < 32 for char in filename):
        fix = f"Use 1 to {MAX_FILENAME} characters and no control characters."
        raise ValidationFailed([Problem("filename", "The file's name cannot be used.", fix)])
    return filename
