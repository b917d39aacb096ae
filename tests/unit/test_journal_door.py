"""What the journal's door offers is what is listed."""

import inspect

import tocsin.journal


def test_the_door_lists_exactly_what_is_public() -> None:
    public = {
        name for name, value in vars(tocsin.journal).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(tocsin.journal.__all__)
