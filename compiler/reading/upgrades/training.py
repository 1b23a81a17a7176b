"""The optimizers of ai.onnx.preview.training in standard operators; Gradient is the reader's."""

from ...emission.ops import Ops
from ...errors import GraphError
from ...graph.ir import Value
from .registry import ALWAYS, Call, upgrade

DOMAIN = "ai.onnx.preview.training"


def _groups(call: Call, size: int) -> list[tuple[Value, ...]]:
    """Give what belongs to each optimized tensor: X, G and the optimizer's state."""
    count, rest = divmod(len(call.inputs) - 2, size)
    if rest or not count:
        raise GraphError(f"{call.op_type} takes R, T and {size} inputs for each tensor")
    return [tuple(call.tensor(2 + k * count + i) for k in range(size)) for i in range(count)]


def _regularized(op: Ops, call: Call, x: Value, g: Value) -> Value:
    weight = call.attributes.get("norm_coefficient", 0.0)
    return op.Add(op.Mul(x, weight), g) if weight else g


def _first(op: Ops, count: Value, later: Value, first: Value) -> Value:
    """Choose by whether the update count is above zero."""
    return op.Where(op.Greater(count, 0), later, first)


@upgrade("Momentum", before=ALWAYS, domain=DOMAIN)
def momentum(op: Ops, call: Call) -> None:
    """v' = αv + β'g, β' = 1 at first; x' = x − r·v', by Nesterov x − r·(g + αv')."""
    rate, count = call.tensor(0), call.tensor(1)
    alpha, beta = call.attributes["alpha"], call.attributes["beta"]
    nesterov = call.attributes["mode"] == "nesterov"
    moved, states = [], []
    for x, gradient, v in _groups(call, 3):
        g = _regularized(op, call, x, gradient)
        scale = _first(op, count, op.like(beta, x), op.like(1.0, x))
        state = op.Add(op.Mul(v, alpha), op.Mul(scale, g))
        step = op.Add(g, op.Mul(state, alpha)) if nesterov else state
        moved.append(op.Sub(x, op.Mul(op.CastLike(rate, x), step)))
        states.append(state)
    call.give(op, [*moved, *states])


@upgrade("Adagrad", before=ALWAYS, domain=DOMAIN)
def adagrad(op: Ops, call: Call) -> None:
    """h' = h + g²; x' = x − r/(1 + t·decay)·g/(√h' + ε)."""
    rate, count = call.tensor(0), call.tensor(1)
    decay, epsilon = call.attributes.get("decay_factor", 0.0), call.attributes.get("epsilon", 1e-6)
    moved, states = [], []
    for x, gradient, h in _groups(call, 3):
        g = _regularized(op, call, x, gradient)
        r = op.Div(op.CastLike(rate, x), op.Add(op.Mul(op.CastLike(count, x), decay), 1.0))
        state = op.Add(h, op.Mul(g, g))
        moved.append(op.Sub(x, op.Div(op.Mul(r, g), op.Add(op.Sqrt(state), epsilon))))
        states.append(state)
    call.give(op, [*moved, *states])


@upgrade("Adam", before=ALWAYS, domain=DOMAIN)
def adam(op: Ops, call: Call) -> None:
    """v' = αv + (1−α)g; h' = βh + (1−β)g²; x' = (x − r'·v'/(√h' + ε))·(1 − post).

    r' = r·√(1 − βᵗ)/(1 − αᵗ), and r at t = 0; in float64, for 1 − βᵗ cancels.
    """
    given = call.attributes
    rate, count = call.tensor(0), call.tensor(1)
    alpha, beta = given.get("alpha", 0.9), given.get("beta", 0.999)
    epsilon, post = given.get("epsilon", 1e-6), given.get("norm_coefficient_post", 0.0)
    moved, means, squares = [], [], []
    for x, gradient, v, h in _groups(call, 4):
        g = _regularized(op, call, x, gradient)
        mean = op.Add(op.Mul(v, alpha), op.Mul(g, 1 - alpha))
        square = op.Add(op.Mul(h, beta), op.Mul(op.Mul(g, g), 1 - beta))
        r, t = op.Cast(rate, to="float64"), op.Cast(count, to="float64")
        unbiased = op.Sqrt(op.Sub(1.0, op.Pow(op.like(beta, t), t)))
        correction = op.Div(unbiased, op.Sub(1.0, op.Pow(op.like(alpha, t), t)))
        # at t = 0 it is 0/0: chosen before r meets it, or the gradient by r would be 0·NaN
        chosen = _first(op, count, correction, op.like(1.0, r))
        adjusted = op.CastLike(op.Mul(r, chosen), x)
        step = op.Div(op.Mul(adjusted, mean), op.Add(op.Sqrt(square), epsilon))
        new = op.Sub(x, step)
        moved.append(op.Mul(new, 1 - post) if post else new)
        means.append(mean)
        squares.append(square)
    call.give(op, [*moved, *means, *squares])
