"""Commands that need no key: the demo, and the emulator for your own programs."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import click

from dentframe import emulator


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
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
    with emulator.serve(source, port=port, log=_log, rate=rate, concurrency=concurrency) as cloud:
        click.echo(f"DentCloud stand-in with {', '.join(source.meters())}. In another terminal:")
        click.echo(f"  export DENTCLOUD_BASE_URL={cloud.url}")
        click.echo(f"  export DENTCLOUD_API_KEY={cloud.api_key} DENTCLOUD_KEY_ID={cloud.key_id}")
        click.echo("  dentframe meters")
        Event().wait()


def _log(line: str) -> None:
    click.echo(line, err=True)


COMMANDS = (demo, emulate)
