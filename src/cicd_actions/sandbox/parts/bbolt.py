"""A bbolt database file, written in one go.

The file consists of pages of PAGE bytes, all numbers little-endian. Pages 0 and 1 hold the two copies of the meta
record, page 2 an empty list of free pages, and each further page starts a leaf: a sorted list of key-value pairs. A
pair's value may be a bucket: the number of its own leaf page, or, where that is 0, the leaf itself. A leaf longer than
a page runs on into the next ones, so no branch pages are needed. Source: the bbolt file format, version 2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Tree: TypeAlias = Mapping[str, "bytes | Tree"]

PAGE = 4096
_MAGIC, _VERSION = 0xED0CDAED, 2
_LEAF, _META, _FREELIST = 0x02, 0x04, 0x10
_BUCKET = 0x01
_FIRST_LEAF = 3
_HEAD = 16
_MAX_INLINE = PAGE // 4
_MAX_PAIRS = 0xFFFF


def encode(tree: Tree) -> bytes:
    """The bbolt file that holds the tree: mappings become buckets. The same tree gives the same bytes."""
    pages = bytearray()

    def store(bucket: Tree, *, inline: bool) -> bytes:
        pairs = [
            (key.encode(), node, 0) if isinstance(node, bytes) else (key.encode(), store(node, inline=True), _BUCKET)
            for key, node in bucket.items()
        ]
        body = _leaf(sorted(pairs))
        if inline and _HEAD + len(body) <= _MAX_INLINE and not any(flags for _, _, flags in pairs):
            return struct.pack("<2Q", 0, 0) + struct.pack("<QHHI", 0, _LEAF, len(pairs), 0) + body
        number = _FIRST_LEAF + len(pages) // PAGE
        pages.extend(_page(number, _LEAF, body, count=len(pairs)))
        return struct.pack("<2Q", number, 0)

    root, _ = struct.unpack("<2Q", store(tree, inline=False))
    end = _FIRST_LEAF + len(pages) // PAGE
    return _meta(0, root, end) + _meta(1, root, end) + _page(2, _FREELIST) + bytes(pages)


def _leaf(pairs: Sequence[tuple[bytes, bytes, int]]) -> bytes:
    if len(pairs) > _MAX_PAIRS:
        raise ValueError(f"{len(pairs)} keys in one bucket; at most {_MAX_PAIRS} fit")
    heads, data = bytearray(), bytearray()
    for index, (key, value, flags) in enumerate(pairs):
        offset = _HEAD * (len(pairs) - index) + len(data)  # counted from this pair's own head
        heads += struct.pack("<4I", flags, offset, len(key), len(value))
        data += key + value
    return bytes(heads + data)


def _page(number: int, kind: int, body: bytes = b"", *, count: int = 0) -> bytes:
    """One page, with as many overflow pages as its body needs."""
    size = -(-(_HEAD + len(body)) // PAGE) * PAGE
    return (struct.pack("<QHHI", number, kind, count, size // PAGE - 1) + body).ljust(size, b"\0")


def _meta(number: int, root: int, end: int) -> bytes:
    record = struct.pack("<4I5Q", _MAGIC, _VERSION, PAGE, 0, root, 0, 2, end, number)
    return _page(number, _META, record + struct.pack("<Q", _fnv1a(record)))


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
