"""Ids of requests: UUIDs of version 7, which begin with the time, so the day of a request is known from its id."""

import os
import uuid


def new_request_id(at: float) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits.

    Args:
        at: When the request was received, in seconds since 1970.
    """
    milliseconds = int(at * 1000) & (1 << 48) - 1
    random = int.from_bytes(os.urandom(10)) & (1 << 74) - 1
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1).hex


def time_of(request_id: str) -> float | None:
    """When a request was received, in seconds since 1970; None if it is not the id of a request."""
    try:
        parsed = uuid.UUID(hex=request_id)
    except ValueError:
        return None
    return (parsed.int >> 80) / 1000 if parsed.hex == request_id and parsed.version == 7 else None
