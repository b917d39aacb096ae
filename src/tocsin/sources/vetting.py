"""Whether a claim becomes a signal: which address is the attacker, which never are, what has ended. Decided here alone.

In this order: a claim that has ended or is yet to come makes no signal. Of its addresses the first that can be
signalled is the attacker; one of our proxies gives way to the client it forwards for. An address that stands in an
allow-list is an innocent attacker, and the other side of the record is no better one. Small networks are signalled
address by address.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from socket import AF_INET, inet_pton
from typing import NamedTuple

from tocsin.signals import Retraction, Signal, Skipped, SkipReason, ip_key, ip_text
from tocsin.signals.special_addresses import special_networks, special_use
from tocsin.sources.addresses import expand, forwarded_hops, ipv4_within, keys_of
from tocsin.sources.guard import Guard
from tocsin.sources.ranges import AddressRanges
from tocsin.sources.reading import FUTURE_TOLERANCE, Block, Claim, Reading, excerpt

MAX_LIFE = timedelta(days=90)
"""No claim holds longer than this, whatever its source says."""
SIGNALS_AT_ONCE = 65_536
"""What the claims of one go may become; a network is as many signals as it has addresses."""
_ENDED = "claimed until a time that has passed"
_MOST_KNOWN = 16_384
_SPECIAL = AddressRanges((network, "") for network in special_networks())
_FIRST_V4, _LAST_V4 = ip_key("0.0.0.0"), ip_key("255.255.255.255")  # noqa: S104 - no address to bind to


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


class Vetting:
    """The rules, as one reading has them."""

    def __init__(self, reading: Reading) -> None:
        self.claims_at_once = max(1, SIGNALS_AT_ONCE // reading.max_expand)
        self._reading = reading
        self._clear = _clear_blocks(reading)
        self._plain_v6 = dict[str, bool]()
        self._latest = reading.now + FUTURE_TOLERANCE
        self.latest_ended: datetime | None = None
        """When the last of what has ended was observed."""
        self._known = dict[tuple[str, tuple[str, ...], str], list[Verdict]]()

    def vet(self, claims: Iterable[Claim], block: Block) -> Vetted:
        """Hold claims to the rules; `block` is where they come from."""
        vetted = Vetted([], [])
        signals, clear = vetted.claims, self._clear
        now, source, is_text = self._reading.now, self._reading.source, block.is_text
        plain: int
        observed, expires, holds = now, now, False
        for claim in claims:
            if claim.observed is not observed or claim.expires is not expires:  # the entries of a list share them
                observed, expires = claim.observed, claim.expires
                holds = observed <= now < expires and expires - observed <= MAX_LIFE
            if holds and not claim.retracts:
                address = claim.address
                try:
                    if ":" in address:
                        plain = self._is_plain_v6(address)
                    else:
                        a, b, _, _ = inet_pton(AF_INET, address)  # nothing but a canonical address passes it
                        plain = clear[a << 8 | b]
                except (OSError, ValueError):
                    plain = 0
                if plain:
                    signals.append(Signal(address, claim.level, observed, expires, claim.message, source))
                else:
                    self._slowly(claim, self._who(claim), block, vetted, is_text)
            elif expires <= now and observed <= now and not claim.retracts:
                self._note_ended(observed)
                text = excerpt(_record(block, claim.number)) if is_text else ""
                vetted.skipped.append(Skipped(SkipReason.EXPIRED, claim.number, _ENDED, text))
            else:
                self._slowly(claim, self.verdicts(claim), block, vetted, is_text)
        return vetted

    def _note_ended(self, observed: datetime) -> None:
        if self.latest_ended is None or observed > self.latest_ended:
            self.latest_ended = observed

    def _is_plain_v6(self, address: str) -> bool:
        plain = self._plain_v6.get(address)
        if plain is None:
            if len(self._plain_v6) >= _MOST_KNOWN:
                self._plain_v6.clear()
            key = ip_key(address)
            plain = ip_text(key) == address and _refusal(key, self._reading) is None
            self._plain_v6[address] = plain
        return plain

    def verdicts(self, claim: Claim) -> list[Verdict]:
        """What becomes of one claim, address by address."""
        ended = self._out_of_time(claim)
        return [ended] if ended and not claim.retracts else self._who(claim)

    def _who(self, claim: Claim) -> list[Verdict]:
        # Attackers repeat, and so do pairs of our own hosts that talk to each other.
        key = (claim.address, claim.others, claim.forwarded)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = _attackers(claim, self._reading)
        return found

    def _slowly(self, claim: Claim, verdicts: list[Verdict], block: Block, vetted: Vetted, is_text: bool) -> None:
        source = self._reading.source
        for ip, reason, rule in verdicts:
            if reason is not None:
                # To cut an excerpt out of what was decoded takes longer than all the rest; the broken are looked at.
                text = excerpt(_record(block, claim.number)) if is_text or reason.broken else ""
                vetted.skipped.append(Skipped(reason, claim.number, rule, text))
            elif claim.retracts:
                vetted.claims.append(Retraction(ip, claim.observed, source))
            else:
                expires = min(claim.expires, claim.observed + MAX_LIFE)
                vetted.claims.append(Signal(ip, claim.level, claim.observed, expires, claim.message, source))

    def _out_of_time(self, claim: Claim) -> Verdict | None:
        now = self._reading.now
        if claim.observed > self._latest:
            if self._reading.past or self._reading.as_of is not None:
                text = f"observed at {_text(claim.observed)}, later than as of"
                return Verdict(claim.address, SkipReason.NOT_YET, text)
            rule = f"observed at {_text(claim.observed)}, which is yet to come: check the clock"
            return Verdict(claim.address, SkipReason.BAD_TIME, rule)
        expires = min(claim.expires, claim.observed + MAX_LIFE) if claim.expires > now else claim.expires
        if expires <= now:
            self._note_ended(claim.observed)
            return Verdict(claim.address, SkipReason.EXPIRED, f"claimed until {_text(expires)}, which has passed")
        return None


def _clear_blocks(reading: Reading) -> bytes:
    """For each IPv4 network of 65,536 addresses, by its first two bytes, 1 where no rule is about any of them."""
    clear = bytearray(b"\x01" * 65_536)
    guard = reading.guard
    tables = [guard.own, guard.proxies, guard.allowed]
    if not reading.allow_non_global:
        tables.append(_SPECIAL)
    for first, last in (span for table in tables for span in table.spans()):
        low, high = max(first, _FIRST_V4), min(last, _LAST_V4)
        if low <= high:
            start, end = int.from_bytes(low[12:14]), int.from_bytes(high[12:14])
            clear[start : end + 1] = bytes(end + 1 - start)
    return bytes(clear)


def _record(block: Block, number: int) -> object:
    at = bisect_left(block.numbers, number)
    return block.records[at] if at < len(block.numbers) and block.numbers[at] == number else ""


def _attackers(claim: Claim, reading: Reading) -> list[Verdict]:
    refused: list[Verdict] = []
    for candidate in (claim.address, *claim.others):
        answers = _candidate(candidate, claim, reading)
        if any(answer.reason not in _NEXT for answer in answers):
            return answers if not refused else [_after(refused, answer) for answer in answers]
        refused += answers
    return [refused[0] if len(refused) == 1 else _none_of(refused)]


_NEXT = {SkipReason.NOT_GLOBAL, SkipReason.OWN}
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
        if (against := _refusal(key, reading)) is not None:
            return [Verdict(text, against[0], f"{text} is {against[1]}")]
        rule = f"{text} is a network of more addresses than the {reading.max_expand} that are signalled one by one"
        return [Verdict(text, SkipReason.NETWORK_TOO_LARGE, rule)]
    each = [_single(ip_key(ip), reading) for ip in expand(key, count)]
    if len({answer.reason for answer in each}) == 1 and each[0].reason is not None:
        return [Verdict(text, each[0].reason, f"{text}: {each[0].rule}")]
    return each


def _client(proxy: str, claim: Claim, reading: Reading) -> Verdict:
    hop = client_behind(claim.forwarded, reading)
    if hop is None:
        return Verdict(proxy, SkipReason.NO_ADDRESS, f"{proxy} is one of our proxies, and no client is named")
    try:
        key, count = keys_of(hop)
    except ValueError as error:
        return Verdict(hop, SkipReason.BAD_ADDRESS, f"forwarded for: {error}")
    if count > 1:
        return Verdict(hop, SkipReason.BAD_ADDRESS, f"forwarded for: {hop} is a network, and no client")
    verdict = _single(key, reading)
    return verdict._replace(
        reason=SkipReason.NO_ADDRESS if verdict.reason in _NEXT else verdict.reason,
        rule=f"our proxy {proxy} forwarded for it; {verdict.rule}",
    )


def client_behind(chain: str, reading: Reading) -> str | None:
    """
    The last entry of a chain of proxies that is none of ours, as it stands there; None when there is none.

    What stands before it is the client's own word.
    """
    for hop in forwarded_hops(chain):
        try:
            key, count = keys_of(hop)
        except ValueError:
            return hop
        if count > 1 or not reading.guard.proxies.word(key):
            return hop
    return None


def _single(key: bytes, reading: Reading) -> Verdict:
    ip = ip_text(key)
    against = _refusal(key, reading)
    if against is None:
        return Verdict(ip, None, f"{ip} is the first address that can be signalled")
    return Verdict(ip, against[0], f"{ip} is {against[1]}")


def never_signalled(guard: Guard) -> Callable[[bytes], bool]:
    """Says of an IP key whether a source with this guard never speaks of it, whatever it said before."""
    return lambda key: _against(key, guard, allow_non_global=True) is not None


def _refusal(key: bytes, reading: Reading) -> tuple[SkipReason, str] | None:
    return _against(key, reading.guard, allow_non_global=reading.allow_non_global)


def _against(key: bytes, guard: Guard, *, allow_non_global: bool) -> tuple[SkipReason, str] | None:
    if guard.own and (word := guard.own.word(key)):
        return SkipReason.OWN, word
    if guard.proxies and (word := guard.proxies.word(key)):
        return SkipReason.OWN, word
    if not allow_non_global and (word := special_use(key)):
        return SkipReason.NOT_GLOBAL, word
    if guard.allowed and (word := guard.allowed.word(key)):
        return SkipReason.ALLOW_LISTED, word
    inner = ipv4_within(key)
    if inner is None or (against := _against(inner, guard, allow_non_global=allow_non_global)) is None:
        return None
    return against[0], f"{ip_text(inner)} in another form, and that is {against[1]}"


def _after(refused: list[Verdict], answer: Verdict) -> Verdict:
    return answer._replace(rule="; ".join([*(one.rule for one in refused), answer.rule]))


def _none_of(refused: list[Verdict]) -> Verdict:
    """All candidates are someone else's: the first one's reason, and what was said of each."""
    return refused[0]._replace(rule="; ".join(one.rule for one in refused))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
