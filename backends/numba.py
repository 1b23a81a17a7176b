"""The NumPy backend with what numba compiles in place of its slowest kernels."""

from importlib import import_module
from importlib.util import find_spec

from ..compiler.graph.ir import Graph, Node
from ..compiler.passes.prepare import prepare_for
from .interpreter import Interpreter, native_composites, runs_as_it_is
from .kernels.registry import KERNELS, KernelEntry
from .numpy import Host, let_malloc_keep_memory


class NumbaBackend:
    """Runs what the NumPy backend runs: chains of elementwise operators in one pass each."""

    name = "numba"
    native = native_composites()

    def why_unavailable(self) -> str | None:
        """Say how to install numba where it is missing."""
        return None if find_spec("numba") else "pip install 'onnxgrad[numba]'"

    def supports(self, node: Node) -> bool:
        """Every operator runs."""
        return True

    def prepare(self, graph: Graph) -> Interpreter:
        """Expand what has no kernel, compile and lay out the steps."""
        compiled = import_module(".compiled", __package__)  # needs numba
        let_malloc_keep_memory()
        prepared = prepare_for(graph, self.native, runs_as_it_is)
        compiled.fuse_elementwise(prepared)
        return Interpreter(prepared, _Compiled(compiled.COMPILED), graph)


class _Compiled(Host):
    """The host with compiled kernels."""

    def __init__(self, table: dict[tuple[str, str], KernelEntry]) -> None:
        self._table = table

    def entry(self, node: Node) -> KernelEntry | None:
        """Look the kernel up among the compiled ones first."""
        key = node.domain, node.op_type
        return self._table.get(key) or KERNELS.get(key)


BACKEND = NumbaBackend()
