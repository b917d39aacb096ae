"""What carriers put before a line of another program: syslog in both its forms, and the runtime of a container.

Source: RFC 3164, 4.1 and RFC 5424, 6; the Container Runtime Interface of Kubernetes writes `TIME stdout F LINE`.
"""

_TIME = r"(?P<carried>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.+Z-]+)"


def carried_by(program: str) -> str:
    """What stands before a line of a program whose name has this pattern, as one; `carried` is when it came."""
    of_program = rf"\S+ {program}(?:(?:\[\d+\])?:| \S+ \S+ (?:-|(?:\[[^]\n]*\])+))"
    return rf"(?:<\d{{1,3}}>)?(?:1 )?{_TIME} (?:{of_program}|std(?:out|err) [FP]) "


BY_ANY = carried_by(r"[^][\s:]+")
CARRIED = rf"(?:{BY_ANY})?"
"""The same for any program, or nothing."""
