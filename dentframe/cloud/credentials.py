"""The two keys and the base URL come from arguments, the environment or a profile.

A key shows itself to nobody: not to ``repr``, ``vars``, ``pickle`` or a traceback. Nothing here
speaks HTTP.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from dentframe.atomic_files import write_whole
from dentframe.errors import AuthError, ConfigError

_USABLE = re.compile(r"[\x21-\x7e]{1,512}")


class Secret:
    """A text that only :attr:`reveal` gives away.

    Making one never fails, so that no traceback holds the bare text; ask :attr:`usable`.

    Parameters
    ----------
    value : str
        The key, as it goes into the header.
    """

    __slots__ = ("digest", "reveal", "usable")
    reveal: Callable[[], str]

    def __init__(self, value: object) -> None:
        clean = value.strip() if isinstance(value, str) else ""
        self.usable = _USABLE.fullmatch(clean) is not None
        self.digest = hashlib.sha256(clean.encode("utf-8", "replace")).hexdigest()
        # A closure: there is no attribute for vars(), a debugger or a traceback to walk into.
        self.reveal = lambda: clean

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse("copy or pickle a key")


def secret(value: object) -> Secret | None:
    """Wrap a key, where there is one. Never fails."""
    if value is None or isinstance(value, Secret):
        return value
    return Secret(value)


def usable(key: Secret | None, name: str) -> Secret | None:
    """Return the key, or raise where it cannot be a header value.

    Raises
    ------
    ConfigError
        If it is empty, or holds a blank or a character that a header cannot carry.
    """
    if key is None or key.usable:
        return key
    raise ConfigError(
        f"Cannot use this {name}: it is empty, or holds a blank or a character that a header "
        "cannot carry (the value is not shown). Copy it again from your account."
    )


def refuse(what: str) -> NoReturn:
    """Raise: keys stay in the process that loaded them."""
    raise ConfigError(
        f"Cannot {what}: keys stay in the process that loaded them. Make a DentCloud where it "
        "is needed; there it finds its own credentials (DENTCLOUD_API_KEY, DENTCLOUD_KEY_ID)."
    )


BASE_URL = "https://api.dentcloud.io/v1"
_HOW = (
    "Give both api_key and key_id, set both DENTCLOUD_API_KEY and DENTCLOUD_KEY_ID, "
    "or run `dentframe login` once."
)


@dataclass(frozen=True)
class Credentials:
    """The two keys, the service they belong to, and the account they name.

    Attributes
    ----------
    base_url : str
        The service.
    api_key, key_id : Secret or None
        Both for requests; offline the key id alone, or none.
    """

    base_url: str
    api_key: Secret | None = field(default=None, repr=False)
    key_id: Secret | None = field(default=None, repr=False)

    @cached_property
    def account(self) -> str | None:
        """A name for the account that survives a new key: a hash of base URL and key id."""
        if self.key_id is None:
            return None
        text = f"{self.base_url}\n{self.key_id.digest}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    @cached_property
    def mark(self) -> str:
        """A few letters that differ between two keys of an account."""
        digest = "" if self.api_key is None else self.api_key.digest
        return hashlib.sha256(f"{self.account}\n{digest}".encode()).hexdigest()[:8]

    def headers(self) -> dict[str, str]:
        """The two headers in the clear: for the adapter's copy of a request alone."""
        if self.api_key is None or self.key_id is None:
            raise AuthError(f"Cannot ask the service: there is no key. {_HOW}")
        return {"x-api-key": self.api_key.reveal(), "x-key-id": self.key_id.reveal()}

    def scrub(self, text: str) -> str:
        """Take both keys out of a text that came from outside."""
        for key in filter(None, (self.api_key, self.key_id)):
            text = text.replace(key.reveal(), "***")
        return text

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        refuse("copy or pickle credentials")


def load(
    api_key: object = None, key_id: object = None, base_url: object = None, *, offline: bool = False
) -> Credentials:
    """Find the credentials: the arguments, else the environment, else the profile.

    Parameters
    ----------
    api_key, key_id : str or Secret, optional
        Both or neither; offline the key id alone will do.
    base_url : str, optional
        The service; else ``DENTCLOUD_BASE_URL``, else the profile's, else the public one.
    offline : bool
        Whether a key may be missing.

    Raises
    ------
    ConfigError
        For half a pair, a base URL that is not safe, or a profile that others can read.
    AuthError
        If there are no credentials at all.
    """
    # Nothing bare stays in this frame: a traceback with locals would show it.
    api_key, key_id, base_url = secret(api_key), secret(key_id), secret(base_url)
    url: object = base_url or _from_environment("BASE_URL")
    pair = _pair(api_key, key_id, "the arguments", offline)
    if pair is None:
        given = _from_environment("API_KEY"), _from_environment("KEY_ID")
        pair = _pair(*given, "the environment", offline)
    if pair is None:
        profile = profile_path()
        kept, why = _parse(profile)
        if why:
            raise ConfigError(f"Cannot use the profile {profile}: {why}.")
        where = f"the profile {profile}"
        pair = _pair(kept.get("api_key"), kept.get("key_id"), where, offline)
        url = url or kept.get("base_url")
    if pair is None and not offline:
        raise AuthError(f"Cannot find credentials for DentCloud. {_HOW}")
    return Credentials(check_url(url or BASE_URL), *(pair or (None, None)))


