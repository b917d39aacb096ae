"""One token for all: threads and tasks that need one at the same time lead to one request for it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from support.okta_oauth_org import CLIENT_ID, KEY, SEND, OAuthOrg
from support.okta_org import EVENT, HOST, NOW, answer
from tocsin import okta
from tocsin.okta.oauth.sources import Join, Lead, grant_of

MANY = 40
FETCH_S = 0.05  # long enough for all to arrive while the first is fetching
FAULT = {"error": "server_error"}


def configuration() -> okta.Configuration:
    return okta.Configuration(
        host=HOST,
        client_id=CLIENT_ID,
        private_key=KEY.as_pem(private=True).decode(),
        private_key_id="k-1",
        scopes=SEND,
        retries=0,
    )


class SlowOrg(OAuthOrg):
    """An org whose token endpoint takes its time, for both kinds of client."""

    async def later(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/oauth2/v1/token":
            await asyncio.sleep(FETCH_S)
        return self(request)


def slow_org(**fields: Any) -> SlowOrg:
    return SlowOrg(while_fetching=lambda: time.sleep(FETCH_S), **fields)


def client_of(
    org: OAuthOrg, settings: okta.Configuration, clock: Callable[[], datetime] = lambda: NOW
) -> okta.ApiClient:
    return okta.ApiClient(settings, transport=httpx2.MockTransport(org), clock=clock)


def send(client: okta.ApiClient) -> None:
    okta.RiskEventApi(client).send_risk_events([EVENT])


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MANY) as executor:
        yield executor


def at_once(threads: ThreadPoolExecutor, do: Callable[[], None]) -> list[BaseException | None]:
    """What came of it in each of many threads that begin together."""
    begin = threading.Barrier(MANY)

    def run() -> None:
        begin.wait()
        do()

    running: list[Future[None]] = [threads.submit(run) for _ in range(MANY)]
    return [future.exception() for future in running]


# -- threads


@pytest.mark.parametrize("share", ["the client", "the configuration"])
def test_threads_fetch_one_token(threads: ThreadPoolExecutor, share: str) -> None:
    org, settings = slow_org(), configuration()
    client = client_of(org, settings)
    ended = at_once(threads, lambda: send(client if share == "the client" else client_of(org, settings)))
    assert ended == [None] * MANY
    assert (len(org.token_requests), len(org.calls)) == (1, MANY)


def test_threads_whose_token_is_refused_renew_it_once(threads: ThreadPoolExecutor) -> None:
    org, settings = slow_org(), configuration()
    client = client_of(org, settings)
    send(client)
    org.revoke_all()
    assert at_once(threads, lambda: send(client)) == [None] * MANY
    assert len(org.token_requests) == 2


def test_threads_that_wait_are_told_when_it_fails(threads: ThreadPoolExecutor) -> None:
    org = slow_org(faults=[answer(503, json=FAULT) for _ in range(MANY)])
    client = client_of(org, configuration())
    ended = at_once(threads, lambda: send(client))
    assert {type(error) for error in ended} == {okta.ServiceException}
    assert len(set(ended)) == len(org.token_requests) < MANY / 2  # a thread that came late asks again
    org.faults.clear()
    send(client)  # and nothing is left behind


def test_a_renewal_ahead_of_need_holds_nobody_up(threads: ThreadPoolExecutor) -> None:
    org, now, asked, go_on = OAuthOrg(), [NOW], threading.Event(), threading.Event()
    org.clock = lambda: now[0]
    client = client_of(org, configuration(), lambda: now[0])
    send(client)
    now[0] += timedelta(seconds=3000)

    def held_up() -> None:
        asked.set()
        go_on.wait()

    org.while_fetching = held_up
    renewing = threads.submit(send, client)
    asked.wait()
    send(client)
    assert org.calls[-1].headers["Authorization"] == "Bearer token-1"
    go_on.set()
    renewing.result()
    assert org.calls[-1].headers["Authorization"] == "Bearer token-2"
    assert len(org.token_requests) == 2


def test_when_the_one_who_fetches_is_interrupted_another_does(threads: ThreadPoolExecutor) -> None:
    org, asked, go_on = OAuthOrg(), threading.Event(), threading.Event()

    def interrupted() -> None:
        if len(org.token_requests) == 1:
            asked.set()
            go_on.wait()
            raise KeyboardInterrupt

    org.while_fetching = interrupted
    client = client_of(org, configuration())
    first = threads.submit(send, client)
    asked.wait()
    others = [threads.submit(send, client) for _ in range(5)]
    go_on.set()
    with pytest.raises(KeyboardInterrupt):
        first.result()
    assert [future.result() for future in others] == [None] * 5
    assert len(org.token_requests) == 2


def test_a_forked_process_does_not_wait_for_a_thread_it_does_not_have() -> None:
    grant = grant_of(configuration())
    turns = [grant.turn(pid, threading.Event, instead_of=None, now=NOW) for pid in (1, 1, 2)]
    assert [type(turn) for turn in turns] == [Lead, Join, Lead]


# -- tasks


def run_tasks(
    org: SlowOrg,
    settings: okta.Configuration,
    do: Callable[[Callable[[], Coroutine[Any, Any, None]]], Coroutine[Any, Any, Any]],
) -> Any:
    async def main() -> Any:
        async with okta.AsyncApiClient(
            settings, transport=httpx2.MockTransport(org.later), clock=lambda: NOW
        ) as client:
            return await do(lambda: okta.AsyncRiskEventApi(client).send_risk_events([EVENT]))

    return asyncio.run(main())


async def all_at_once(send: Callable[[], Coroutine[Any, Any, None]]) -> list[Any]:
    return list(await asyncio.gather(*(send() for _ in range(MANY)), return_exceptions=True))


def test_tasks_fetch_one_token() -> None:
    org = SlowOrg()
    assert run_tasks(org, configuration(), all_at_once) == [None] * MANY
    assert (len(org.token_requests), len(org.calls)) == (1, MANY)


def test_event_loops_one_after_the_other_share_the_token() -> None:
    org, settings = SlowOrg(), configuration()
    for _ in range(2):
        run_tasks(org, settings, all_at_once)
    assert len(org.token_requests) == 1


def test_tasks_whose_token_is_refused_renew_it_once() -> None:
    org, settings = SlowOrg(), configuration()
    run_tasks(org, settings, all_at_once)
    org.revoke_all()
    assert run_tasks(org, settings, all_at_once) == [None] * MANY
    assert len(org.token_requests) == 2


def test_tasks_that_wait_are_told_when_it_fails() -> None:
    org = SlowOrg(faults=[answer(503, json=FAULT)])
    ended = run_tasks(org, configuration(), all_at_once)
    assert {type(error) for error in ended} == {okta.ServiceException}
    assert len(org.token_requests) == 1


def test_when_the_task_that_fetches_is_cancelled_another_does() -> None:
    async def cancel_the_first(send: Callable[[], Coroutine[Any, Any, None]]) -> list[Any]:
        tasks = [asyncio.create_task(send()) for _ in range(5)]
        await asyncio.sleep(FETCH_S / 5)
        tasks[0].cancel()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    org = SlowOrg()
    first, *others = run_tasks(org, configuration(), cancel_the_first)
    assert isinstance(first, asyncio.CancelledError)
    assert others == [None] * 4
    assert (len(org.token_requests), len(org.calls)) == (1, 4)


def test_a_cancelled_task_that_only_waits_stops_nobody() -> None:
    async def cancel_the_last(send: Callable[[], Coroutine[Any, Any, None]]) -> list[Any]:
        tasks = [asyncio.create_task(send()) for _ in range(3)]
        await asyncio.sleep(FETCH_S / 5)
        tasks[-1].cancel()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    org = SlowOrg()
    *others, last = run_tasks(org, configuration(), cancel_the_last)
    assert isinstance(last, asyncio.CancelledError)
    assert others == [None] * 2
    assert len(org.token_requests) == 1


def test_event_loops_of_several_threads_do_not_wait_for_each_other(threads: ThreadPoolExecutor) -> None:
    org, settings = SlowOrg(), configuration()
    running = [threads.submit(run_tasks, org, settings, all_at_once) for _ in range(4)]
    assert [future.result() for future in running] == [[None] * MANY] * 4
    assert 1 <= len(org.token_requests) <= 4
