"""What carriers put before a line of another program: syslog in both its forms, and the runtime of a container.

Source: RFC 3164, 4.1 and RFC 5424, 6; the Container Runtime Interface of Kubernetes writes `TIME stdout F LINE`.
"""

_TIME = r"(?P<carried>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.+Z-]+)"


def _header(program: str) -> str:
    of_program = rf"\S+ {program}(?:(?:\[\d+\])?:| \S+ \S+ (?:-|\[.*?\]))"
    return rf"(?:<\d{{1,3}}>)?(?:1 )?{_TIME} (?:{of_program}|std(?:out|err) [FP]) "


CARRIED = rf"(?:{_header('[^][ :]+')})?"
"""The pattern of what may stand there."""
BY_APACHE = _header(r"(?:httpd|apache2?)[^][ :]*")
"""The same where Apache must have sent the line; `carried` is when it did."""
