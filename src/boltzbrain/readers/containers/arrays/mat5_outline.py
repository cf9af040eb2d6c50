"""What a MATLAB file before version 7.3 holds, walked through without keeping any of its numbers.

SciPy looks up what a number of a type stands for without asking whether there is such a type, and
a damaged one ends the program. Here the whole file is walked first: every tag, size, dimension and
field, against each other. Of what passes nothing is left for SciPy to trip over, and what lies in
structs and cells is known before any of it is loaded.

Layout: MAT-File Format, The MathWorks, "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# bytes of a number of each type of data
_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_MATRIX, _COMPRESSED = 14, 15
_CLASSES = {
    1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single",
    8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64",
    15: "uint64", 16: "function", 17: "opaque",
}  # fmt: skip
_COMPLEX, _LOGICAL = 0x08, 0x02
_PIECE, _MOST_AXES, _LONGEST_NAME = 1 << 16, 16, 1 << 16
_MOST_NODES, _DEEPEST = 1_000_000, 12


@dataclass(frozen=True)
class Node:
    """A variable, a field or a cell.

    Attributes
    ----------
    name
        Of a variable; "" of what lies inside one.
    kind
        MATLAB's class, "logical" of its kind of uint8, "complex" of any complex numbers.
    shape
        Its dimensions.
    fields
        Names of the fields of a struct.
    inside
        Cells in MATLAB's order (down the columns); of a struct the fields of one after the other.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    fields: tuple[str, ...] = ()
    inside: tuple[Node, ...] = ()

    def loadable(self) -> bool:
        """Return whether nothing in it is a kind of object that was not walked through."""
        return self.kind != "opaque" and all(one.loadable() for one in self.inside)


def outline(path: Path) -> list[Node]:
    """Return the variables of a file.

    Raises
    ------
    ValueError, OSError, zlib.error, struct.error
        If it is damaged.
    """
    nodes: list[Node] = []
    with path.open("rb") as stream:
        order = "<" if stream.read(128)[126:128] == b"IM" else ">"
        end = path.stat().st_size
        while stream.tell() < end:
            kind, size = struct.unpack(order + "II", stream.read(8))
            start = stream.tell()
            if size > end - start:
                raise ValueError(f"an element that ends {start + size - end:,} bytes too late")
            if kind == _COMPRESSED:
                inner = _Bytes(_inflated(stream, size), order)
                kind, own = inner.words("II")
            else:
                inner, own = _Bytes(_pieces(stream, size), order), size
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind}")
            walk = _Walk(inner)
            nodes.append(walk.matrix(own, 0))
            if inner.rest():
                raise ValueError("bytes after the end of a variable")
            stream.seek(start + size)
    return nodes


def variable_names(path: Path) -> tuple[str, ...]:
    """Return the variables of a file, and the fields of its structs with a dot; none if damaged."""
    try:
        nodes = outline(path)
    except (ValueError, OSError, zlib.error, struct.error):
        return ()
    names = [(node.name, *(f"{node.name}.{field}" for field in node.fields)) for node in nodes]
    return tuple(name for each in names for name in each)


