"""The most memory that this process has held so far."""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")


def high_water() -> int:
    """The high-water mark of the resident set [bytes].

    Linux tells it; elsewhere `getrusage` does, which a child may inherit from its parent.
    """
    if STATUS.exists():
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return 1024 * int(next(x.split()[1] for x in lines if x.startswith("VmHWM")))
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
