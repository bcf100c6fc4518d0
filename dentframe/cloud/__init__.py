"""The cloud package reads windows from the service, within its limits and from a cache.

A read goes from the planner to the cache, the limiter, the transport and the decoder.
"""

from dentframe.cloud.client import DentCloud
from dentframe.cloud.planner import Window
from dentframe.cloud.read_in_threads import Answer, Job

__all__ = ["Answer", "DentCloud", "Job", "Window"]
