"""Which door a method and path lead to, and what it is told of the path."""

import pytest

from tocsin.org.http.doors import Door, Doors
from tocsin.org.http.errors import Refusal


def door(name: str) -> Door:
    async def answer(told: list[object], **values: str) -> None:
        told.append((name, values))

    return answer


DOORS = Doors(
    {
        ("GET", "/a"): door("all"),
        ("GET", "/a/{x}"): door("one"),
        ("PUT", "/a/{x}"): door("put"),
        ("GET", "/a/{x}/b/{y}"): door("two"),
        ("GET", "/{}/c.d"): door("untold"),
        ("GET", "/rest/{+z}"): door("rest"),
    }
)


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("GET", "/a", "all", {}),
        ("GET", "/a/1", "one", {"x": "1"}),
        ("PUT", "/a/{x}", "put", {"x": "{x}"}),
        ("GET", "/a/1/b/é", "two", {"x": "1", "y": "é"}),
        ("GET", "/q/c.d", "untold", {}),
        ("GET", "/rest/1/2", "rest", {"z": "1/2"}),
    ],
)
async def test_a_door_is_told_what_stands_in_its_path(
    method: str, path: str, name: str, values: dict[str, str]
) -> None:
    told: list[object] = []
    found = DOORS.find(method, path)
    assert found is not None
    await found(told)
    assert told == [(name, values)]


@pytest.mark.parametrize("path", ["/", "/a/", "/a/1/2", "/a/1/b", "/a/1/b/2/3", "/q/c-d", "/rest/", "/b"])
def test_where_no_door_is(path: str) -> None:
    assert DOORS.find("GET", path) is None
    assert not DOORS.knows(path)


def test_another_method_is_refused_and_those_that_there_are_told() -> None:
    assert DOORS.knows("/a/1")
    with pytest.raises(Refusal) as caught:
        DOORS.find("DELETE", "/a/1")
    assert (caught.value.status, caught.value.headers) == (405, {"allow": "GET, HEAD, PUT"})
