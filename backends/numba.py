"""The NumPy backend with what numba compiles in place of its slowest kernels."""

from importlib import import_module
from importlib.util import find_spec

from ..compiler.graph.ir import Graph, Node
from ..compiler.passes.prepare import prepare_for
from .base import Executable
from .interpreter import Interpreter, native_composites, runs_as_it_is
from .kernels.registry import KERNELS, KernelEntry
from .numpy import Host, let_malloc_keep_memory


class NumbaBackend:
    """Runs what the NumPy backend runs: chains of elementwise operators in one pass each.

    A graph whose arrays are all small is one function.
    """

    name = "numba"
    native = native_composites()

    def why_unavailable(self) -> str | None:
        """Say how to install numba where it is missing."""
        return None if find_spec("numba") else "pip install numba"

    def supports(self, node: Node) -> bool:
        """Every operator runs."""
        return True

    def prepare(self, graph: Graph) -> Executable:
        """Expand what has no kernel, compile and lay out the steps."""
        compiled = import_module(".compiled", __package__)  # needs numba
        let_malloc_keep_memory()
        prepared = prepare_for(graph, self.native, runs_as_it_is)
        small = compiled.compile_small(prepared)
        compiled.fuse_elementwise(prepared)
        interpreter = Interpreter(prepared, _Compiled(compiled.COMPILED), graph)
        if small is None or interpreter.checks_sizes:
            return interpreter
        return compiled.SmallExecutable(prepared, small, interpreter)


class _Compiled(Host):
    """The host with compiled kernels."""

    def __init__(self, table: dict[tuple[str, str], KernelEntry]) -> None:
        self._table = table

    def entry(self, node: Node) -> KernelEntry | None:
        """Look the kernel up among the compiled ones first."""
        key = node.domain, node.op_type
        return self._table.get(key) or KERNELS.get(key)


BACKEND = NumbaBackend()
