"""The engine as xarray finds it: every parameter by name, the work elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from xarray.backends import BackendEntrypoint

from dentframe.errors import RangeError
from dentframe.xarray_backend.address import is_address, meters_of
from dentframe.xarray_backend.archived import open_archive
from dentframe.xarray_backend.cloud import open_cloud
from dentframe.xarray_backend.wanted import Wanted, dropped_names, topics_without
from dentframe.xarray_backend.worker import refuse_cloud_on_worker

if TYPE_CHECKING:
    import os

    import xarray as xr

    from dentframe.cloud.client import DentCloud
    from dentframe.instants import Zone


class DentCloudBackendEntrypoint(BackendEntrypoint):
    """Meters of DentCloud as Datasets: ``xr.open_dataset("dentcloud://P…", engine="dentcloud")``.

    Name the engine: xarray's guess gives every ``…://`` to netCDF4.
    """

    description = "DENT meters from DentCloud or an archive (dentcloud://METER)"
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "start",
        "end",
        "topics",
        "tz",
        "bracket",
        "archive",
        "errors",
        "interval",
        "demand_lag",
        "client",
        "progress",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        start: Any = None,
        end: Any = None,
        topics: Any = None,
        tz: Zone = "UTC",
        bracket: bool = False,
        archive: str | os.PathLike[str] | Any = None,
        errors: str = "raise",
        interval: Any = "15min",
        demand_lag: Any = "0min",
        client: DentCloud | None = None,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Open meters; `dentframe.open_dataset` tells of the parameters and errors."""
        if start is None:
            raise RangeError(
                f"Cannot open {filename_or_obj!r} without a start. Pass it to open_dataset, "
                'e.g. start="2023-12" (and end= for what is no whole year, month or day).'
            )
        dropped = dropped_names(drop_variables)
        wanted = Wanted(
            meter=meters_of(filename_or_obj),
            start=start,
            end=end,
            topics=topics_without(topics, dropped),
            tz=tz,
            bracket=bracket,
            errors=errors,
            interval=interval,
            demand_lag=demand_lag,
            dropped=dropped,
        )
        if archive is not None and client is None:
            return open_archive(wanted, archive)
        refuse_cloud_on_worker(filename_or_obj)
        return open_cloud(wanted, client=client, archive=archive, progress=progress)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether this is an address ``dentcloud://…``."""
        return is_address(filename_or_obj)
