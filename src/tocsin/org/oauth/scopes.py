"""Which scopes a client gets of those it asks for. Pure. Source: spec 4.3."""

import re
from collections.abc import Collection

from tocsin.org.oauth.refusals import OAuthRefused, invalid_scope

OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access", "device_sso", "groups"})
_FORM = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, 3.3


def narrowed(asked: str, *, known: Collection[str], granted: Collection[str]) -> list[str]:
    """
    Those scopes of `asked` (separated by blanks) that are granted, in the order asked: the rest is left out silently.

    Raises: OAuthRefused, when none is granted or what is asked cannot be.
    """
    scopes = list(dict.fromkeys(asked.split(" ")))
    scopes = [scope for scope in scopes if scope]
    if not scopes:
        raise invalid_scope("No scopes were requested.")
    if any(_FORM.fullmatch(scope) is None for scope in scopes):
        raise invalid_scope(
            "The requested scope is invalid, unknown, malformed, or exceeds the scope granted by the resource owner."
        )
    if not OPENID_SCOPES.isdisjoint(scopes):
        raise invalid_scope("Cannot request 'openid' scopes using client credentials.")
    if any(scope not in known for scope in scopes):
        raise invalid_scope("One or more scopes are not configured for the authorization server resource.")
    allowed = [scope for scope in scopes if scope in granted]
    if not allowed:
        raise OAuthRefused(400, "consent_required", "You are not allowed any of the requested scopes.")
    return allowed
