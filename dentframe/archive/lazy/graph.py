"""Dask, where it is installed: frames made part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dentframe.errors import ConfigError, missing_extra

if TYPE_CHECKING:
    from dentframe.archive.lazy.wanted import Batch


def dataframe(what: str) -> Any:
    """The module ``dask.dataframe``, or the error that names the extra."""
    try:
        import dask.dataframe
    except ImportError:
        raise missing_extra(what, "dask") from None
    return dask.dataframe


def check_batch(batch: int | None, otherwise: int) -> int:
    """How many meters a partition has.

    Raises
    ------
    ConfigError
        For what is no whole number from 1.
    """
    if batch is None:
        return otherwise
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise ConfigError(
            f"Cannot use batch={batch!r}: it is how many meters a partition has, a whole number "
            "from 1."
        )
    return batch


def assemble(
    dd: Any, make: Callable[..., pd.DataFrame], batches: Sequence[Batch], meta: pd.DataFrame
) -> Any:
    """A Dask frame that makes each of its parts from a batch."""
    import dask.config

    # The text columns are what they should be; Dask would turn `flags`, which are tuples, to text.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(make, list(batches), meta=meta, label="dentframe")


def text_dtype() -> Any:
    """The dtype of names in a Dask frame: ``str``, before pandas 3 ``string[pyarrow]``."""
    own = pd.Series(["-"]).dtype
    return "string[pyarrow]" if str(own) == "object" else own


def conform(parts: Sequence[pd.DataFrame], meta: pd.DataFrame) -> pd.DataFrame:
    """Parts as one frame with the columns and dtypes of `meta`."""
    found = [part for part in parts if len(part)]
    if not found:
        return meta
    whole = found[0] if len(found) == 1 else pd.concat(found)
    if list(whole.columns) != list(meta.columns):
        whole = whole.reindex(columns=meta.columns)
    whole.attrs = {}
    here, wanted = dict(whole.dtypes), dict(meta.dtypes)
    changed = {c: wanted[c] for c in wanted if here[c] != wanted[c]}
    return whole.astype(changed) if changed else whole
