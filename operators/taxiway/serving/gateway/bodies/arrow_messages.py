"""Checks the messages of an Arrow IPC stream before Arrow decodes them, so that nothing is decompressed.

Arrow has no option that refuses compressed buffers, and a buffer of some bytes can claim to have terabytes. The fields of a message
are those of https://github.com/apache/arrow/blob/main/format/Message.fbs, in FlatBuffers' encoding
(https://flatbuffers.dev/internals/).
"""

import struct
from typing import TYPE_CHECKING

from taxiway.errors import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

_V5 = 4  # the version of the metadata, since Arrow 1.0; older versions could compress in another way
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_VERSION, _HEADER_TYPE, _HEADER = 0, 1, 2  # the fields of a Message
_DICTIONARY_DATA, _DICTIONARY_IS_DELTA = 1, 2  # of a DictionaryBatch
_COMPRESSION = 3  # of a RecordBatch


def require_plain_messages(body: bytes) -> None:
    """Check that the messages of a stream are neither compressed nor additions to dictionaries.

    Args:
        body: The stream.

    Raises:
        RequestError: 400 if one is, or has an old version.
        pyarrow.ArrowException: The stream is damaged.
    """
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(body):
        _require_plain(message)


def _require_plain(message: "pa.ipc.Message") -> None:
    metadata = memoryview(message.metadata)  # Arrow has verified that all offsets are within it
    root = struct.unpack_from("<I", metadata)[0]
    if _number(metadata, root, _VERSION, "<h") != _V5:
        raise RequestError(400, "the Arrow stream has a format from before Arrow 1.0; write it with a later version")
    kind = _number(metadata, root, _HEADER_TYPE, "<B")
    if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH):
        return
    batch = _table(metadata, root, _HEADER)
    if kind == _DICTIONARY_BATCH:
        if _number(metadata, batch, _DICTIONARY_IS_DELTA, "<?"):
            raise RequestError(400, "the Arrow stream adds to a dictionary; write it without delta dictionaries")
        batch = _table(metadata, batch, _DICTIONARY_DATA)
    if _place(metadata, batch, _COMPRESSION):
        raise RequestError(400, "the Arrow stream has compressed buffers; write it without compression")


def _place(metadata: memoryview, table: int, field: int) -> int:
    """Where a field of a table is; 0 if the table does not have it."""
    offsets = table - struct.unpack_from("<i", metadata, table)[0]
    entry = 4 + 2 * field
    if entry >= struct.unpack_from("<H", metadata, offsets)[0]:
        return 0
    offset = struct.unpack_from("<H", metadata, offsets + entry)[0]
    return table + offset if offset else 0


def _number(metadata: memoryview, table: int, field: int, form: str) -> int:
    place = _place(metadata, table, field)
    return int(struct.unpack_from(form, metadata, place)[0]) if place else 0


def _table(metadata: memoryview, table: int, field: int) -> int:
    place = _place(metadata, table, field)
    if not place:
        raise RequestError(400, "the Arrow stream has a message without content")
    return place + int(struct.unpack_from("<I", metadata, place)[0])
