"""Forms that are fastest alone, tried in the whole graph: layouts and buffers of neighbors count.

OpenVINO lays channels out in blocks inside a graph: a form that is slow alone, for its arrays come
and go in plain order, may be the fastest there.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from ...compiler.graph.ir import Graph
from ...compiler.graph.subgraphs import all_nodes
from ..checking.random_feeds import draw_feeds
from .cache import Cache
from .report import Chosen
from .sites import Site
from .timing import Clock, time_in_turns

USUAL, ALL = "none", "all"

_WORTH_IT = 0.97
"""So much of the time, or less, a whole run must take for other forms than the usual."""

Forms = Mapping[str, str]
"""The form of composites by what tells them apart, see `Site.identity`."""


class Whole:
    """Tries forms in whole graphs."""

    def __init__(
        self,
        sites_in: Callable[[Graph], Iterator[Site]],
        prepare: Callable[[Graph], Any],
        clock: Clock,
    ) -> None:
        self._sites_in = sites_in
        self._prepare = prepare
        self._clock = clock

    def expanded(self, graph: Graph, forms: Forms) -> Graph:
        """Copy a graph with composites in these forms."""
        graph = graph.copy()
        for site in list(self._sites_in(graph)):
            if (form := forms.get(site.identity)) is not None:
                site.expand(form)
        return graph

    def confirm(
        self, graph: Graph, rows: Mapping[str, Chosen], cache: Cache, machine: Mapping[str, Any]
    ) -> tuple[dict[str, str], dict[str, float]]:
        """Give the forms with which the whole graph is fastest, and the seconds of what was tried.

        That is all that are faster alone, or those of one operator, or none, where the graph is
        not clearly faster.

        Raises:
            GraphError: it cannot be run on arrays that are drawn.
        """
        changed = {identity: row for identity, row in rows.items() if row.form != row.usual}
        usual = {identity: row.usual for identity, row in rows.items()}
        if not changed:
            return usual, {}
        operators = dict.fromkeys(row.operator for row in changed.values())
        tried = {ALL: changed} | {
            operator: {i: row for i, row in changed.items() if row.operator == operator}
            for operator in (operators if len(operators) > 1 else ())
        }
        variants = {USUAL: usual} | {
            name: usual | {i: row.form for i, row in part.items()} for name, part in tried.items()
        }
        key = {"graph": _digest(graph), "forms": _hashed(variants), **machine}
        entry = cache.find(key)
        if entry is None:
            winner, seconds = self._race(graph, variants)
            held = dict.fromkeys(seconds, 0)
            entry = {"form": winner, "seconds": seconds, "held": held, "refused": {}}
            entry = cache.keep(key, entry)
        return variants[entry["form"]], entry["seconds"]

    def _race(self, graph: Graph, variants: Mapping[str, Forms]) -> tuple[str, dict[str, float]]:
        """Let one variant after the other run against the best so far: two are held at once."""
        best = USUAL
        found: dict[str, float] = {}
        feeds = draw_feeds(graph, None)
        champion = self._started(graph, variants[USUAL], feeds)
        for name in [n for n in variants if n != USUAL]:
            rival = self._started(graph, variants[name], feeds)
            pair = {best: champion, name: rival}
            seconds = time_in_turns(pair, dict.fromkeys(pair, 0.0), self._clock)
            found |= seconds
            if seconds[name] <= (_WORTH_IT if best == USUAL else 1.0) * seconds[best]:
                best, champion = name, rival
        return best, found

    def _started(
        self, graph: Graph, forms: Forms, feeds: Mapping[str, Any]
    ) -> Callable[[], object]:
        """Prepare a graph and run it once, which does not count."""
        run = self._prepare(self.expanded(graph, forms)).run
        run(feeds)
        return lambda: run(feeds)


def _digest(graph: Graph) -> str:
    """Tell graphs apart by their operators and types."""
    nodes = [(n.operator, [str(v.type) for v in n.writes()]) for n in all_nodes(graph)]
    return _hashed(nodes)


def _hashed(data: Any) -> str:
    return sha256(json.dumps(data).encode()).hexdigest()
