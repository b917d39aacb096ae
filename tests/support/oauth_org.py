"""An org in this process, behind its front door, with a clock that stands still until it is told to go on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx2

from support.oauth import ASSERTION_TYPE, Key, assertion, rsa_key, service_app
from tocsin.org.config import OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.http.front import Front
from tocsin.org.opening import open_org
from tocsin.org.org import Org
from tocsin.org.records import KEY_TOPIC, Role, local_deed
from tocsin.org.running import at_work

BASE = "https://org.example"
TOKEN = "/oauth2/v1/token"
CLIENTS = "/oauth2/v1/clients"
MANAGE_EVENTS = "okta.riskEvents.manage"


class OAuthOrg:
    """What a test holds of it."""

    def __init__(self, org: Org, clock: list[float], admin: httpx2.AsyncClient) -> None:
        self.org, self.admin = org, admin
        self._clock = clock

    @property
    def now(self) -> float:
        """Epoch seconds."""
        return self._clock[0]

    def wait(self, seconds: float) -> None:
        """The clock goes on."""
        self._clock[0] += seconds

    async def app(self, *scopes: str, name: str = "edge", keys: tuple[Key, ...] = (), **fields: Any) -> str:
        """A new service app with grants. Returns: its id."""
        made = await self.admin.post(CLIENTS, json=service_app(name, *(keys or (rsa_key(),)), **fields))
        assert made.status_code == 201, made.text
        client_id = str(made.json()["client_id"])
        for scope in scopes:
            await self.grant(client_id, scope)
        return client_id

    async def grant(self, client_id: str, scope: str) -> dict[str, Any]:
        """Let a client ask for `scope`."""
        made = await self.admin.post(f"/api/v1/apps/{client_id}/grants", json={"scopeId": scope, "issuer": BASE})
        assert made.status_code == 200, made.text
        return dict(made.json())

    async def post(self, path: str, form: Any, **headers: Any) -> httpx2.Response:
        """Send a form, without the admin's token."""
        return await self.request("POST", path, data=form, headers=headers)

    async def request(self, method: str, path: str, headers: Any = (), **kwargs: Any) -> httpx2.Response:
        """One request without the admin's token; headers as pairs where one comes twice."""
        request = self.admin.build_request(method, path, headers=headers, **kwargs)
        if "authorization" not in {name.lower() for name in httpx2.Headers(headers)}:
            del request.headers["authorization"]
        return await self.admin.send(request)

    def token_form(self, client_id: str, scope: str | None = MANAGE_EVENTS, **claims: Any) -> dict[str, str]:
        """What a service app sends for a token; `claims` are of its assertion."""
        text = assertion(client_id, BASE + TOKEN, claims.pop("key", rsa_key()), now=self.now, **claims)
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
        return form if scope is None else form | {"scope": scope}

    async def access_token(self, client_id: str, scope: str = MANAGE_EVENTS, **claims: Any) -> str:
        """An access token."""
        answer = await self.post(TOKEN, self.token_form(client_id, scope, **claims))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@asynccontextmanager
async def oauth_org(
    data: Path, config: OrgConfig | None = None, *, now: float = 1_770_000_000.0, index: str = "index"
) -> AsyncIterator[OAuthOrg]:
    """An org on the folder `data`, with an admin's client; two in one process need an index each (LMDB wants that)."""
    clock, folder = [now], DataFolder.open(data)
    folder.index = data / index
    keys = _SigningKeys.of(folder, config or OrgConfig(), now)
    async with open_org(folder, config or OrgConfig(), clock=lambda: clock[0]) as org, at_work(org):
        if keys is not None:
            await keys.put_in(org)
        token = await org.tokens.create(f"admin {len(org.tokens.all())}", Role.SUPER_ADMIN, deed=local_deed(0))
        transport = httpx2.ASGITransport(Front(org, base_url=BASE))
        headers = {"authorization": f"SSWS {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as admin:
            yield OAuthOrg(org, clock, admin)


class _SigningKeys:
    """
    Those of a new org, made once for all tests of this process: an RSA key takes most of what a test would.

    An org that was there before has made its own.
    """

    _made: ClassVar[dict[tuple[float, int], "_SigningKeys"]] = {}

    def __init__(self, folder: DataFolder, now: float) -> None:
        self._secret, self._now_ms = folder.backing.secret(), int(now * 1000)
        self._entries: list[bytes] = []

    @classmethod
    def of(cls, folder: DataFolder, config: OrgConfig, now: float) -> "_SigningKeys | None":
        if folder.journal.exists():
            return None
        keys = cls._made.setdefault((now, config.oauth.key_rotation_days), cls(folder, now))
        (folder.path / "secret").write_bytes(keys._secret)
        return keys

    async def put_in(self, org: Org) -> None:
        if not self._entries:
            await org.signing_keys.make(self._now_ms)
            self._entries = [entry.body for entry in await org.journal.read() if entry.topic == KEY_TOPIC]
            return
        for entry in self._entries:
            await org.journal.append(KEY_TOPIC, entry)
        await org.projector.catch_up()
