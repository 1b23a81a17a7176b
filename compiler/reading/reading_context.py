"""What nodes are read under: names, versions, functions; it reads nothing itself."""

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from onnx import FunctionProto

from ..errors import ModelFileError
from ..graph.ir import Graph, Value
from ..graph.type_reader import TypeReader
from .tensor_reader import TensorReader

Scope = ChainMap[str, Value | None]
"""The values that names stand for; None for an omitted input of a function."""

FunctionKey = tuple[str, str, str]
"""Domain, name and overload of a model-local function."""


GraphReader = Callable[..., None]
"""`read(proto, graph, outer, context, given)` fills a graph from its message, see read_graph."""

GradientReader = Callable[..., list[Value | None]]
"""`read(op, y, xs, points, names)` emits what a Gradient of ai.onnx.preview.training stands for."""


@dataclass(frozen=True)
class Context:
    """What nodes are read under: versions of domains, functions, and attributes of a function.

    Graphs hold nodes whose attributes hold graphs, so the reader of nodes is handed that of graphs;
    differentiation stands above all reading, so a Gradient is read by whoever reads the model.
    """

    versions: Mapping[str, int]
    read_graph: GraphReader
    read_gradient: GradientReader | None = None
    functions: Mapping[FunctionKey, FunctionProto] = field(default_factory=dict)
    bindings: Mapping[str, Any] = field(default_factory=dict)
    tensor: TensorReader = field(default_factory=TensorReader)
    type: TypeReader = field(default_factory=TypeReader)
    inlining: tuple[FunctionKey, ...] = ()
    prefix: str = ""
    """Put before the names of values inside a function."""
    trusts_declared: bool = True
    """Whether the types that the file gives to what nodes compute may fill in what we lack."""
    captured: Mapping[str, Value] = field(default_factory=dict)
    """What the subgraphs of a function's call read from around it."""
    pinned: bool = False
    """Whether sizes were given that the file leaves open, at which some branch may not run."""
    trials: int = 0
    """How many bodies around this one are only read for the types of what they give."""

    def free_name(self, graph: Graph, name: str, inner: bool) -> str:
        """Give a value of the file its own name, unless another scope has taken it."""
        if not name:
            raise ModelFileError(f"a value of the graph '{graph.name}' has no name")
        if not inner:
            return name
        return graph.names.fresh(self.prefix + name) if self.prefix else graph.names.inside(name)


def domain_of(name: str) -> str:
    """Give a domain's one spelling."""
    return "" if name == "ai.onnx" else name
