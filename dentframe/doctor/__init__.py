"""The doctor holds what a service does against every assumption made here, with few requests."""

from __future__ import annotations

from dentframe.doctor.findings import Finding
from dentframe.doctor.report import Report, examine

__all__ = ["Finding", "Report", "examine"]
