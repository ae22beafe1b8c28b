"""The files that a model of a team's own class may have: data, and nothing that can run code."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest

from taxiway.models import artifacts
from taxiway.models.artifacts import code_in


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def dumped(compress: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump({"x": np.arange(3)}, file, compress=compress)
    return file.getvalue()


PICKLE = pickle.dumps({"x": [1, 2]})


LONG_PICKLE = pickle.dumps(["x" * 100_000, code_in], 0)


CALL = b"cposix\nsystem\n(S'true'\ntR"


def with_header(description: str) -> bytes:
    """A NumPy file with a header of another hand than NumPy's."""
    header = f"{{'descr': {description}, 'fortran_order': False, 'shape': (1,), }}".encode()
    return b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + PICKLE


def in_lzma(dict_size: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": dict_size}]
    return lzma.compress(PICKLE, format=lzma.FORMAT_ALONE, filters=filters)


def repr_of(value: object) -> str | None:
    """The name of a parameter: the number of bytes, because compressed ones have the time in them."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        *(("m.bin", pickle.dumps({"x": bytes(100_000)}, protocol), "is a pickle") for protocol in (2, 3, 4, 5)),
        ("m.json", pickle.dumps(None), "is a pickle"),
        *(
            ("m.txt", pickle.dumps([code_in, "x" * size], protocol), "is a pickle")
            for protocol in (0, 1)
            for size in (1, 100_000)
        ),
        ("m.gz", gzip.compress(pickle.dumps([code_in], 0)), "is a pickle"),
        ("m.gz", gzip.compress(LONG_PICKLE), "is a pickle"),
        ("m.gz", gzip.compress(b"") + gzip.compress(LONG_PICKLE), "is a pickle"),
        ("m.gz", gzip.compress(b"a,b\n" * 1000)[:-9], "is a compressed file that is damaged"),
        ("m.zip", zipped(x=LONG_PICKLE), "is a pickle"),
        ("m.gz", gzip.compress(zipped(x=LONG_PICKLE)), "is a pickle"),
        ("m.bin", LONG_PICKLE + zipped(x=b"1"), "is a pickle"),
        ("m.bin", b"\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.", "is a pickle"),
        *(
            ("m.bin", start + CALL + end, "is a pickle")
            for start in (b"", b"I0x10\n0", b"S'\xff'\n0", b"(0")
            for end in (b".", b"\xff", b"")
        ),
        ("m.bin", b"(S'true'\niposix\nsystem\n\xff", "is a pickle"),
        ("m.bin", b"(cposix\nsystem\nS'true'\no\xff", "is a pickle"),
        ("m.bin", b"\x82\x01)\x81\xff", "is a pickle"),
        *(
            ("m.npy", with_header(kind), "array of objects")
            for kind in ("'O'", "'=O'", "'\\x4f'", "[('a', '<i8'), ('b', 'O')]")
        ),
        ("m.npy", with_header("1 +"), "header cannot be read"),
        *(("m.joblib", in_lzma(size), "is a pickle") for size in (4097, 65536 + 256)),
        ("m.joblib", b"ZF" + hex(9).ljust(19).encode() + b"x", "a file of an old joblib"),
        ("m.h5", bytes(1024) + b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("m.joblib", dumped(0), "is a pickle"),
        *(("m.joblib", dumped(kind), "is a pickle") for kind in (3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3))),
        (
            "m.pt",
            zipped(**{"archive/data.pkl": PICKLE, "archive/data/0": bytes(8)}),
            "a file in it, archive/data.pkl, that is a pickle",
        ),
        ("m.bin", zipped(x=gzip.compress(PICKLE)), "is a pickle"),
        ("m.bin", zipped(x=zipped(y=PICKLE)), "the archive x in it"),
        ("m.npy", npy(np.array([{}])), "array of objects"),
        ("m.npy", npy(np.array([(1, {})], dtype=[("a", int), ("b", object)])), "array of objects"),
        ("m.npz", zipped(**{"a.npy": npy(np.array([{}]))}), "array of objects"),
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        ("m.so", b"x", "is code"),
        ("m.bin", b"\x7fELF" + bytes(100), "is code"),
        ("net.py", b"x = 1", "is code"),
        ("m.zip", zipped(**{"net.pyc": b"x"}), "has code in it, net.pyc"),
        ("m.lz4", b"\x04\x22\x4d\x18" + bytes(20), "LZ4"),
        ("m.tar", bytes(257) + b"ustar" + bytes(300), "tar archive"),
        ("m.zip", zipped(x=b"a" * 100)[:-30] + zipped(x=b"b")[-22:], "cannot be read"),
    ],
    ids=repr_of,
)
def test_files_that_can_run_code_are_no_artifacts(name: str, content: bytes, words: str) -> None:
    assert words in code_in(name, content)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"a": 1}).encode(),
        "Zürich".encode(),
        b"",
        b"\x80",
        npy(np.arange(3)),
        npy(np.array(["text"])),
        zipped(**{"a.npy": npy(np.arange(3))}),
        *(opened(b"a,b\n1,2\n") for opened in (gzip.compress, bz2.compress, lzma.compress)),
        b"x^2 is no zlib",
        *(b"cat\ndog\n", b"columns\n" * 20_000, b"0.", b"1.5", b"(1.)", b"i\n" * 50_000, b"."),
        *(b"cat\ndog\nbird\nred\n", b"cat\ndog\nRed\n", b"pig\ncow\nhen\ncat\ndog\nbee\n", b"sam\nSam\ncat\ndog\nRed"),
        *(opened(b"a,b\n1,2\n" * 100_000) for opened in (gzip.compress, bz2.compress, lzma.compress, zlib.compress)),
        gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n") + bytes(512),
        b"PAR1" + bytes(20),
        # The length of a header of safetensors is its first eight bytes; some begin as a pickle does.
        *((length.to_bytes(8, "little") + b'{"w":' + b" " * length) for length in (640, 0x380, 0x480, 0x580, 0x280280)),
    ],
    ids=repr_of,
)
def test_data_are_artifacts(content: bytes) -> None:
    assert code_in("weights.bin", content) == ""


@pytest.mark.parametrize("packed", [gzip.compress, lambda content: zipped(x=content, y=content)])
def test_a_small_file_that_becomes_large_is_no_artifact(
    monkeypatch: pytest.MonkeyPatch, packed: Callable[[bytes], bytes]
) -> None:
    content = packed(bytes(600_000))
    assert code_in("weights.bin", content) == ""
    monkeypatch.setattr(artifacts, "MAX_BYTES", 599_999)
    assert "is more than 599,999 bytes when it is decompressed" in code_in("weights.bin", content)
