"""However servers tell what they hold, what differs is found, and nothing else."""

import random
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from tocsin.journal.jetstream.comparing import Comparison, Held, Piece, Unlike

SERVERS = ("n1", "n2", "n3")
LAST = 12


def copy_of(stream: set[int], damage: dict[int, int]) -> dict[int, Held]:
    """`stream`, but what `damage` names is lost, or is another message."""
    return {seq: Held(damage.get(seq, 0), f"s.{seq}") for seq in stream if damage.get(seq) != -1}


def pieces(copies: dict[str, dict[int, Held]], dice: random.Random, comparison: Comparison) -> Iterator[Piece]:
    """Answers of servers at random, each with some messages from where it is asked."""
    while (first := comparison.next) is not None:
        server = dice.choice(SERVERS)
        found = sorted(seq for seq in copies[server] if seq >= first)[: dice.randint(1, 9)]
        yield Piece(server, first, found[-1] if found else 2**64 - 1, {seq: copies[server][seq] for seq in found})


@given(
    st.sets(st.integers(1, LAST)),
    st.sampled_from(SERVERS),
    st.dictionaries(st.integers(1, LAST), st.sampled_from((-1, 7))),
    st.integers(0, 2**32),
)
def test_what_one_server_holds_otherwise_is_found(
    stream: set[int], bad: str, damage: dict[int, int], seed: int
) -> None:
    copies = {server: copy_of(stream, damage if server == bad else {}) for server in SERVERS}
    comparison = Comparison(SERVERS, 1, LAST)
    for piece in pieces(copies, random.Random(seed), comparison):
        comparison.add(piece)
    expected = [Unlike(bad, seq, f"s.{seq}", damage[seq] == -1) for seq in sorted(stream & set(damage))]
    assert comparison.unlike == expected
    assert comparison.compared == LAST


def compared(*copies: dict[int, Held]) -> list[Unlike]:
    servers = SERVERS[: len(copies)]
    comparison = Comparison(servers, 1, LAST)
    for server, held in zip(servers, copies, strict=True):
        comparison.add(Piece(server, 1, LAST, held))
    return comparison.unlike


def test_without_a_majority_who_holds_a_message_is_right() -> None:
    assert compared({1: Held(0, "s")}, {}) == [Unlike("n2", 1, "s", lacks=True)]


def test_who_alone_holds_a_message_is_wrong() -> None:
    assert compared({}, {}, {1: Held(0, "s")}) == [Unlike("n3", 1, "s", lacks=False)]


def test_what_is_told_again_or_of_elsewhere_counts_once() -> None:
    comparison = Comparison(SERVERS, 1, LAST)
    piece = Piece("n1", 1, 9, {9: Held(0, "s")})
    assert comparison.add(piece)
    assert not comparison.add(piece)
    assert not comparison.add(Piece("n1", 11, 12, {}))
    assert not comparison.add(Piece("n4", 1, 9, {}))
    assert comparison.awaited == ["n2", "n3"]
    assert comparison.next == 1
