"""Gaps: offsets that no row and no earlier audit accounts for, and what Kafka has there.

Not every offset of a partition is a message. A transaction takes one more offset for its end, and
the messages of an aborted one do not count. Only a consumer of committed messages can tell such an
empty offset from a lost message.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

WORD = 64


class Word(NamedTuple):
    """64 offsets from `number` * 64 on; bit i of `known` is set if offset i is accounted for.

    `next_number` is that of the next word with a known offset; None for the last one.
    """

    number: int
    known: int
    next_number: int | None


@dataclass
class Content:
    """What Kafka has in gaps: the number of messages, and the offsets without one, ascending."""

    messages: int = 0
    empty: list[range] = field(default_factory=list)


def find_gaps(begin: int, end: int, first_word: int | None, words: Iterable[Word]) -> list[range]:
    """Return the unknown offsets of `begin` to before `end`, ascending.

    Args:
        begin: first offset to account for.
        end: first offset after those to account for.
        first_word: number of the first word with a known offset; None if there is none.
        words: the words before a gap or with one; all others are known completely.
    """
    pieces = _unknown_pieces(end, first_word, words)
    clipped = (range(max(each.start, begin), min(each.stop, end)) for each in pieces)
    return _join(piece for piece in clipped if piece)


def _unknown_pieces(end: int, first_word: int | None, words: Iterable[Word]) -> Iterator[range]:
    if first_word is None:
        yield range(end)
        return
    yield range(first_word * WORD)
    for word in words:
        first = word.number * WORD
        for bit in range(WORD):
            if not word.known >> bit & 1:
                yield range(first + bit, first + bit + 1)
        yield range(first + WORD, end if word.next_number is None else word.next_number * WORD)


def _join(pieces: Iterable[range]) -> list[range]:
    joined: list[range] = []
    for piece in pieces:
        if joined and joined[-1].stop == piece.start:
            joined[-1] = range(joined[-1].start, piece.stop)
        else:
            joined.append(piece)
    return joined


def compare(gaps: Iterable[range], offsets: Iterator[int]) -> Content:
    """Say which offsets of the gaps have a message.

    Args:
        gaps: the gaps, ascending.
        offsets: offsets of all messages in the gaps, ascending; it may have others too.
    """
    found = Content()
    offset = next(offsets, None)
    for gap in gaps:
        position = gap.start
        while offset is not None and offset < gap.stop:
            if offset >= position:
                found.messages += 1
                found.empty += filter(None, [range(position, offset)])
                position = offset + 1
            offset = next(offsets, None)
        found.empty += filter(None, [range(position, gap.stop)])
    return found
