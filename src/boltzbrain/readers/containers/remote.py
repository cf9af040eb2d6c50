"""HDF5 files on a web server, read in pieces by HTTP range requests, so that little is fetched.

Small reads come from blocks that are kept for a while: the tables of a file, which lie close
together, cost few requests. Reads that follow each other fetch ever more at a time, and long ones
go straight into the reader's array. The libraries remfile and fsspec do as much, but for what this
one is for: a file that changes while it is read, a server that sends the whole in place of a part
and an answer cut short are refused, in one sentence.
"""

from __future__ import annotations

import http.client
import io
import re
import urllib.error
import urllib.request
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from boltzbrain.foundations.checks import bad_input

_BLOCK = 1 << 19
_KEPT = 128
_AHEAD = 32
_PIECE = 1 << 24
_TIMEOUT_S = 60.0
_TRIES = 3
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True)
class Address:
    """A file on a web server, http or https."""

    url: str

    def __str__(self) -> str:
        """Return the address as it was given."""
        return self.url


def is_address(path: object) -> bool:
    """Return whether a path is an address on the web.

    Examples
    --------
    >>> is_address("https://example.org/session.nwb"), is_address("session.nwb")
    (True, False)
    """
    if isinstance(path, Address):
        return True
    return isinstance(path, str) and path.lower().startswith(("http://", "https://"))


class RemoteFile(io.RawIOBase):
    """A file on a web server, to be read and never written.

    Parameters
    ----------
    url
        Its address.

    Raises
    ------
    InputError
        On opening and on every read, if the server does not answer, has no such file, does not send
        parts of files, or has another file than before.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.size = -1
        self._tag = ""
        self._place = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next, self._ahead = -1, 1
        self._blocks[0] = bytes(self._fetch(0, _BLOCK))

    def __repr__(self) -> str:
        """Return the address; the HDF5 library takes it for the name of the file."""
        return self.url

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the place on, and return how many bytes there were."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self.size - self._place))
        done = 0
        while done < wanted:
            place, left = self._place, wanted - done
            if left >= 4 * _BLOCK:
                part: bytes | memoryview = self._fetch(place, place + min(left, _PIECE))
            else:
                number, offset = divmod(place, _BLOCK)
                part = memoryview(self._block(number))[offset : offset + left]
            view[done : done + len(part)] = part
            done += len(part)
            self._place += len(part)
        return wanted

    def _block(self, number: int) -> bytes:
        """Return a block, and fetch it, with some that follow, where it is not kept."""
        if number not in self._blocks:
            self._ahead = min(2 * self._ahead, _AHEAD) if number == self._next else 1
            stop = number + 1
            while stop < number + self._ahead and stop not in self._blocks:
                stop += 1
            found = self._fetch(number * _BLOCK, stop * _BLOCK)
            for one in range(number, stop):
                piece = found[(one - number) * _BLOCK : (one - number + 1) * _BLOCK]
                if piece:
                    self._blocks[one] = bytes(piece)
            self._next = stop
            while len(self._blocks) > _KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`, or to the end of the file."""
        stop = stop if self.size < 0 else min(stop, self.size)
        for left in reversed(range(_TRIES)):
            try:
                return self._ask(start, stop)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code < 500 or not left:
                    raise self._refused(f"status {error.code} ({error.reason})") from error
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise self._refused(str(error) or type(error).__name__) from error
        raise AssertionError("the last try returns or raises")

    def _ask(self, start: int, stop: int) -> bytes:
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        try:
            request = urllib.request.Request(self.url, headers=headers)
        except ValueError as error:
            raise bad_input("the address", "be one of a web server", str(error)) from error
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status != 206 or told is None or int(told[1]) != start:
                raise bad_input(
                    "the server",
                    "send parts of files (download the file, and read it from the disk)",
                    f"status {answer.status} for a range of bytes",
                    file=self.url,
                )
            tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            size = int(told[3])
            if self.size >= 0 and (size, tag) != (self.size, self._tag):
                raise bad_input("the file", "stay as it is while it is read", "another one",
                                file=self.url)  # fmt: skip
            content: bytes = answer.read()
        if len(content) != min(stop, size) - start:
            raise http.client.IncompleteRead(content, min(stop, size) - start - len(content))
        self.size, self._tag = size, tag
        return content

    def _refused(self, got: str) -> Exception:
        return bad_input("the file", "be sent by its server", got, file=self.url)
