"""A form with a file, as a browser sends it, with limits on all of its parts."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from taxiway.errors import TerminalError, allowed_values

FORMATS = (".csv", ".parquet")
MAX_FILE_BYTES = 16 * 1024 * 1024
"""How many bytes a form with a file may have."""
_MAX_FIELDS = 20
_MAX_FIELD_BYTES = 32 * 1024
_LONGEST_NAME = 100


class InvalidFormError(TerminalError):
    """A field of a form cannot be used."""


@dataclass(frozen=True)
class Upload:
    """A file that a person has sent.

    Attributes:
        name: Its name, for messages.
        suffix: The ending of its name, one of `FORMATS`.
        content: Its bytes.
    """

    name: str
    suffix: str
    content: bytes


async def read_upload(request: Request) -> tuple[dict[str, str], Upload]:
    """Read a form with a file in the field `file`.

    Raises:
        InvalidFormError: The form is too large or not as a browser sends it, or the file is missing or of another format.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data;"):
        raise InvalidFormError("this is not a form with a file as a browser sends it (multipart/form-data)")
    parser = MultiPartParser(
        request.headers, _limited(request), max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:
        raise InvalidFormError(f"this is not a form with a file as a browser sends it: {error}") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise InvalidFormError("the field file is empty; choose a file with labels", key="file")
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        return fields, Upload(*_name(file.filename), await file.read())
    finally:
        await form.close()


def _name(text: str) -> tuple[str, str]:
    """The name of a file without its folders, and its ending."""
    path = PurePosixPath("".join(sign for sign in text if sign.isprintable()).replace("\\", "/"))
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InvalidFormError(
            f"the file {path.name[-_LONGEST_NAME:]} ends in {suffix or 'nothing'}; {allowed_values(suffix, FORMATS)}",
            key="file",
            got=suffix,
            allowed=FORMATS,
        )
    return path.name[-_LONGEST_NAME:], suffix


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise InvalidFormError(
                f"the file has more than {MAX_FILE_BYTES // 1024**2} MiB; import it in parts, or with taxiway label import",
                key="file",
            )
        yield chunk
