"""OAuth 2.0 as Okta's service apps do it: client credentials with a private key (RFC 7523), and DPoP (RFC 9449).

Nothing here is loaded before the first call that needs a token.
"""
