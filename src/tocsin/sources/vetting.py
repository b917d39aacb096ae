"""Whether a claim becomes a signal: which address is the attacker, which never are, what has ended. Decided here alone.

In this order: a claim that has ended or is yet to come makes no signal. Of its addresses the first that can be
signalled is the attacker; one of our proxies gives way to the client it forwards for. An address that stands in an
allow-list is an innocent attacker, and the other side of the record is no better one. Small networks are signalled
address by address.
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.signals import Retraction, Signal, Skipped, SkipReason, ip_key, ip_text
from tocsin.signals.special_addresses import special_use
from tocsin.sources.addresses import expand, forwarded_hops, keys_of
from tocsin.sources.reading import FUTURE_TOLERANCE, Block, Claim, Reading, excerpt

MAX_LIFE = timedelta(days=90)
"""No claim holds longer than this, whatever its source says."""


class Verdict(NamedTuple):
    """What becomes of a claim: an address to signal, or a reason why not; and which rule says so."""

    ip: str
    """Canonical, or as the record has it where `reason` is set."""
    reason: SkipReason | None
    rule: str


class Vetted(NamedTuple):
    """What becomes of the claims of a block."""

    claims: list[Signal | Retraction]
    skipped: list[Skipped]


def vet(claims: Iterable[Claim], block: Block, reading: Reading) -> Vetted:
    """Hold claims to the rules; `block` is where they come from."""
    signals, skips = list[Signal | Retraction](), list[Skipped]()
    now, source = reading.now, reading.source
    known = dict[str, bool]()  # of plain addresses: whether they can be signalled; attackers repeat
    for claim in claims:
        if claim.retracts or claim.expires <= now:
            _slowly(claim, block, reading, signals, skips)
            continue
        address = claim.address
        plain = known.get(address)
        if plain is None:
            plain = known[address] = _is_plain(address, reading)
        if plain and claim.observed <= now and claim.expires - claim.observed <= MAX_LIFE:
            signals.append(Signal(address, claim.level, claim.observed, claim.expires, claim.message, source))
        else:
            _slowly(claim, block, reading, signals, skips)
    return Vetted(signals, skips)


def verdicts(claim: Claim, reading: Reading) -> list[Verdict]:
    """What becomes of one claim, address by address."""
    if (ended := _out_of_time(claim, reading)) and not claim.retracts:
        return [ended]
    return _attackers(claim, reading)


def _is_plain(address: str, reading: Reading) -> bool:
    """Whether `address` is canonical and nothing speaks against it. The quick yes; `verdicts` explains the rest."""
    try:
        key = ip_key(address)
    except ValueError:
        return False
    return ip_text(key) == address and _against(key, reading) is None


def _slowly(
    claim: Claim, block: Block, reading: Reading, signals: list[Signal | Retraction], skips: list[Skipped]
) -> None:
    for verdict in verdicts(claim, reading):
        if verdict.reason is not None:
            skips.append(Skipped(verdict.reason, claim.number, verdict.rule, excerpt(_record(block, claim.number))))
        elif claim.retracts:
            signals.append(Retraction(verdict.ip, claim.observed, reading.source))
        else:
            expires = min(claim.expires, claim.observed + MAX_LIFE)
            signals.append(Signal(verdict.ip, claim.level, claim.observed, expires, claim.message, reading.source))


def _record(block: Block, number: int) -> object:
    at = bisect_left(block.numbers, number)
    return block.records[at] if at < len(block.numbers) and block.numbers[at] == number else ""


def _out_of_time(claim: Claim, reading: Reading) -> Verdict | None:
    now = reading.now
    if claim.observed > now + FUTURE_TOLERANCE:
        if reading.as_of is not None:
            return Verdict(claim.address, SkipReason.NOT_YET, f"observed at {_text(claim.observed)}, later than as of")
        rule = f"observed at {_text(claim.observed)}, which is yet to come: check the clock"
        return Verdict(claim.address, SkipReason.BAD_TIME, rule)
    expires = min(claim.expires, claim.observed + MAX_LIFE)
    if expires <= now:
        return Verdict(claim.address, SkipReason.EXPIRED, f"claimed until {_text(expires)}, which has passed")
    return None


def _attackers(claim: Claim, reading: Reading) -> list[Verdict]:
    refused: list[Verdict] = []
    for candidate in (claim.address, *claim.others):
        answers = _candidate(candidate, claim, reading)
        if any(answer.reason not in _NEXT for answer in answers):
            return answers if not refused else [_after(refused, answer) for answer in answers]
        refused += answers
    return [refused[0] if len(refused) == 1 else _none_of(refused)]


_NEXT = {SkipReason.NOT_GLOBAL, SkipReason.OWN, SkipReason.NO_ADDRESS}
"""Reasons that say an address is not the attacker's, so that the next may be."""


