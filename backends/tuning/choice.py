"""Choose the form of each composite by timing all of them, each alone, where they will run."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ...compiler.composites.form_choice import MOST_HELD
from ...compiler.errors import OnnxgradError
from ...compiler.graph.ir import Graph
from ...compiler.opset import OPSET
from ...compiler.passes.operator_costs import UnknownSize, bytes_of
from ...compiler.passes.peak_memory import peak_of
from ..base import Backend
from ..checking.comparison import compare
from ..checking.random_feeds import draw_feeds
from .cache import Cache
from .machine import describe
from .report import Chosen, Tuning
from .sites import Site, sites_in
from .timing import Clock, time_in_turns
from .whole import Whole

WORTH = 0.9
"""A form takes the place of the usual one if it takes so much of its time alone, or less: a
difference below that is often noise, or lost again beside what stands around it."""


def tune(
    graph: Graph,
    backend: Backend,
    options: Mapping[str, Any],
    cache: Cache,
    clock: Clock,
    lasting: bool = False,
    opset: int = OPSET,
) -> tuple[Graph, Tuning]:
    """Give a copy of a graph whose composites have the forms that are fastest, and what was chosen.

    Args:
        graph: the graph, unchanged by this.
        backend: where the forms are timed.
        options: what the backend is told, such as its threads.
        cache: where winners are kept.
        clock: gives seconds.
        lasting: take forms only that may be differentiated again and batched, as files hold them.
        opset: take forms only that this opset has the operators for.
    """
    start = clock()
    tuning = Tuning(f"forms of {graph.name} on {backend.name}", backend.name)
    machine = describe(backend, options)
    alike: dict[str, list[Site]] = {}
    for site in sites_in(graph, backend, lasting, opset):
        if site.unknown is not None:
            tuning.left[site.node.label] = site.unknown
        else:
            alike.setdefault(site.identity, []).append(site)
    prepare = partial(_prepare, backend, options)
    rows: dict[str, Chosen] = {}
    for identity, sites in alike.items():
        first = sites[0]
        key = first.key | machine
        entry = cache.find(key)
        from_cache = entry is not None
        if entry is None:
            entry = _measure(first, prepare, clock)
            if not entry["seconds"]:
                tuning.left[first.node.label] = next(iter(entry["refused"].values()))
                continue
            entry = cache.keep(key, entry)
        rows[identity] = _row(sites, entry, from_cache)
    whole = Whole(partial(sites_in, backend=backend, lasting=lasting, opset=opset), prepare, clock)
    try:
        forms, tuning.whole = whole.confirm(graph, rows, cache, machine)
    except OnnxgradError as error:  # it may want other arrays than those that are drawn
        forms = {identity: row.usual for identity, row in rows.items()}
        tuning.left["the whole graph"] = str(error)
    tuning.rows = [replace(row, form=forms[identity]) for identity, row in rows.items()]
    tuning.seconds = clock() - start
    return whole.expanded(graph, forms), tuning


def _row(sites: list[Site], entry: Mapping[str, Any], from_cache: bool) -> Chosen:
    first = sites[0]
    return Chosen(
        operator=first.node.op_type,
        name=first.node.title,
        sizes=first.sizes,
        count=len(sites),
        usual=first.usual,
        form=entry["form"],
        seconds=entry["seconds"],
        held=entry["held"],
        refused=entry["refused"],
        from_cache=from_cache,
    )


def _prepare(backend: Backend, options: Mapping[str, Any], graph: Graph) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a form that may not be taken
        return backend.prepare(graph, **options)


def _measure(site: Site, prepare: Any, clock: Clock) -> dict[str, Any]:
    """Time every form of a composite that gives what the usual one gives."""
    feeds = draw_feeds(site.alone(site.usual), None)
    calls, first, held, refused = {}, {}, {}, {}
    expected: Mapping[str, Any] | None = None
    for form in sorted(site.forms, key=lambda f: f != site.usual):
        graph = site.alone(form)
        try:
            call = partial(prepare(graph).run, feeds)
            start = clock()
            results = call()
            taken = clock() - start
        except OnnxgradError as error:
            refused[form] = str(error)
            if form == site.usual:
                return {"seconds": {}, "refused": refused}
            continue
        if expected is None:
            expected = results
        elif not all(compare(results[n], v, {}).passed for n, v in expected.items()):
            refused[form] = f"it gives other numbers than {site.usual} here"
            continue
        calls[form], first[form], held[form] = call, taken, _held(graph)
    seconds = time_in_turns(calls, first, clock)
    return {
        "form": winner(seconds, held, site.usual),
        "seconds": seconds,
        "held": held,
        "refused": refused,
    }


def winner(seconds: Mapping[str, float], held: Mapping[str, int], usual: str) -> str:
    """Name the fastest form of those that hold little; the usual one where it is about as fast."""
    least = max(MOST_HELD, min(held.values()))
    light = [form for form in seconds if held[form] <= least]
    fastest = min(light, key=seconds.__getitem__)
    if usual in light and seconds[fastest] > WORTH * seconds[usual]:
        return usual
    return fastest


def _held(graph: Graph) -> int:
    """Count the bytes that a form holds besides what it reads and gives."""
    ends = {v for v in graph.values() if graph.producer(v) is None} | set(graph.outputs)
    try:
        return max(0, peak_of(graph).held - sum(map(bytes_of, ends)))
    except UnknownSize:
        return 0
