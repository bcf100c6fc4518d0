"""What a frame of meter readings is to a type checker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from dentframe.accessor import DentAccessor

    class DentFrame(pd.DataFrame):
        """A DataFrame whose ``dent`` is known to editors and type checkers.

        It exists for annotations: ``def december(df: DentFrame) -> None``. When the program
        runs it is `pandas.DataFrame`, and every reader returns just that.
        """

        @property
        def dent(self) -> DentAccessor:
            """The verbs."""
            raise NotImplementedError
else:
    DentFrame = pd.DataFrame
