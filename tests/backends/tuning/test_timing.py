"""Timing in turns, by a clock that the test moves."""

from collections.abc import Callable

from onnxgrad.backends.tuning.timing import ENOUGH, FEWEST, MOST, time_in_turns


class Watch:
    """A clock that calls move on by what they cost; it notes who was called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.called: list[str] = []

    def __call__(self) -> float:
        return self.now

    def costing(self, name: str, *seconds: float) -> Callable[[], None]:
        """Give a call that takes these seconds in turn, the last of them from then on."""
        left = list(seconds)

        def call() -> None:
            self.called.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


def test_the_least_of_several_rounds_in_turns_counts() -> None:
    watch = Watch()
    calls = {"a": watch.costing("a", 0.03, 0.02, 0.9), "b": watch.costing("b", 0.04, 0.01, 0.05)}
    found = time_in_turns(calls, {"a": 0.1, "b": 0.1}, watch)
    assert {name: round(s, 9) for name, s in found.items()} == {"a": 0.02, "b": 0.01}
    assert watch.called == ["a", "b"] * FEWEST


def test_short_calls_run_until_they_had_enough_or_the_most_rounds() -> None:
    watch = Watch()
    calls = {"a": watch.costing("a", ENOUGH / 10), "b": watch.costing("b", 1e-6)}
    time_in_turns(calls, {"a": 0.005, "b": 0.005}, watch)
    assert 10 <= watch.called.count("a") <= 11
    assert watch.called.count("b") == MOST


def test_what_was_far_behind_at_first_is_not_run_again() -> None:
    watch = Watch()
    calls = {"a": watch.costing("a", 0.02), "b": watch.costing("b", 0.02)}
    found = time_in_turns(calls, {"a": 0.02, "b": 0.07}, watch)
    assert "b" not in watch.called and found["b"] == 0.07
    found = time_in_turns(calls, {"a": 0.0001, "b": 0.004}, watch)
    assert "b" in watch.called, "so short a first run tells nothing"
