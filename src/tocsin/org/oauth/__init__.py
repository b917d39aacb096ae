"""OAuth 2.0 as Okta's org authorization server does it for service apps: who a client is, what it gets, what it opens.

Signatures and keys are joserfc's; what is decided here is what a request means. Source: spec 4, RFC 6749, 7009, 7515,
7517, 7521, 7523, 7638, 7662, 9449.
"""
