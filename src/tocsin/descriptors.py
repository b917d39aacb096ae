"""How many files and connections this process may have open."""

import resource

_OTHERS = 128
"""What a process of ours has open beside: journal, projections, locks, the loop."""


def make_room_for(wanted: int) -> int:
    """
    Raise the limit of open descriptors as far as `wanted` asks for, and the system lets us.

    Returns: how many of `wanted` there is room for, at least 1.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHERS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, min(wanted, soft - _OTHERS))
    return wanted
