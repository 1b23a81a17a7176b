"""A call of each public function with arguments that it takes, to be spoilt one by one."""

from .calls import CALLS
from .graphs import FEEDS, GRAPH, SGD, STEP, Call, network

__all__ = ["CALLS", "FEEDS", "GRAPH", "SGD", "STEP", "Call", "network"]
