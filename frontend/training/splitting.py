"""A training step in two graphs, between which gradients may be summed or exchanged."""

from onnxgrad.compiler.emission.naming import STEP
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.pipeline import clean_up

from ..optim import Optimizer, Update, scale_loss
from ..optim.settings import require_optimizer
from ..selection import Selection, add_output
from .step import emit_gradients, emit_update, feed_back, find_trained, statistics_pairs
from .update import all_finite


def split_step(
    graph: Graph,
    loss: str | Value = "loss",
    optimizer: Optimizer | None = None,
    parameters: Selection | None = None,
    frozen: Selection | None = None,
) -> tuple[Graph, Graph]:
    """Give `train_step` as two graphs: one of the gradients, one of the update.

    The first reads the graph's inputs and the parameters and gives the graph's outputs and
    "<parameter>.grad", in at least float32. The second reads these gradients, or a mean of several
    of them, the parameters and the optimizer's state, and gives "<name>.new" for each. Running
    statistics of BatchNormalization are state of the first. With `og.optim.scale_loss` the first
    reads the state "optimizer.loss_scale" of the second.

    Example:
        >>> backward, update = og.split_step(g, optimizer=og.optim.Adam(1e-3))
        >>> f, stepper = og.compile(backward), og.compile(update).stepper()
        >>> shared = [v.name for v in backward.inputs if v.name in stepper.state()]
        >>> for images, labels in batches:
        ...     weights = {n: stepper.state()[n] for n in shared}
        ...     results = f.run({"x": images, "label": labels} | weights)
        ...     stepper.run({n: a for n, a in results.items() if n.endswith(".grad")})

    Args:
        graph, loss, optimizer, parameters, frozen: as in `train_step`.

    Raises:
        GradientError: the loss is not a scalar or does not depend on a parameter.
    """
    optimizer = require_optimizer(optimizer)
    backward, target, chosen = find_trained(graph, loss, parameters, frozen)
    second = Graph(f"{graph.name}.update")
    update = Update(second)
    scale = None
    if isinstance(optimizer, scale_loss):
        state = optimizer.loss_scale(update)
        scale = backward.add_value(Value(state.name, state.type))
        backward.inputs.append(scale)
    gradients = emit_gradients(backward, target, chosen, scale)
    received = {}
    for v, dv in gradients.items():
        name = f"{v.name}.grad"
        if name in backward.names:
            raise GraphError(f"the name '{name}', of the gradient of '{v.name}', is taken")
        w = second.add_value(Value(v.name, v.type, v.constant, v.parameter))
        received[w] = second.add_value(Value(name, TensorType(dv.dtype, v.shape)))
        second.inputs.append(received[w])
        if v not in backward.inputs:
            backward.inputs.append(v)
        add_output(backward, dv, name)
    emit_update(second, update, optimizer, received)
    op = Ops(backward, prefix=STEP)
    finite = all_finite(op, list(gradients.values())) if update.finite else None
    feed_back(backward, statistics_pairs(backward, finite))
    for part in (backward, second):
        clean_up(part)
    return backward, second
