"""The commands that read a model and write about it: info, grad, draw."""

from collections import Counter
from typing import Annotated, Any

import typer

from onnxgrad.compiler.composites.expand import has_body
from onnxgrad.compiler.differentiation.reverse import has_rule
from onnxgrad.compiler.emission.naming import STATE_KEY
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.opset import EXPORT_OPSET

from ..costing import cost
from ..drawing.pictures import draw
from ..training.step import state_names
from ..transforms import grad, jvp, straight_through, vjp
from ..weights.roles import Kind, Roles, held_floats
from .application import AsJson, Model, Output, command, require_place
from .pairs import read_pairs
from .shapes import Shapes
from .terminal import busy, listed, print_json, print_report, print_table, read, saved

Names = Annotated[
    list[str], typer.Option(help="A value's name or a pattern such as '*.weight'; repeatable.")
]
UseVjp = Annotated[
    bool, typer.Option("--vjp", help="Any `of`: a cotangent per `of` becomes an input.")
]
Opset = Annotated[int, typer.Option(help="Version of the standard operators.")]


@command("info")
def info(
    model: Model,
    shape: Shapes = None,
    with_parameters: Annotated[
        bool,
        typer.Option("--parameters", help="List the initializers: weights, or why they are none."),
    ] = False,
    with_values: Annotated[
        bool, typer.Option("--values", help="List the values inside, and what computes them.")
    ] = False,
    with_cost: Annotated[
        bool, typer.Option("--cost", help="Count flops and bytes, operator by operator.")
    ] = False,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="BACKEND", help="With --cost: time the operators on numpy or onnxruntime."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a model takes, gives and is made of, and what it costs.

    Example: onnxgrad info model.onnx --parameters --values

    Example: onnxgrad info step.onnx --cost --measure numpy --shape N=32
    """
    if measure is not None and not with_cost:
        raise GraphError("--measure goes with --cost")
    graph = read(model, shape)
    facts = facts_about(graph)
    report = None
    if with_cost:
        with busy("counting"):
            report = cost(graph, measure=measure)
        facts["cost"] = report.as_dict()
    rows = [["input", v["name"], v["type"]] for v in facts["inputs"]]
    rows += [["output", v["name"], v["type"]] for v in facts["outputs"]]
    if with_parameters:
        facts["parameters"]["listed"] = held = _listed_parameters(graph)
        rows += [["parameter", v["name"], v["type"], v["role"]] for v in held]
    if with_values:
        facts["values"] = inside = [
            {**_described(v), "operator": n.operator} for n in graph.nodes() for v in n.writes()
        ]
        rows += [[v["operator"], v["name"], v["type"]] for v in inside]
    if as_json:
        print_json(facts)
        return
    columns = ["", "name", "type", "what it is"][: max(map(len, rows), default=3)]
    padded = [[*row, ""][: len(columns)] for row in rows]
    print_table(f"{model.name}: {facts['name']}", columns, padded)
    parameters = facts["parameters"]
    print(f"parameters: {parameters['count']}, {parameters['elements']:,} numbers")
    if parameters["count"]:
        print(f"weights, which training changes: {parameters['weights']}, listed by --parameters")
    counts = [f"{op} ×{n}" for op, n in facts["operators"].items()]
    print(f"operators: {sum(facts['operators'].values())}: {listed(counts, 12)}")
    print(f"without a gradient: {listed(facts['without_gradient']) or 'none'}")
    if facts["state"]:
        print(f"training step; state: {listed(list(facts['state']))}")
    if report is not None:
        print_report(report)


def facts_about(graph: Graph) -> dict[str, Any]:
    """Give what `info` prints."""
    nodes = graph.nodes()
    held = graph.parameters
    roles = Roles(graph)
    weights = [v for v in held_floats(graph) if roles.of(v).kind is Kind.WEIGHT]
    without = {n.operator for n in nodes if not has_rule(n) and not has_body(n)}
    return {
        "name": graph.name,
        "inputs": [_described(v) for v in graph.inputs],
        "outputs": [_described(v) for v in graph.outputs],
        "parameters": {
            "count": len(held),
            "elements": sum(int(v.constant.size) for v in held if v.constant is not None),
            "weights": len(weights),
        },
        "operators": dict(Counter(n.operator for n in nodes).most_common()),
        "without_gradient": sorted(without),
        "state": state_names(graph) if STATE_KEY in graph.metadata else {},
    }


def _listed_parameters(graph: Graph) -> list[dict[str, str]]:
    """Describe what a model holds, and what each of it is for."""
    roles = Roles(graph)
    listed = {v: _role(roles, v) for v in held_floats(graph)}
    return [
        {**_described(v), "role": listed.get(v, "constant: no floats")} for v in graph.parameters
    ]


def _role(roles: Roles, value: Value) -> str:
    path = roles.path_of(value)
    return f"{roles.of(value)}{f' ({path})' if path else ''}"


def _described(value: Value) -> dict[str, str]:
    return {"name": value.name, "type": str(value.type)}


@command("grad")
def grad_command(
    model: Model,
    of: Names,
    wrt: Names,
    output: Output,
    use_vjp: UseVjp = False,
    use_jvp: Annotated[
        bool, typer.Option("--jvp", help="Forward mode: a direction per `wrt` becomes an input.")
    ] = False,
    opset: Opset = EXPORT_OPSET,
    allow_unused: Annotated[
        bool,
        typer.Option("--allow-unused", help="Give zeros where `of` does not depend on a `wrt`."),
    ] = False,
    through: Annotated[
        bool, typer.Option("--straight-through", help="Let gradients pass through quantization.")
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option(
            help="Write what one runtime executes: openvino, tract, onnxruntime-web or another."
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="VALUE=NAME",
            help="Another name for what is new of a value, in place of VALUE.grad; repeatable.",
        ),
    ] = None,
    shape: Shapes = None,
) -> None:
    """Write the gradient of a model as plain ONNX.

    Example: onnxgrad grad model.onnx --of loss --wrt x --wrt '*.weight' -o gradient.onnx
    """
    if use_vjp and use_jvp:
        raise GraphError("--vjp and --jvp exclude each other")
    graph, chosen = read(model, shape), read_pairs("--name", "VALUE=NAME", names)
    require_place(output, model)
    graph = straight_through(graph) if through else graph
    if len(of) > 1 and not (use_vjp or use_jvp):
        raise GraphError(f"--of names {len(of)} values; without --vjp or --jvp it takes one scalar")
    with busy("differentiating"):
        if use_jvp:
            result = jvp(graph, of, wrt, names=chosen, allow_unused=allow_unused)
        elif use_vjp:
            result = vjp(graph, of, wrt, names=chosen, allow_unused=allow_unused)
        else:
            result = grad(graph, of[0], wrt, names=chosen, allow_unused=allow_unused)
    written = saved(result, output, opset, runtime)
    added = [v.name for v in result.outputs[len(graph.outputs) :]]
    taken = [v.name for v in result.inputs[len(graph.inputs) :]]
    asked = f", new inputs {listed(taken)}" if taken else ""
    print(f"{written}, new outputs {listed(added)}{asked}")


@command("draw")
def draw_command(model: Model, output: Output, shape: Shapes = None) -> None:
    """Draw a model as SVG: forward and derivative in two colors, large models by module.

    Example: onnxgrad draw gradient.onnx -o gradient.svg
    """
    graph = read(model, shape)
    require_place(output, model)
    with busy("drawing"):
        draw(graph, output)
    print(output)
