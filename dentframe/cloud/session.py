"""The only module that speaks HTTP: the adapter that holds the keys, and one attempt.

The keys are put on a copy of a request, right before it is sent, and on nothing else: what
is above the adapter (session, cache, logs, errors) never has them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3.exceptions

from dentframe.cloud.quiet import POOLS
from dentframe.cloud.secret import refuse
from dentframe.cloud.verdict import Fault, Reply
from dentframe.cloud.watch import Watch
from dentframe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dentframe.cloud.ask import Ask, Value
    from dentframe.cloud.credentials import Credentials
    from dentframe.cloud.retry import Retrier

__all__ = ["Answered", "Call", "DentAdapter", "fetch", "fit_out", "plain_session"]

CONNECT = 10.0
"""The longest wait for a connection [s]."""
_CHUNK = 65_536


class Call(requests.PreparedRequest):
    """A prepared request that knows what it asks for."""

    ask: Ask


class Answered(requests.Response):
    """A whole, validated answer without credentials."""

    def __init__(self, call: Call, value: Value, body: bytes, cache_control: str) -> None:
        super().__init__()
        self.status_code, self.reason = 200, "OK"
        self.request, self.url = call, call.url or ""
        self.headers["Cache-Control"] = cache_control
        self.value = value
        self._content = body


@dataclass
class _Went:
    """How one exchange went: what came back, or what broke into it."""

    outcome: Reply | Fault | None = None
    broken_by: type[BaseException] | None = field(default=None)


class DentAdapter(requests.adapters.HTTPAdapter):
    """The end of the line: turn, attempt, validation and retry below the cache.

    Parameters
    ----------
    credentials : Credentials
        Both keys and the only address they go to.
    retrier : Retrier
        Decides when to send, and what an answer means.
    """

    def __init__(self, credentials: Credentials, retrier: Retrier) -> None:
        self._credentials, self._retrier = credentials, retrier
        super().__init__(pool_connections=2, pool_maxsize=retrier.limits.concurrency + 1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that print nothing."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Use them through a proxy too."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *_: Any, **kwargs: Any) -> Answered:
        """Send until it is answered, and return the validated answer."""
        if not isinstance(request, Call) or not self._mine(request.url or ""):
            raise elsewhere(request.url or "")
        ask = request.ask

        def attempt(limit: float, left: float, renew: Callable[[], None]) -> Reply | Fault:
            return self._attempt(request, Watch(limit, left, renew), kwargs)

        value, body = self._retrier.fetch(ask, attempt)
        return Answered(request, value, body, ask.cache_control(value, self._retrier.now()))

    def __getstate__(self) -> NoReturn:
        refuse("pickle a connection")

    def _mine(self, url: str) -> bool:
        return url.partition("?")[0] == self._credentials.base_url

    def _attempt(self, call: Call, watch: Watch, kwargs: dict[str, Any]) -> Reply | Fault:
        try:
            call.ask.plan.begin(watch)
            with watch:
                went = self._exchange(call, watch, kwargs)
        finally:
            call.ask.plan.done(watch)
        # Raised only here: the frame that held the headers is gone, and its exception too.
        if went.broken_by is not None:
            raise went.broken_by
        return went.outcome or Fault("nothing came back")

    def _exchange(self, call: Call, watch: Watch, kwargs: dict[str, Any]) -> _Went:
        try:
            keyed = call.copy()
            keyed.headers.update(self._credentials.headers())
            options = kwargs | {"stream": True, "timeout": (min(CONNECT, watch.left), watch.left)}
            with contextlib.closing(super().send(keyed, **options)) as response:
                return _Went(_read(response, watch))
        except Exception as error:  # noqa: BLE001 - anything that leaves here would carry the keys
            return _Went(_fault(error, watch, self._credentials.scrub))
        except BaseException as error:  # noqa: BLE001 - Ctrl-C too is raised again, without the frames
            return _Went(broken_by=type(error))


def _read(response: requests.Response, watch: Watch) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    parts = []
    while chunk := response.raw.read(_CHUNK, decode_content=False):
        parts.append(chunk)
        watch.received += len(chunk)
    return Reply(response.status_code, headers, b"".join(parts))


def _fault(error: Exception, watch: Watch, scrub: Callable[[str], str]) -> Fault:
    if watch.fired:
        return Fault(f"no whole answer came within {watch.limit:.3g} s")
    reason = f"{type(error).__name__}: {scrub(str(_cause(error)))[-160:]}"
    for kinds, why, settings in _FAULTS:
        if isinstance(error, kinds):
            wrong = any(word in str(error).lower() for word in settings)
            return Fault(f"{why} ({reason})", not wrong, wrong)
    return Fault(f"it could not be sent ({reason})", retryable=False)


_FAULTS: tuple[tuple[tuple[type[Exception], ...], str, tuple[str, ...]], ...] = (
    (
        (requests.exceptions.SSLError,),
        "its certificate cannot be trusted; where a proxy inspects TLS, set REQUESTS_CA_BUNDLE",
        ("certificate",),
    ),
    ((requests.exceptions.Timeout,), "no answer came in time", ()),
    ((requests.exceptions.ProxyError,), "the proxy did not let it through", ()),
    (
        (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema),
        "the address or the proxy cannot be used",
        ("",),
    ),
    ((OSError, urllib3.exceptions.HTTPError), "the connection failed", ("ca certificate bundle",)),
)
"""Errors, what they mean, and the words that show a wrong setting rather than bad luck."""


def _cause(error: Exception) -> Any:
    cause: Any = error.args[0] if error.args else error
    return getattr(cause, "reason", None) or cause


class _Refuser(requests.adapters.BaseAdapter):
    """Stands for every other address."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> NoReturn:
        raise elsewhere(request.url or "")

    def close(self) -> None:
        pass


def elsewhere(url: str) -> RequestError:
    """Make the error for an address that is not the base URL."""
    return RequestError(
        f"Cannot send to host {urlsplit(url).hostname!r}: this client speaks to its base URL alone."
    )


def fit_out(session: requests.Session, base_url: str, adapter: DentAdapter) -> requests.Session:
    """Mount the adapter on the base URL, and a refusal on everything else."""
    for name in list(session.adapters):
        session.adapters.pop(name).close()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Refuser())
    session.mount(base_url, adapter)
    return session


def plain_session() -> requests.Session:
    """Make a session without a cache."""
    return requests.Session()


def fetch(session: requests.Session, base_url: str, ask: Ask) -> requests.Response:
    """Send a request through the session and its cache.

    It is prepared without the session, so that neither netrc nor cookies come in; proxies and
    CA bundles of the environment do, except that http (loopback) never leaves the machine.
    """
    call = Call()
    call.ask = ask
    call.prepare(
        method="GET",
        url=f"{base_url}?{ask.query()}",
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "dentframe",
        },
    )
    options: dict[str, Any] = dict(
        session.merge_environment_settings(call.url, {}, None, None, None)
    )
    if base_url.startswith("http:"):
        options["proxies"] = {}
    return session.send(call, allow_redirects=False, **options)
