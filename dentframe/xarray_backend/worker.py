"""Whether this is a Dask worker: workers never ask the cloud."""

from __future__ import annotations

import sys

from dentframe.errors import ConfigError


def on_worker() -> bool:
    """Whether this runs in a task of a `distributed` cluster."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except (ValueError, AttributeError):
        return False
    return True


def refuse_cloud_on_worker(target: object) -> None:
    """Refuse to ask the cloud from a cluster.

    Raises
    ------
    ConfigError
        In a task of a `distributed` cluster.
    """
    if on_worker():
        raise ConfigError(
            f"Cannot open {target!r} from the cloud on a Dask worker: the service's limits are "
            "one account's, however many workers there are, and keys are not sent to them. "
            "Sync the meters once with dentframe.sync and open them with archive=, or open the "
            "dataset where the cluster's client is."
        )
