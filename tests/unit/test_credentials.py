"""Where the keys come from, and what is refused."""

from __future__ import annotations

import os
import stat

import pytest

from dentframe.cloud import credentials
from dentframe.cloud.credentials import BASE_URL, check_url
from dentframe.errors import AuthError, ConfigError


def load(*given, env=None, path=None, **options):
    """The credentials found with these variables in the environment, and the profile there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        if path is not None:
            patch.setenv("DENTCLOUD_PROFILE", str(path))
        return credentials.load(*given, **options)


def save_profile(*given, path):
    """Write the profile there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENTCLOUD_PROFILE", str(path))
        return credentials.save_profile(*given)


def keys(found):
    return found.api_key.reveal(), found.key_id.reveal()


def env(**names):
    return {f"DENTCLOUD_{name}": value for name, value in names.items()}


def test_arguments_come_before_the_environment(tmp_path):
    """Given keys win over those of the environment."""
    found = load("a", "b", env=env(API_KEY="c", KEY_ID="d"), path=tmp_path / "none")
    assert (keys(found), found.base_url) == (("a", "b"), BASE_URL)


def test_the_environment_comes_before_the_profile(tmp_path):
    """A profile is read only where the environment has no key."""
    path = save_profile("p", "q", "https://other.example/v1/", path=tmp_path / "profile.toml")
    assert keys(load(env=env(API_KEY="c", KEY_ID="d"), path=path)) == ("c", "d")
    found = load(env={}, path=path)
    assert (keys(found), found.base_url) == (("p", "q"), "https://other.example/v1")


@pytest.mark.parametrize("half", [("a", None), (None, "b")])
@pytest.mark.parametrize("offline", [False, True])
def test_half_a_pair_is_an_error(half, offline, tmp_path):
    """One key alone is refused, even if the environment has both; offline the id will do."""
    both = env(API_KEY="c", KEY_ID="d")
    if offline and half[1]:
        assert load(*half, env=both, offline=True).account
        return
    with pytest.raises(ConfigError, match="half a pair"):
        load(*half, env=both, offline=offline, path=tmp_path / "none")


def test_without_credentials_the_error_says_how(tmp_path):
    """No key anywhere: an AuthError that names all three ways."""
    with pytest.raises(AuthError, match=r"api_key.*DENTCLOUD_API_KEY.*dentframe login"):
        load(env={}, path=tmp_path / "none")
    assert load(env={}, path=tmp_path / "none", offline=True).account is None


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize(
    "line",
    [
        f"base_url = {'9' * 5000}",
        f"base_url = 0x{'f' * 5000}",
        f"api_key = {'[' * 3000}",
        f"api_key = {'{a=' * 3000}",
        "api_key = 1e999999",
        "api_key = '\x00'",
        "\ud800",
    ],
    ids=["digits", "hex", "lists", "tables", "exponent", "nul", "half"],
)
def test_a_profile_that_is_damaged_is_named_and_never_shown(line, tmp_path):
    """Digits, depth, numbers and bytes that TOML readers give up on are one kind of error."""
    path = tmp_path / "credentials.toml"
    path.write_bytes(f'key_id = "id-secret"\n{line}\n'.encode(errors="surrogatepass"))
    path.chmod(0o600)
    with pytest.raises(ConfigError) as raised:
        load(path=path, env={})
    assert "id-secret" not in str(raised.value)


def test_a_profile_that_others_could_read_is_theirs_no_more(tmp_path):
    """Writing it again takes it from them, though a file that is there keeps its permissions."""
    path = tmp_path / "credentials.toml"
    path.write_text("")
    path.chmod(0o644)
    save_profile("key", "id", path=path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["credentials.toml"]


def test_a_profile_is_its_owners_alone(tmp_path):
    """It is written with 0600, and refused when others can read it."""
    path = save_profile("p", "q", path=tmp_path / "sub" / "profile.toml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load(env={}, path=path)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.dentcloud.io/v1",
        "https://user:password@api.dentcloud.io/v1",
        "https://user@api.dentcloud.io",
        "https://api.dentcloud.io/v1?x=1",
        "https://api.dentcloud.io/v1#x",
        "ftp://api.dentcloud.io",
        "api.dentcloud.io",
        "https://",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "https://host:port",
    ],
)
def test_an_unsafe_base_url_is_refused(url):
    """Not https (but on loopback), userinfo, query, fragment, no host."""
    with pytest.raises(ConfigError, match="base URL"):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://API.dentcloud.io/v1/", "https://api.dentcloud.io/v1"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://localhost/v1", "http://localhost/v1"),
    ],
)
def test_a_base_url_has_one_spelling(url, same):
    """Case and a trailing slash do not make another account."""
    assert check_url(url) == same


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "é", "x" * 600, 5])
def test_a_key_that_no_header_carries_is_refused(bad):
    """Blanks inside, line breaks, other alphabets: refused before anything is sent."""
    with pytest.raises(ConfigError, match="Cannot use this api_key"):
        load(bad, "id", env={})


def test_an_account_is_base_url_and_key_id_and_survives_a_new_key():
    """A rotated key keeps its account; another id or service is another account."""
    one = load("a", "id", env={}).account
    assert load("b", "id", env={}).account == one
    assert load("a", "other", env={}).account != one
    assert load("a", "id", "https://other.example", env={}).account != one