def _from_environment(name: str) -> Secret | None:
    return secret(os.environ.get(f"DENTCLOUD_{name}") or None)


def _pair(
    api_key: Secret | None, key_id: Secret | None, where: str, offline: bool
) -> tuple[Secret | None, Secret | None] | None:
    if api_key is None and key_id is None:
        return None
    if key_id is not None and (api_key is not None or offline):
        return usable(api_key, f"api_key in {where}"), usable(key_id, f"key_id in {where}")
    lack = "api_key" if api_key is None else "key_id"
    raise ConfigError(f"Cannot use half a pair of keys: {where} lack the {lack}. {_HOW}")


def check_url(url: object) -> str:
    """Return the base URL in one spelling, or refuse one that would give the keys away.

    Raises
    ------
    ConfigError
        If it is neither https nor http on loopback, or holds a user, a query or a fragment.
    """
    url = secret(url)
    clean, why = _checked_url(url)
    if why:
        raise ConfigError(f"Cannot use this base URL: {why}. It reads like {BASE_URL}.")
    return clean


def _checked_url(url: Secret | None) -> tuple[str, str]:
    """Return the URL, or why not: no user or password in it may reach a traceback."""
    try:
        parts = urlsplit(url.reveal() if url is not None else "")
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "", "it is no URL"
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None:
        return "", "it holds a user or password, and URLs end up in logs; give the keys apart"
    if parts.query or parts.fragment or not host:
        return "", f"it needs a host, and no '?' or '#' (host {host!r})"
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        return "", f"the keys would go to {host!r} unencrypted; use https (http is for loopback)"
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{port}{parts.path.rstrip('/')}", ""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def profile_path() -> Path:
    """Where the profile is: ``DENTCLOUD_PROFILE``, or in the user's config folder."""
    if chosen := os.environ.get("DENTCLOUD_PROFILE"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_config_dir("dentframe", appauthor=False)) / "credentials.toml"


def cache_folder(cache: bool | str | os.PathLike[str] = True) -> Path:
    """Where the cache is: the folder given, ``DENTCLOUD_CACHE_DIR``, or the user's cache folder."""
    if not isinstance(cache, bool):
        try:
            return Path(cache).expanduser()
        except TypeError:
            why = "it is no folder. Give one, or True for the usual one, or False for none."
            raise ConfigError(f"Cannot use cache={cache!r}: {why}") from None
    if chosen := os.environ.get("DENTCLOUD_CACHE_DIR"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("dentframe", appauthor=False))


def _parse(path: Path) -> tuple[dict[str, Secret | None], str]:
    """Read the profile; a fault comes back as a text, so that no traceback holds the file."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                return {}, f"others can read it. Run: chmod 600 {path}"
            kept = tomllib.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except OSError as error:
        return {}, error.strerror or type(error).__name__
    except (ValueError, RecursionError):  # also an integer of 5,000 digits
        return {}, "it is no TOML. Run `dentframe login` again"
    return {k: secret(kept[k]) for k in ("api_key", "key_id", "base_url") if k in kept}, ""


def save_profile(api_key: object, key_id: object, base_url: str | None = None) -> Path:
    """Write the profile that :func:`load` finds, readable by its owner alone.

    Parameters
    ----------
    api_key, key_id : str
        The pair.
    base_url : str, optional
        The service they belong to, if it is not the public one.

    Returns
    -------
    pathlib.Path
        Where it is.

    Raises
    ------
    ConfigError
        If a value cannot be used, or the file not be written.
    """
    api_key, key_id = secret(api_key), secret(key_id)
    if api_key is None or key_id is None:
        raise ConfigError(f"Cannot save half a pair of keys. {_HOW}")
    usable(api_key, "api_key")
    usable(key_id, "key_id")
    target = profile_path()
    url = check_url(base_url) if base_url else None
    why = _write(target, api_key, key_id, url)
    if why:
        raise ConfigError(f"Cannot write the profile {target}: {why}.")
    return target


def _write(target: Path, api_key: Secret, key_id: Secret, base_url: str | None) -> str:
    values = {"api_key": api_key.reveal(), "key_id": key_id.reveal(), "base_url": base_url}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items() if value]
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            target.chmod(0o600)
        write_whole(target, "".join(lines).encode())
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
