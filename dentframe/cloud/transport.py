"""The transport alone speaks HTTP: the session, the adapter that holds the keys, one exchange.

The keys are put on a copy of a request, right before it is sent, and on nothing else: what
is above the adapter (session, cache, logs, errors) never has them.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests_cache
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions
from requests.exceptions import InvalidSchema, InvalidURL, ProxyError, SSLError, Timeout
from requests_cache.backends.base import BaseCache
from requests_cache.models.response import CachedResponse

from dentframe.cloud.credentials import Credentials, refuse
from dentframe.cloud.requests_and_responses import LARGEST, ApiRequest, Reply, Value
from dentframe.cloud.retry import AttemptTimer, Retrier
from dentframe.errors import ConfigError, DentError, RequestError, UnavailableError

if TYPE_CHECKING:
    from dentframe.cloud.http_cache import HttpCache


class _Cuttable:
    """A connection that prints no headers and can be cut."""

    debuglevel = 0  # whatever http.client's own is: at 1 it prints the headers
    sock: Any
    last_sock: Any = None

    def connect(self) -> None:
        AttemptTimer.current.timer.adopt(self)
        super().connect()  # type: ignore[misc] # the mixin of a connection class

    def request(self, *args: Any, **kwargs: Any) -> None:
        AttemptTimer.current.timer.adopt(self)
        super().request(*args, **kwargs)  # type: ignore[misc] # the mixin of a connection class
        self.last_sock = self.sock

    def set_debuglevel(self, level: int) -> None:
        """Print nothing all the same."""


class _HTTPConnection(_Cuttable, urllib3.connection.HTTPConnection):
    pass


class _HTTPSConnection(_Cuttable, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls: Any = _HTTPConnection  # urllib3 types its own by a narrower protocol


class _HTTPSPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls: Any = _HTTPSConnection


POOLS = {"http": _HTTPPool, "https": _HTTPSPool}
"""Pools of such connections, by scheme."""
CONNECT = 10.0
"""The longest wait for a connection [s]."""
_CHUNK = 65_536


class PreparedApiRequest(requests.PreparedRequest):
    """A prepared request that knows what it asks for."""

    api_request: ApiRequest


class ValidResponse(requests.Response):
    """A whole, validated answer without credentials."""

    request: PreparedApiRequest

    def __init__(self, request: PreparedApiRequest, value: Value, size: int, reply: Reply) -> None:
        super().__init__()
        self.status_code, self.reason = 200, "OK"
        self.request, self.url = request, request.url or ""
        self.value, self.size, self.reply = value, size, reply
        self._content = reply.body


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
        super().__init__(pool_connections=2, pool_maxsize=retrier.concurrency + 1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that print nothing."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Use them through a proxy too."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *_: Any, **kwargs: Any) -> ValidResponse:
        """Send until it is answered, and return the validated answer."""
        url = (request.url or "").partition("?")[0]  # requests gives a bare host the path /
        mine = url.rstrip("/") == self._credentials.base_url.rstrip("/")
        if not mine or not isinstance(request, PreparedApiRequest):
            host = urlsplit(request.url or "").hostname
            said = "this client speaks to its base URL alone"
            raise RequestError(f"Cannot send to host {host!r}: {said}.")
        exchange = partial(self._exchange, request, kwargs)
        return ValidResponse(request, *self._retrier.fetch(request.api_request, exchange))

    def __getstate__(self) -> NoReturn:
        refuse("pickle a connection")

    def _exchange(
        self, request: PreparedApiRequest, kwargs: dict[str, Any], timer: AttemptTimer
    ) -> Reply | DentError | type[BaseException]:
        try:
            keyed = request.copy()
            keyed.headers.update(self._credentials.headers())
            options = kwargs | {"stream": True, "timeout": (min(CONNECT, timer.left), timer.left)}
            with contextlib.closing(super().send(keyed, **options)) as response:
                return _read(response, timer)
        except Exception as error:  # noqa: BLE001 - anything that leaves here would carry the keys
            return _fault(request.api_request, error, timer, self._credentials.scrub)
        except BaseException as error:  # noqa: BLE001 - Ctrl-C too is raised again, without the frames
            return type(error)


def _read(response: requests.Response, timer: AttemptTimer) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = io.BytesIO()
    # A body beyond the largest is refused, however it goes on.
    while timer.received <= LARGEST and (chunk := response.raw.read(_CHUNK, decode_content=False)):
        body.write(chunk)
        timer.received += len(chunk)
    return Reply(response.status_code, headers, body.getvalue())


def _fault(
    request: ApiRequest, error: Exception, timer: AttemptTimer, scrub: Callable[[str], str]
) -> DentError:
    """Why nothing whole came back."""
    cause: Any = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    found = (fault for fault in _FAULTS if isinstance(error, fault[0]))
    _, why, settings = next(found, (Exception, "it could not be sent", None))
    why += f" ({type(error).__name__}: {scrub(str(cause))[-160:]})"
    if timer.fired:
        why, settings = f"no whole answer came within {timer.limit:.3g} s", ()
    if any(word in str(error).lower() for word in settings or ()):
        return ConfigError(f"Cannot ask for {request}: {why}.")
    return UnavailableError(
        f"Cannot read {request}: {why}. Run it again later; what was read is in the cache.",
        retryable=settings is not None,
    )


_FAULTS: tuple[tuple[tuple[type[Exception], ...], str, tuple[str, ...]], ...] = (
    (
        (SSLError,),
        "its certificate cannot be trusted; where a proxy inspects TLS, set REQUESTS_CA_BUNDLE",
        ("certificate",),
    ),
    ((Timeout,), "no answer came in time", ()),
    ((ProxyError,), "the proxy did not let it through", ()),
    ((InvalidURL, InvalidSchema), "the address or the proxy cannot be used", ("",)),
    ((OSError, urllib3.exceptions.HTTPError), "the connection failed", ("ca certificate bundle",)),
)
"""Errors, what they mean, and the words that show a wrong setting rather than bad luck."""


def new_session(credentials: Credentials, retrier: Retrier, cache: HttpCache) -> requests.Session:
    """Make a session that speaks to the base URL alone, and looks in the cache before it asks."""
    session = requests_cache.CachedSession(
        backend=_SessionBackend(cache), key_fn=lambda request, **_: _key(request, cache.account)
    )
    adapter = DentAdapter(credentials, retrier)
    for scheme in ("https://", "http://"):  # it refuses every other address
        session.mount(scheme, adapter)
    return session


def _key(request: Any, account: str) -> str:
    # Nothing is kept under the empty key: the adapter refuses what is no request of the API.
    known = isinstance(request, PreparedApiRequest)
    return request.api_request.key(account) if known else ""


def send(session: requests.Session, base_url: str, request: ApiRequest) -> Any:
    """Send a request through the session and its cache: a `ValidResponse`, or a cached one.

    It is prepared without the session, so that neither netrc nor cookies come in; proxies and
    CA bundles of the environment do, except that http (loopback) never leaves the machine.
    """
    prepared = PreparedApiRequest()
    prepared.api_request = request
    prepared.prepare(
        method="GET",
        url=f"{base_url}?{request.query()}",
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "dentframe",
        },
    )
    options = session.merge_environment_settings(prepared.url, {}, None, None, None)
    if base_url.startswith("http:"):
        options["proxies"] = {}
    return session.send(prepared, allow_redirects=False, **options)


class _SessionBackend(BaseCache):
    """The backend: bodies alone, by readable keys, never a header, URL or pickle.

    How long an answer is kept is the cache's own rule, by its own clock, so requests-cache only
    sees what it may serve.
    """

    def __init__(self, cache: HttpCache) -> None:
        super().__init__(cache_name="dentframe")
        self._cache = cache

    def get_response(self, key: str, default: Any = None) -> Any:
        """Return a fresh answer."""
        found = self._cache.body(key)
        answer: Any = CachedResponse  # its parameters are attrs' own, which pyright cannot see
        return answer(status_code=200, reason="OK", content=found.body) if found else default

    def save_response(self, response: Any, *_: Any, **__: Any) -> None:
        """Keep a validated answer."""
        request, keep = response.request.api_request, self._cache.keep_answer
        if request.read.store and not self._cache.file.closed:
            answer = request, response.value, response.reply, response.size
            request.read.in_turn(lambda: keep(*answer))
