"""Where values stand among the inputs of a node that has many: a Concat of thousands, say."""

from .value import Value

Inputs = tuple[Value | None, ...]


class Places:
    """The places of each input, kept from one replacement to the next."""

    __slots__ = ("_inputs", "_places")

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._places: dict[Value | None, list[int]] = {}
        for k, value in enumerate(inputs):
            self._places.setdefault(value, []).append(k)

    def are_of(self, inputs: Inputs) -> bool:
        """Tell whether these are the inputs as the last replacement left them."""
        return self._inputs is inputs

    def replace(self, old: Value, new: Value) -> Inputs:
        """Give the inputs with one value in place of another, without a search for it."""
        inputs = list(self._inputs)
        moved = self._places.pop(old, [])
        for k in moved:
            inputs[k] = new
        self._places.setdefault(new, []).extend(moved)
        self._inputs = tuple(inputs)
        return self._inputs
