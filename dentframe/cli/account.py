"""Commands login, cache, doctor, demo and emulate: the account, the service and this machine."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import click

from dentframe import emulator
from dentframe.atomic_files import write_whole
from dentframe.cli.options_and_output import FILE, NEW_FILE, json_option, say
from dentframe.cloud.credentials import save_profile
from dentframe.cloud.http_cache import cache_info, clear_cache


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
    say(f"Saved to {path}, readable by you alone.")


@click.group()
def cache() -> None:
    """The cache of answers on this machine."""


@cache.command("info")
@json_option
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
    say(f"Removed {removed} answer(s).")


@click.command()
@click.option(
    "--out",
    type=NEW_FILE,
    default=Path("dentframe-doctor.json"),
    show_default=True,
    help="Where the report goes: JSON without keys, names of meters or sites, or readings.",
)
@click.option("--compare", type=FILE, help="An earlier report, to tell which rows came late.")
def doctor(out: Path, compare: Path | None) -> None:
    """Hold the service against every assumption made here, with at most 30 requests.

    Prints each assumption with ✓ (it holds), ✗ (it does not) or ? (nothing tells), and the
    evidence. Run it again with --compare two days later to see whether rows come late. The exit
    status is 0 once the report is written; its `verdict`s are for scripts.

    \b
    Example:
      dentframe doctor
      dentframe doctor --compare dentframe-doctor.json --out later.json
    """
    from dentframe.doctor import examine

    report = examine(earlier=None if compare is None else compare.read_bytes())
    click.echo(str(report))
    write_whole(out, f"{report.to_json()}\n".encode(), mode=0o644)
    say(f"Report: {out}. It holds no key, no name and no reading: send it to the maintainers.")


@click.command()
@click.option(
    "--out",
    type=NEW_FILE,
    default=Path("dentframe-demo.png"),
    show_default=True,
    help="Where the picture goes.",
)
def demo(out: Path) -> None:
    """Read a month from an embedded DentCloud and show what dentframe is for.

    \b
    Example:
      dentframe demo --out december.png
    """
    from dentframe.cli.demo import run

    run(out)


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve a folder of recorded month answers (METER-YYYY-MM.json).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the invented building.")
@click.option("--port", default=8780, show_default=True, help="Port on loopback; 0 finds one.")
@click.option("--fast", is_flag=True, help="Without the service's limits of 5 a second, 5 at once.")
def emulate(data: Path | None, seed: int, port: int, fast: bool) -> None:
    """Serve a strict stand-in for DentCloud on loopback until Ctrl-C.

    \b
    Example:
      dentframe emulate
      dentframe emulate --seed 7 --port 0 --fast
      dentframe emulate --data recorded --port 0
    """
    source = emulator.Recorded(data) if data else emulator.Plant(seed=seed)
    rate, concurrency = (None, None) if fast else (5.0, 5)
    with emulator.serve(source, port=port, log=say, rate=rate, concurrency=concurrency) as cloud:
        click.echo(f"DentCloud stand-in with {', '.join(source.meters())}. In another terminal:")
        click.echo(f"  export DENTCLOUD_BASE_URL={cloud.url}")
        click.echo(f"  export DENTCLOUD_API_KEY={cloud.api_key} DENTCLOUD_KEY_ID={cloud.key_id}")
        click.echo("  dentframe meters")
        Event().wait()


COMMANDS = (login, cache, doctor, demo, emulate)
