"""The check door for proxies (nginx `auth_request`, Envoy `ext_authz`, `forward_auth`): may this client come in?

200 to let it in, 401 to challenge, 403 to turn away, without a body; the `X-Risk-*` headers say why. When it cannot
be known whose request it is, or how risky that one is, the policy's `unanswered` decides.
"""

from urllib.parse import quote

import structlog

from tocsin.errors import TocsinError
from tocsin.org.http.client_ip import TrustedProxies
from tocsin.org.http.errors import method_not_allowed, path_not_found
from tocsin.org.http.exchange import Exchange, Headers
from tocsin.org.http.views import time_text
from tocsin.org.org import Org
from tocsin.org.policy import Action, Ruling
from tocsin.org.verdict import Weighed
from tocsin.signals import RiskLevel, canonical_ip, ip_key

CHECK_PATH = "/risk/v1/check"
_STATUSES = {Action.ALLOW: 200, Action.CHALLENGE: 401, Action.DENY: 403}
_PLAIN = " !#$&'()*+,/:;=?@[]"  # may stand in a header as they are
_CHALLENGE = (b"www-authenticate", b'Risk realm="challenge"')  # RFC 9110, 15.5.2: a 401 names one
_log = structlog.get_logger("tocsin.org")


class CheckDoor:
    """The door of one org."""

    def __init__(self, org: Org, proxies: TrustedProxies) -> None:
        self._org, self._proxies = org, proxies
        self._config = org.config.check

    def open_to(self, exchange: Exchange) -> bool:
        """Whether this request needs no token: it comes from a trusted proxy, and those are let in without."""
        return self._config.open_to_proxies and is_check(exchange.path) and self._proxies.trusts(exchange.peer)

    async def answer(self, exchange: Exchange) -> None:
        """200, 401 or 403. Raises Refusal (404, 405) for a path or method that is not this door's."""
        if not self._config.any_path:
            if exchange.path != CHECK_PATH:
                raise path_not_found()
            if exchange.method not in ("GET", "HEAD"):
                raise method_not_allowed("GET", "HEAD")
        client = self._client(exchange)
        weighed = self._weigh(client)
        ruling = self._org.policy.standing.rules.unanswered() if weighed is None else weighed.ruling
        status = _STATUSES[ruling.action]
        headers = [_CHALLENGE] if status == 401 else []
        await exchange.answer(status, headers=[*headers, *self._headers(client, weighed, ruling)])

    def _client(self, exchange: Exchange) -> str | None:
        """
        Whose request the proxy asks about; None when that cannot be known: then nobody is waved through for it.

        Behind a trusted proxy of which nobody says whom it speaks for there is somebody unknown. Only the one who asks
        may say that it asks about itself, in so many words.
        """
        told = exchange.header(self._config.client_header.encode())
        if not self._proxies.trusts(exchange.peer):
            # Somebody without the right to speak for others may still ask about themselves.
            return exchange.peer if told is None and exchange.peer else None
        client = self._proxies.client_ip(exchange.peer, told)
        return None if self._proxies.trusts(client) and (told or "").strip() != exchange.peer else client

    def _weigh(self, client: str | None) -> Weighed | None:
        if client is None:
            return None
        try:
            return self._org.weigh(ip_key(client))
        except ValueError:
            return None
        except TocsinError as error:
            _log.error("check.unanswered", error=str(error), remedy=error.hint)
            return None

    def _headers(self, client: str | None, weighed: Weighed | None, ruling: Ruling) -> Headers:
        headers = {"x-risk-action": ruling.action.value, "x-risk-rule": ruling.rule, "x-risk-level": "NONE"}
        if client is not None and weighed is not None:
            headers["x-risk-ip"] = canonical_ip(client)
        if weighed is not None and weighed.said is not None:
            provider = self._org.providers.get(weighed.said.provider_id)
            headers["x-risk-level"] = RiskLevel.of_severity(weighed.said.severity)
            headers["x-risk-provider"] = "" if provider is None else provider.name
            headers["x-risk-expires"] = time_text(weighed.said.expires_ms)
        return [(name.encode(), quote(value, safe=_PLAIN).encode()) for name, value in headers.items()]


def is_check(path: str) -> bool:
    """Whether `path` is one of this door."""
    return path == CHECK_PATH or path.startswith(CHECK_PATH + "/")
