"""The text of a PDF file, page by page."""

from __future__ import annotations

import io
import zlib

from headrace_sdk import CancelError
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from headrace_connectors.utils import watching
from headrace_connectors.utils.converters import documents

MAX_PAGES = 5_000
MAX_TEXT = 16 * 1024 * 1024
SECONDS = 60.0

_UNREADABLE = (
    PyPdfError,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the library raises for broken files: whatever its parts make of them."""


def text(content: bytes, *, seconds: float = SECONDS) -> str:
    """The text of all pages, with an empty line between two.

    Raises `CancelError` for what is no PDF or opens with a password only, and for one that is too large or takes
    too long to read.
    """
    documents.check_size(len(content))
    with watching.limited(seconds, "Reading the PDF"):
        try:
            return _read(content)
        except _UNREADABLE as error:
            raise CancelError(f"The file is no PDF that can be read: {error}.") from error


def _read(content: bytes) -> str:
    if b"%PDF-" not in content[:1024]:
        raise CancelError("The file is no PDF: it does not begin with %PDF-.")
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise CancelError("The PDF opens with a password only: save it without one.")
    if len(reader.pages) > MAX_PAGES:
        raise CancelError(f"The PDF has {len(reader.pages)} pages; at most {MAX_PAGES} are read.")
    pages: list[str] = []
    size = 0
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        size += len(pages[-1])
        if size > MAX_TEXT:
            raise CancelError(f"The PDF has more than {MAX_TEXT} characters of text: split it.")
    return "\n\n".join(pages)