def _pieces(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = stream.read(min(_PIECE, size))
        if not piece:
            raise ValueError("an end too soon")
        size -= len(piece)
        yield piece


def _inflated(stream: IO[bytes], size: int) -> Iterator[bytes]:
    unpacking = zlib.decompressobj()
    for piece in _pieces(stream, size):
        rest = piece
        while rest:
            yield unpacking.decompress(rest, _PIECE)
            rest = unpacking.unconsumed_tail
    yield unpacking.flush()
    if not unpacking.eof:
        raise ValueError("a compressed variable that ends too soon")


class _Bytes:
    """Bytes that are read once from first to last, in small pieces."""

    def __init__(self, pieces: Iterator[bytes], order: str) -> None:
        self._source, self.order = pieces, order
        self._held, self._at, self.place = b"", 0, 0

    def _fill(self) -> bool:
        while self._at == len(self._held):
            piece = next(self._source, None)
            if piece is None:
                return False
            self._held, self._at = piece, 0
        return True

    def skip(self, count: int) -> None:
        """Pass over bytes.

        Raises
        ------
        ValueError
            If there are not as many.
        """
        self.place += count
        while count:
            if not self._fill():
                raise ValueError("an end too soon")
            step = min(count, len(self._held) - self._at)
            self._at, count = self._at + step, count - step

    def take(self, count: int) -> bytes:
        """Return the next bytes, a few."""
        parts = []
        while count:
            if not self._fill():
                raise ValueError("an end too soon")
            part = self._held[self._at : self._at + count]
            parts.append(part)
            self._at, self.place, count = (
                self._at + len(part), self.place + len(part), count - len(part),
            )  # fmt: skip
        return b"".join(parts)

    def words(self, form: str) -> tuple[int, ...]:
        """Return the next whole numbers."""
        return struct.unpack(self.order + form, self.take(struct.calcsize("=" + form)))

    def rest(self) -> bool:
        """Return whether any byte is left."""
        return self._fill()


class _Walk:
    """Walks through one variable."""

    def __init__(self, source: _Bytes) -> None:
        self.source, self.nodes = source, 0

    def matrix(self, size: int, depth: int) -> Node:
        """Walk through a matrix of as many bytes, whose tag was read, and return what it is."""
        self.nodes += 1
        if self.nodes > _MOST_NODES or depth > _DEEPEST:
            raise ValueError("too many cells or fields, or too deep in each other")
        if not size:
            return Node("", "double", (0, 0))
        end = self.source.place + size
        flags = self._small((6,), 8, 8)
        word = struct.unpack(self.source.order + "II", flags)[0]
        kind = _CLASSES.get(word & 0xFF)
        if kind is None:
            raise ValueError(f"a variable of class {word & 0xFF}")
        if kind == "opaque":  # without dimensions
            self.source.skip(end - self.source.place)
            return Node("", kind, ())
        dims = self._small((5, 6), 8, 4 * _MOST_AXES)  # some writers take the unsigned type
        shape = struct.unpack(f"{self.source.order}{len(dims) // 4}i", dims)
        if len(dims) % 4 or min(shape) < 0:
            raise ValueError(f"dimensions {shape}")
        name = self._small((1, 2, 16), 0, _LONGEST_NAME).decode("utf-8", "replace")
        node = self._content(name, kind, shape, word >> 8, depth)
        if self.source.place != end:
            raise ValueError(f"a variable {name} of another size than it says")
        return node

    def _content(
        self, name: str, kind: str, shape: tuple[int, ...], flags: int, depth: int
    ) -> Node:
        count = math.prod(shape)
        if kind in ("cell", "function"):
            inside = tuple(self._inner(depth) for _ in range(count if kind == "cell" else 1))
            return Node(name, kind, shape, (), inside)
        if kind in ("struct", "object"):
            if kind == "object":
                self._small((1, 2, 16), 0, _LONGEST_NAME)
            (width,) = struct.unpack(self.source.order + "i", self._small((5,), 4, 4))
            names = self._small((1, 2, 16), 0, _LONGEST_NAME)
            if width < 1 or len(names) % width:
                raise ValueError(f"{len(names)} bytes of field names of {width}")
            fields = tuple(
                names[at : at + width].split(b"\0")[0].decode("utf-8", "replace")
                for at in range(0, len(names), width)
            )
            if not all(fields):
                raise ValueError(f"field names {fields}")
            inside = tuple(self._inner(depth) for _ in range(count * len(fields)))
            return Node(name, kind, shape, fields, inside)
        if kind == "char":
            self._numbers(None)
            return Node(name, kind, shape)
        if kind == "sparse":
            if len(shape) != 2:
                raise ValueError(f"a sparse matrix of dimensions {shape}")
            self._numbers(None)
            self._numbers(shape[1] + 1)
            count = self._numbers(None, whole=False)  # logical ones are said to be doubles
        else:
            self._numbers(count)
        if flags & _COMPLEX:
            self._numbers(count)
            return Node(name, "complex", shape)
        return Node(name, "logical" if flags & _LOGICAL and kind == "uint8" else kind, shape)

    def _inner(self, depth: int) -> Node:
        kind, size = self.source.words("II")
        if kind != _MATRIX:
            raise ValueError(f"a cell or field of type {kind}")
        return self.matrix(size, depth + 1)

    def _tag(self, whole: bool = True) -> tuple[int, int, int]:
        """Return type and size of an element, and how many bytes follow to its end."""
        (word,) = self.source.words("I")
        if word >> 16:  # a small one: type, size and content in eight bytes
            kind, size, room = word & 0xFFFF, word >> 16, 4
            if size > room:
                raise ValueError(f"a small element of {size} bytes")
        else:
            kind, (size,) = word, self.source.words("I")
            room = -(-size // 8) * 8
        if kind not in _SIZES or (whole and size % _SIZES[kind]):
            raise ValueError(f"{size} bytes of type {kind}")
        return kind, size, room

    def _small(self, kinds: tuple[int, ...], least: int, most: int) -> bytes:
        """Return the content of a short element."""
        kind, size, room = self._tag()
        if kind not in kinds or not least <= size <= most:
            raise ValueError(f"{size} bytes of type {kind}, where others are due")
        return self.source.take(room)[:size]

    def _numbers(self, count: int | None, whole: bool = True) -> int:
        """Pass over numbers, as many as there must be, and return how many there were."""
        kind, size, room = self._tag(whole)
        found = size // _SIZES[kind]
        if count is not None and found != count:
            raise ValueError(f"{found:,} numbers where there are to be {count:,}")
        self.source.skip(room)
        return found
