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
from .loads import Load
from .requests_sources_and_limits import Fixed, Recorded, Seen, Source
from .simulated_meters import EVENTS, METERS, Element, Event, Meter, Peak, Plant, panel

__all__ = [
    "EVENTS", "FAULTS", "METERS", "QUIRKS", "Cloud", "Element", "Event", "Fault", "Faults",
    "Fixed", "Load", "Meter", "Peak", "Plant", "Recorded", "Seen", "Source", "panel", "serve",
]  # fmt: skip
