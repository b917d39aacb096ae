"""What `tocsin fleet check --deep` says of a damaged copy: which messages, and what to do on servers and nodes."""

import pytest

from tocsin.cli.fleet_copies import said_of
from tocsin.journal.jetstream.copies import MOST_UNLIKE, Damage

ACME, BOLT = "tocsin.journal.acme.risk.a", "tocsin.journal.bolt.directory.token"


@pytest.mark.parametrize(
    ("lacked", "unlike", "text"),
    [
        ((7,), (), "n2 lacks one message (seq 7) that others hold"),
        ((7, 9, 1000), (), "n2 lacks 3 messages (seq 7 to 1000) that others hold"),
        ((), (7,), "n2 holds one message (seq 7) otherwise than others"),
        ((7,), (8, 9), "n2 lacks one message (seq 7) that others hold and holds 2 messages (seq 8 to 9) otherwise"),
        (tuple(range(1, MOST_UNLIKE + 1)), (), "n2 lacks at least 10,000 messages (seq 1 to 10000) that others hold"),
    ],
)
def test_what_differs_is_said_with_its_seqs(lacked: tuple[int, ...], unlike: tuple[int, ...], text: str) -> None:
    said = said_of(Damage("TOCSIN", "n2", lacked, unlike, frozenset({ACME})))
    assert said.stream == "TOCSIN"
    assert said.text.startswith(text)


def test_the_mend_names_the_orgs_whose_nodes_may_have_read_over_a_hole() -> None:
    mend = said_of(Damage("TOCSIN", "n2", (7, 8), (), frozenset({ACME, BOLT}))).mend
    assert mend is not None
    assert mend.startswith("stop that server, empty its store, and start it again")
    assert mend.endswith("`tocsin rebuild --org acme`, `tocsin rebuild --org bolt`")
    table = said_of(Damage("KV_tocsin_pulls", "n2", (7,), (), frozenset({"$KV.tocsin_pulls.acme.x"}))).mend
    assert table is not None
    assert "rebuild" not in table
