"""Commands about the account and this machine: login and the cache."""

from __future__ import annotations

import json

import click

from dentframe.cloud.cache import cache_info, clear_cache
from dentframe.cloud.credentials import save_profile


@click.command()
@click.option("--base-url", help="Another service than https://api.dentcloud.io/v1.")
def login(base_url: str | None) -> None:
    """Keep the key and key id in a profile only you can read (0600).

    \b
    Example:
      dentframe login
      dentframe login --base-url https://dentcloud.example/v1
    """
    api_key = click.prompt("API key (x-api-key)", hide_input=True)
    key_id = click.prompt("Key id (x-key-id)", hide_input=True)
    path = save_profile(api_key, key_id, base_url=base_url)
    click.echo(f"Saved to {path}, readable by you alone.", err=True)


@click.group()
def cache() -> None:
    """The cache of answers on this machine."""


@cache.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(as_json: bool) -> None:
    """What the cache holds.

    \b
    Example:
      dentframe cache info
      dentframe cache info --json
    """
    found = cache_info()
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    for name, value in found.items():
        click.echo(f"{name:<12} {value}")


@cache.command("clear")
@click.option("--meter", help="Only this meter's answers.")
def clear(meter: str | None) -> None:
    """Delete what the cache holds.

    \b
    Example:
      dentframe cache clear --meter P482311252
    """
    removed = clear_cache(meter=meter)
    click.echo(f"Removed {removed} answer(s).", err=True)


COMMANDS = (login, cache)
