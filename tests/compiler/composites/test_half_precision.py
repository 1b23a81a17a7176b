"""Bodies that read between pixels compute half precision in float32: places are not rounded."""

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import feeds_of, graph_of
from op_samples.sample import Sample

import onnxgrad as og

READERS = {"AffineGrid", "DeformConv", "GridSample", "MaxRoiPool", "RoiAlign"}
CHOSEN = [s for s in SAMPLES if s.op in READERS]


@pytest.mark.parametrize("sample", CHOSEN, ids=str)
def test_a_result_is_rounded_once(sample: Sample) -> None:
    narrow, exact = (graph_of(sample, False, d) for d in ("float16", "float64"))
    feeds = feeds_of(narrow, sample)
    y = og.compile(narrow).run(feeds)["y0"]
    wide = {n: a.astype(np.float64) if a.dtype == np.float16 else a for n, a in feeds.items()}
    expected = og.compile(exact).run(wide)["y0"]
    assert y.dtype == np.float16
    unit = np.finfo(np.float16).eps * np.abs(expected).max()
    np.testing.assert_allclose(y, expected, rtol=0, atol=0.51 * unit)
