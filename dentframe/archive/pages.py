"""The pages of a Parquet column say how large they are; here that is held against the footer.

A reader makes room for what a page's own header says. In a file without checksums that may be
2 GB where the footer promises a few kB. Headers are Thrift structs in the compact protocol:
https://github.com/apache/parquet-format, ``PageHeader``.
"""

from __future__ import annotations

_FALSE_TRUE, _BYTE, _INTS, _DOUBLE, _BINARY, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, 12
_DEEPEST = 8


def unpacked(data: memoryview) -> int:
    """What the pages of one column of one row group say that they unpack to [B].

    Raises
    ------
    ValueError
        Where these bytes are no pages one after the other.
    """
    at = total = 0
    try:
        while at < len(data):
            sizes, at = _struct(data, at)
            large, small = sizes[2], sizes[3]
            if large < 0 or small < 0 or at + small > len(data):
                raise ValueError(f"a page says that it has {small} bytes and unpacks to {large}")
            total, at = total + large, at + small
    except (IndexError, KeyError):
        raise ValueError("the header of a page is cut off or no header") from None
    return total


def _struct(data: memoryview, at: int, depth: int = 0) -> tuple[dict[int, int], int]:
    """The whole numbers of a struct by their field, and where it ends."""
    found: dict[int, int] = {}
    number = 0
    while data[at]:
        delta, kind = divmod(data[at], 16)
        at += 1
        if delta:
            number += delta
        else:
            number, at = _whole(data, at)
        if kind in _INTS:
            found[number], at = _whole(data, at)
        else:
            at = _after(data, at, kind, depth)
    return found, at + 1


def _after(data: memoryview, at: int, kind: int, depth: int) -> int:
    """Where a value that is no whole number ends."""
    if kind in _FALSE_TRUE:
        return at
    if kind == _BYTE:
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind == _STRUCT and depth < _DEEPEST:
        return _struct(data, at, depth + 1)[1]
    raise ValueError(f"the header of a page has a value of kind {kind}")


def _whole(data: memoryview, at: int) -> tuple[int, int]:
    """A signed number in zigzag, and where it ends."""
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    raise ValueError("the header of a page has a number of more than ten bytes")
