"""ONNX's own suite on the NumPy backend: every case passes, or is listed with its reason."""

import tomllib
from pathlib import Path

import pytest
from onnx_suite import FILES, check_case, load_cases

LISTED = Path(__file__).with_name("expected_failures.toml")

pytestmark = pytest.mark.filterwarnings("ignore")  # the suite's models overflow on purpose


@pytest.mark.parametrize("kind", ["node", *FILES, "light"])
def test_cases_pass_unless_listed(kind: str) -> None:
    listed = tomllib.loads(LISTED.read_text())
    wrong = []
    for case in (c for c in load_cases() if c.kind == kind):
        try:
            check_case(case, "numpy")
        except Exception as error:  # collect all, then fail once
            if case.name not in listed:
                wrong.append(f"{case.name}: {type(error).__name__}: {str(error)[:300]}")
        else:
            if case.name in listed:
                wrong.append(f"{case.name} passes; take it off {LISTED.name}")
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)


def test_the_list_holds_cases_only() -> None:
    cases = {case.name for case in load_cases()}
    assert len(cases) >= 2021 + 9
    listed = tomllib.loads(LISTED.read_text())
    assert listed.keys() <= cases and all(listed.values())
    assert len(cases - listed.keys()) >= 2005 + 9
