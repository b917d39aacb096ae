"""Whether all replicas of a stream hold the same.

A server that loses a part of a stream's files starts again without a word, calls itself healthy, and answers reads with
what it has left; it may even come to lead (seen with 2.15.1: docs/jetstream.md). Nothing repairs it but an empty
folder. So what each server says of its own copy, as its `/jsz` tells it, is compared.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple


class Replica(NamedTuple):
    """What one server holds of a stream."""

    server: str
    messages: int
    size_bytes: int
    first_seq: int
    last_seq: int


def replicas(answers: Mapping[str, Any], stream: str) -> list[Replica]:
    """Each server's copy of `stream`, from the answers of `/jsz?streams=true` (or `JSZ`) by server."""
    return [
        Replica(server, state["messages"], state["bytes"], state["first_seq"], state["last_seq"])
        for server, answer in answers.items()
        for account in answer.get("account_details") or ()
        for detail in account.get("stream_detail") or ()
        if detail["name"] == stream and (state := detail["state"])
    ]


def lost(copies: Iterable[Replica]) -> Iterator[tuple[Replica, str]]:
    """
    Each copy that lacks what others have, and a line about it.

    Ask again before it is believed: a copy that is behind differs for a moment.
    Where most agree they are right; without a majority the fullest is.
    """
    found = list(copies)
    by_content = Counter(copy[1:] for copy in found)
    if len(by_content) < 2:
        return
    right, _ = max(by_content.items(), key=lambda item: (item[1], item[0]))
    for copy in found:
        if copy[1:] != right:
            yield copy, f"{copy.server} holds {_text(copy[1:])}, others {_text(right)}"


def _text(content: tuple[int, int, int, int]) -> str:
    messages, size_bytes, first_seq, last_seq = content
    return f"{messages} messages from seq {first_seq} to {last_seq} ({size_bytes} bytes)"