def _candidate(text: str, claim: Claim, reading: Reading) -> list[Verdict]:
    try:
        key, count = keys_of(text)
    except ValueError as error:
        return [Verdict(text, SkipReason.BAD_ADDRESS, str(error))]
    if reading.guard.proxies.word(key):
        return [_client(ip_text(key), claim, reading)]
    if count == 1:
        return [_single(key, reading)]
    if count > reading.max_expand:
        if (against := _against(key, reading)) is not None:
            return [Verdict(text, against[0], f"{text} is {against[1]}")]
        rule = f"{text} is a network of more addresses than the {reading.max_expand} that are signalled one by one"
        return [Verdict(text, SkipReason.NETWORK_TOO_LARGE, rule)]
    each = [_single(ip_key(ip), reading) for ip in expand(key, count)]
    if len({answer.reason for answer in each}) == 1 and each[0].reason is not None:
        return [Verdict(text, each[0].reason, f"{text}: {each[0].rule}")]
    return each


def _client(proxy: str, claim: Claim, reading: Reading) -> Verdict:
    """The last address of the chain that is none of our proxies': what stands before it is the client's own word."""
    for hop in forwarded_hops(claim.forwarded):
        try:
            key, count = keys_of(hop)
        except ValueError as error:
            return Verdict(hop, SkipReason.BAD_ADDRESS, f"forwarded for: {error}")
        if count == 1 and not reading.guard.proxies.word(key):
            verdict = _single(key, reading)
            return verdict._replace(
                reason=SkipReason.NO_ADDRESS if verdict.reason in _NEXT else verdict.reason,
                rule=f"our proxy {proxy} forwarded for it; {verdict.rule}",
            )
    return Verdict(proxy, SkipReason.OWN, f"{proxy} is one of our proxies, and no client is named")


def _single(key: bytes, reading: Reading) -> Verdict:
    ip = ip_text(key)
    against = _against(key, reading)
    if against is None:
        return Verdict(ip, None, f"{ip} is the first address that can be signalled")
    return Verdict(ip, against[0], f"{ip} is {against[1]}")


def _against(key: bytes, reading: Reading) -> tuple[SkipReason, str] | None:
    guard = reading.guard
    if guard.own and (word := guard.own.word(key)):
        return SkipReason.OWN, word
    if guard.proxies and (word := guard.proxies.word(key)):
        return SkipReason.OWN, word
    if not reading.allow_non_global and (word := special_use(key)):
        return SkipReason.NOT_GLOBAL, word
    if guard.allowed and (word := guard.allowed.word(key)):
        return SkipReason.ALLOW_LISTED, word
    return None


def _after(refused: list[Verdict], answer: Verdict) -> Verdict:
    return answer._replace(rule="; ".join([*(one.rule for one in refused), answer.rule]))


def _none_of(refused: list[Verdict]) -> Verdict:
    """All candidates are someone else's: the first one's reason, and what was said of each."""
    return refused[0]._replace(rule="; ".join(one.rule for one in refused))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
