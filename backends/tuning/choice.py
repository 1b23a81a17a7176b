"""Choose the form of each composite by timing all of them, each alone, where they will run."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ...compiler.composites.form_choice import MOST_HELD
from ...compiler.errors import OnnxgradError
from ...compiler.graph.ir import Graph
from ...compiler.opset import OPSET
from ...compiler.passes.operator_costs import UnknownSize, bytes_of
from ...compiler.passes.peak_memory import peak_of
from ..base import Backend
from ..checking.comparison import compare
from ..checking.random_feeds import draw_feeds
from ..checking.report import render
from .cache import Cache
from .machine import describe
from .sites import Site, merged, sites_in
from .timing import Clock, time_in_turns

if TYPE_CHECKING:
    from rich.console import RenderableType

WORTH = 0.9
"""A form takes the place of the usual one if it takes so much of its time, or less: a difference
below that is often noise, or lost again beside what stands around it."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for composites that are alike: their forms, and the seconds of each.

    `held` are the bytes that a form holds besides what it reads and gives. `refused` says why a
    form was not in question.
    """

    operator: str
    name: str
    sizes: str
    count: int
    usual: str
    form: str
    seconds: Mapping[str, float]
    held: Mapping[str, int]
    refused: Mapping[str, str]
    from_cache: bool

    @property
    def saved(self) -> float:
        """The seconds that all of them save together in a run."""
        before = self.seconds.get(self.usual, self.seconds[self.form])
        return self.count * (before - self.seconds[self.form])


@dataclass(slots=True)
class Tuning:
    """What tuning did: a row for all composites that are alike, and how many seconds it took.

    `left` are composites that could not be timed, and why; the model of costs chose for them.
    """

    title: str
    backend: str
    rows: list[Chosen] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def changed(self) -> list[Chosen]:
        """The rows whose form is another one than without tuning."""
        return [row for row in self.rows if row.form != row.usual]

    def as_dict(self) -> dict[str, Any]:
        """Give everything as dicts and lists."""
        return asdict(self)

    def to_json(self) -> str:
        """Give everything as JSON."""
        return json.dumps(self.as_dict(), indent=2)

    def summary(self) -> list[str]:
        """Give the lines under the table."""
        timed = sum(not row.from_cache for row in self.rows)
        lines = [
            f"{timed} timed in {self.seconds:.2g} s, {len(self.rows) - timed} from the cache; "
            f"{len(self.changed)} changed, which should save "
            f"{sum(row.saved for row in self.changed) * 1e3:.3g} ms a run"
        ]
        if not self.rows and not self.left:
            lines = [f"nothing to choose: {self.backend} leaves no operator here to several forms"]
        lines += [f"not timed, left to the model of costs: {n}: {w}" for n, w in self.left.items()]
        for row in self.rows:
            lines += [f"{row.name} not as {form}: {why}" for form, why in row.refused.items()]
        return lines

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("operator", "sizes", "count", "was", "is", "ms of each form",
                      title=self.title, title_justify="left")  # fmt: skip
        for row in self.rows:
            style = "green" if row.form != row.usual else ""
            each = ", ".join(f"{f} {s * 1e3:.3g}" for f, s in row.seconds.items())
            cells = [row.operator, row.sizes, str(row.count), row.usual]
            table.add_row(*map(Text, cells), Text(row.form, style), Text(each))
        lines = map(Text, self.summary())
        return Group(table, *lines) if self.rows else Group(Text(self.title), *lines)

    def __str__(self) -> str:
        return render(self)


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
    graph = graph.copy()
    tuning = Tuning(f"forms of {graph.name} on {backend.name}", backend.name)
    machine = describe(backend, options)
    alike: dict[str, list[Site]] = {}
    for site in sites_in(graph, backend, lasting, opset):
        if site.unknown is not None:
            tuning.left[site.node.label] = site.unknown
        else:
            alike.setdefault(json.dumps(site.key), []).append(site)
    prepare = partial(_prepare, backend, options)
    for sites in alike.values():
        first = sites[0]
        key = merged(first.key, machine)
        entry = cache.find(key)
        from_cache = entry is not None
        if entry is None:
            entry = _measure(first, prepare, clock)
            if not entry["seconds"]:
                tuning.left[first.node.label] = next(iter(entry["refused"].values()))
                continue
            cache.keep(key, entry)
        tuning.rows.append(_row(sites, entry, from_cache))
        for site in sites:
            site.expand(entry["form"])
    tuning.seconds = clock() - start
    return graph, tuning


def _row(sites: list[Site], entry: Mapping[str, Any], from_cache: bool) -> Chosen:
    first = sites[0]
    return Chosen(
        first.node.op_type, first.node.title, first.sizes, len(sites), first.usual, entry["form"],
        entry["seconds"], entry["held"], entry["refused"], from_cache,
    )  # fmt: skip


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
            first[form] = clock() - start
        except OnnxgradError as error:
            refused[form] = str(error)
            first.pop(form, None)
            continue
        if expected is None:
            expected = results
        if not all(compare(results[n], v, {}).passed for n, v in expected.items()):
            refused[form] = f"it gives other numbers than {site.usual} here"
            del first[form]
            continue
        calls[form], held[form] = call, _held(graph)
    if site.usual not in calls:
        return {"seconds": {}, "refused": refused}
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
