"""One message on its way in.

Its header is judged as soon as it is complete; a large body goes on to the disk as it comes. A message that is refused
in the middle is still read to its end, as SMTP wants it, but nothing of it is kept.
"""

from __future__ import annotations

from asyncio import Future
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final

from mailadmin.queue.envelopes import CHUNK, SMALL_BODY
from smtpd import limits
from smtpd.smtp import replies
from smtpd.smtp.data import LineWatch
from smtpd.smtp.replies import Refused
from smtpd.store import Store, UnavailableError

_HEADER_END: Final = b"\r\n\r\n"


class Intake:
    """Takes the octets of one message.

    Attributes:
        id: the message's id.
        refusal: the reply that refuses it, once there is a reason.
        size: octets kept, with what was added to the header.
        eight_bit: whether an octet above 127 was among them.
        chunks: how many chunks went to the bodies store; 0 for a small message.
    """

    def __init__(self, store: Store, *, size_limit: int, judge: Callable[[bytes], bytes]) -> None:
        """Begin a message.

        Args:
            store: where its chunks go.
            size_limit: octets that the client may send.
            judge: takes the header block and returns what to keep in its place; raises Refused.
        """
        self.id = store.new_id()
        self.refusal: bytes | None = None
        self.size = 0
        self.eight_bit = False
        self.chunks = 0
        self._store = store
        self._size_limit = size_limit
        self._judge: Callable[[bytes], bytes] | None = judge
        self._received = 0
        self._parts: list[bytes] = []
        self._gathered = 0  # octets in _parts
        self._in_flight: deque[Future[None]] = deque()

    @property
    def received(self) -> int:
        """Octets that the client has sent."""
        return self._received

    @property
    def body(self) -> bytes:
        """The whole of a small message."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    @property
    def must_wait(self) -> bool:
        """Whether the disk is behind, so that the client must not be read from."""
        return len(self._in_flight) > limits.CHUNKS_IN_FLIGHT

    def take(self, piece: bytes) -> None:
        """Take the next octets of the message."""
        self._received += len(piece)
        if self._received > self._size_limit:
            self.refuse(replies.message_too_big(self._size_limit))
        if self.refusal is not None:
            return
        if self._judge is not None:
            self._take_header(piece)
        else:
            self._keep(piece)

    def refuse(self, reply: bytes) -> None:
        """Refuse the message with `reply`, unless there was a reason before, and keep nothing of it."""
        if self.refusal is None:
            self.refusal = reply
            self._parts.clear()
            self.give_up()

    def give_up(self) -> None:
        """Delete what has gone to the bodies store."""
        if self.chunks:
            self._store.drop_body(self.id)
            self.chunks = 0
        for chunk in self._in_flight:
            # Whatever becomes of it is nobody's concern any more.
            chunk.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._in_flight.clear()

    def end(self, lines: LineWatch) -> None:
        """Take note that the message is complete.

        Args:
            lines: what was seen of its line ends.
        """
        if lines.bare:
            self.refuse(replies.BARE_NEWLINE)
        elif lines.too_long:
            self.refuse(replies.BODY_LINE_TOO_LONG)
        if self._judge is not None and self.refusal is None:
            self._end_header(b"".join(self._parts), b"")
        if self.refusal is None and self.chunks:
            self._send_chunk(b"".join(self._parts))
            self._parts.clear()

    def wait(self) -> Generator[Future[Any], Any, None]:
        """Wait until few enough chunks are on their way."""
        while len(self._in_flight) > limits.CHUNKS_IN_FLIGHT // 2:
            yield from self._land()

    def seal(self) -> Generator[Future[Any], Any, None]:
        """Wait until the whole body is on disk; a small one goes with its message."""
        while self._in_flight and self.refusal is None:
            yield from self._land()
        if self.chunks and self.refusal is None:
            try:
                yield self._store.seal_body(self.id)
            except UnavailableError as error:
                self.refuse(replies.DISK_FULL if error.full else replies.DATABASE_DOWN)

    def _land(self) -> Generator[Future[Any], Any, None]:
        try:
            yield self._in_flight.popleft()
        except UnavailableError as error:
            self.refuse(replies.DISK_FULL if error.full else replies.DATABASE_DOWN)

    def _take_header(self, piece: bytes) -> None:
        """Gather the header block until its end; it may end at a blank line, or the message may begin with one."""
        parts = self._parts
        block = parts[0] + piece if parts else piece
        if block.startswith(b"\r\n"):
            self._end_header(block[:2], block[2:])
            return
        # The end may stand on the seam of two pieces.
        end = block.find(_HEADER_END, max(0, len(block) - len(piece) - 3))
        if end >= 0:
            self._end_header(block[: end + 4], block[end + 4 :])
        elif len(block) > limits.HEADER_BLOCK:
            self.refuse(replies.HEADER_TOO_BIG)
        else:
            self._parts = [block]

    def _end_header(self, block: bytes, body: bytes) -> None:
        judge, self._judge = self._judge, None
        self._parts = []
        if judge is None:
            return
        if len(block) > limits.HEADER_BLOCK:
            self.refuse(replies.HEADER_TOO_BIG)
            return
        try:
            header = judge(block)
        except Refused as refused:
            self.refuse(refused.reply)
            return
        self._keep(header)
        if body:
            self._keep(body)

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if not self.eight_bit and not piece.isascii():
            self.eight_bit = True
        self._parts.append(piece)
        self._gathered += len(piece)
        if self._gathered > SMALL_BODY or (self.chunks and self._gathered >= CHUNK):
            gathered = b"".join(self._parts)
            whole = len(gathered) - len(gathered) % CHUNK
            for start in range(0, whole, CHUNK):
                self._send_chunk(gathered[start : start + CHUNK])
            self._parts = [gathered[whole:]]
            self._gathered = len(gathered) - whole

    def _send_chunk(self, data: bytes) -> None:
        if data:
            self._in_flight.append(self._store.put_chunk(self.id, self.chunks, data))
            self.chunks += 1
