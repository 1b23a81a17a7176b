"""Bodies of the gradients of normalizations; half precision is computed in float32."""

from ..broadcasting import reduce_to
from ..ir import Node, Value
from ..ops import Ops
from ..types import narrowed, widened
from .registry import form
