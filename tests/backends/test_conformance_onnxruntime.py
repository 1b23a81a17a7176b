"""ONNX's own suite on the onnxruntime backend: a sample, and everything that is listed.

All cases run by `make conformance`.
"""

import tomllib
from pathlib import Path

import pytest
from onnx_suite import Case, check_case, load_cases

LISTED = tomllib.loads(Path(__file__).with_name("expected_failures_onnxruntime.toml").read_text())

ADAPTED = (
    "test_attention_3d_causal_bf16", "test_attention_4d_diff_heads_mask4d_padded_kv",
    "test_bitcast_bool_to_uint8", "test_castlike_INT2_to_FLOAT", "test_celu_bfloat16_expanded",
    "test_compress_bfloat16", "test_convinteger_with_padding", "test_dft", "test_flexattention",
    "test_lstm_batchwise", "test_max_int16", "test_maxunpool_export_with_output_shape",
    "test_mod_float_edge_cases_fmod_0_float32", "test_pow_types_float32_uint64",
    "test_reduce_max_empty_set_bool", "test_resize_downsample_scales_linear_align_corners",
    "test_stft", "test_strnormalizer_export_monday_casesensintive_lower", "test_top_k_uint64",
)  # fmt: skip
"""One case for each way in which onnxruntime is helped out."""

pytestmark = pytest.mark.filterwarnings("ignore")  # the suite's models overflow on purpose


def _failures(cases: list[Case]) -> dict[str, str]:
    found = {}
    for case in cases:
        try:
            check_case(case, "onnxruntime")
        except Exception as error:  # collect all, then fail once
            found[case.name] = f"{type(error).__name__}: {str(error)[:300]}"
    return found


def test_a_sample_passes() -> None:
    unlisted = [c for c in load_cases() if c.name not in LISTED and c.kind != "light"]
    sample = unlisted[::10] + [c for c in unlisted if c.name in ADAPTED]
    assert {c.name for c in sample} >= set(ADAPTED)
    assert _failures(sample) == {}


def test_what_is_listed_fails() -> None:
    cases = [c for c in load_cases() if c.name in LISTED]
    passing = {c.name for c in cases} - _failures(cases).keys()
    assert not passing, f"take off the list what passes: {sorted(passing)}"
    assert len(cases) == len(LISTED) and all(LISTED.values())
