"""The emulator is a strict DentCloud on loopback, for your own tests.

::

    @pytest.fixture
    def cloud():
        with emulator.serve() as cloud:
            yield cloud

It is written from the API's document alone and shares no code with the client: what the
client understands, this has not been told. Its data comes from a :class:`Plant` (seeded
meters that obey physics), a :class:`Recorded` folder, :class:`Fixed` rows, or any
:class:`Source` of your own; :data:`FAULTS` lists what can be made to go wrong, and
:data:`QUIRKS` how the service can differ from what dentframe assumes.
"""

from __future__ import annotations

from .faults_and_quirks import FAULTS, QUIRKS, Fault, Faults
from .http_server import Cloud, serve
from .requests_and_limits import Seen
from .simulated_meters import Element, Event, Load, Meter
from .sources import EVENTS, METERS, Fixed, Peak, Plant, Recorded, Source, panel

__all__ = [
    "EVENTS", "FAULTS", "METERS", "QUIRKS", "Cloud", "Element", "Event", "Fault", "Faults",
    "Fixed", "Load", "Meter", "Peak", "Plant", "Recorded", "Seen", "Source", "panel", "serve",
]  # fmt: skip
