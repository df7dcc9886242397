"""Gaps in a partition's offsets, and which of them have a message."""

from random import Random

import pytest

from infra.operations.gaps import WORD, Word, compare, find_gaps

ALL = -1


@pytest.mark.parametrize(
    ("begin", "end", "words", "gaps"),
    [
        (0, 0, [], []),
        (5, 9, [], [range(5, 9)]),
        (0, 64, [Word(0, ALL, None)], []),
        (0, 70, [Word(0, ALL, None)], [range(64, 70)]),
        (60, 70, [Word(0, ALL, 1), Word(1, 0b111101, None)], [range(65, 66)]),
        (0, 200, [Word(0, ALL, 3), Word(3, ALL, None)], [range(64, 192)]),
        (0, 128, [Word(1, ALL, None)], [range(64)]),
        # Trino's bigint is negative if offset 63 is known
        (0, 64, [Word(0, 2**63 - 1, None)], [range(63, 64)]),
        (0, 64, [Word(0, -(2**63), None)], [range(63)]),
    ],
)
def test_gaps_are_the_offsets_that_no_word_has(
    begin: int, end: int, words: list[Word], gaps: list[range]
) -> None:
    first = words[0].number if words else None
    assert find_gaps(begin, end, first, words) == gaps


@pytest.mark.parametrize("seed", range(20))
def test_gaps_of_random_offsets(seed: int) -> None:
    random = Random(seed)
    begin, end = random.randrange(200), 200 + random.randrange(400)
    known = {each for each in range(end) if random.random() < seed / 20}
    numbers = sorted({each // WORD for each in known})
    known_bits = {
        number: sum(1 << each % WORD for each in known if each // WORD == number)
        for number in numbers
    }
    words = [
        Word(number, _to_bigint(known_bits[number]), after)
        for number, after in zip(numbers, [*numbers[1:], None], strict=False)
    ]
    # Trino leaves out the words that no gap follows.
    listed = [each for each in words if each.known != ALL or each.next_number != each.number + 1]
    found = find_gaps(begin, end, numbers[0] if numbers else None, listed)
    assert [each for gap in found for each in gap] == sorted(set(range(begin, end)) - known)
    messages = sorted(random.sample(range(end), end // 2))
    content = compare(found, iter(messages))
    unknown = set(range(begin, end)) - known
    assert content.messages == len(unknown & set(messages))
    assert [each for run in content.empty for each in run] == sorted(unknown - set(messages))


def _to_bigint(bits: int) -> int:
    """A word as Trino's bigint."""
    return bits - (1 << WORD) if bits >> (WORD - 1) else bits
