"""What to do about a refusal of the token endpoint. Pure.

Sources: Okta's list of OAuth 2.0 errors (`error` and `error_description`), RFC 6749 5.2.
"""

_BY_DESCRIPTION = (
    ("kid", "set private_key_id to the id under which the org knows the key, or register the key with the app"),
    ("signature", "register the public half of private_key with the app, or give the key that is registered"),
    ("JWKSet", "register the public half of private_key with the app"),
    ("issuer", "check client_id: the org has no such app"),
    ("subject", "check client_id: the org has no such app"),
    ("audience", "set the host to the URL of the org itself, as its own pages show it"),
    ("expire", "set the clock of this machine"),
    ("expiration", "set the clock of this machine"),
    ("issued before", "set the clock of this machine"),
    ("private_key_jwt", "have the app authenticate with a public key / private key, in the org"),
    ("application_type", "use an app of the kind API Services"),
)
_BY_ERROR = {
    "invalid_client": "check client_id, that private_key is the one registered with the app, and that the app is on",
    "invalid_scope": "check the spelling of `scopes`, and grant them to the app in the org (Okta API Scopes)",
    "consent_required": "grant the scopes to the app in the org (Okta API Scopes)",
    "unauthorized_client": "allow the grant type Client Credentials for the app, in the org",
    "unsupported_grant_type": "allow the grant type Client Credentials for the app, in the org",
    "access_denied": "send from a network zone that the app may be used from",
    "invalid_dpop_proof": "set the clock of this machine; when it is right, something on the way changes the request",
    "use_dpop_nonce": "check that nothing on the way drops the header DPoP-Nonce",
}


def hint_for(error: str | None, description: str | None) -> str:
    """One line that says what to do next."""
    if error == "invalid_client":
        for word, hint in _BY_DESCRIPTION:
            if word in (description or ""):
                return hint
    unknown = "check that the host is an org, and that it has OAuth 2.0 for service apps"
    return _BY_ERROR.get(error or "", unknown)
