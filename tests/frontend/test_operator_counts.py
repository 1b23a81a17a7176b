"""The counts of operators in the documentation are those of the table."""

import re
from collections import Counter
from pathlib import Path

from onnxgrad.cli.operators import operator_rows
from onnxgrad.compiler.gradients.standard_tags import DENIED

PAGE = Path(__file__).parents[2] / "examples/docs/pages/reference/operators.md"


def test_the_page_counts_the_operators() -> None:
    kinds = Counter(str(row["gradient"]).partition(":")[0] for row in operator_rows())
    assert kinds["None"] == 0
    found = re.search(
        r"(\d+) have a rule, (\d+) are\s+\w+ by\s+their body, (\d+)", PAGE.read_text()
    )
    assert found is not None
    assert [int(n) for n in found.groups()] == [kinds["rule"], kinds["of its body"], kinds["zero"]]


def test_the_page_counts_what_onnx_tags_otherwise() -> None:
    untagged = sum(row["onnx_tag"] == "none" for row in operator_rows())
    found = re.search(r"(\d+) operators have none, and it\s+denies (\d+) inputs", PAGE.read_text())
    assert found is not None
    assert [int(n) for n in found.groups()] == [untagged, len(DENIED)]
