"""What a runtime refuses while it runs, told by one error of ours; it repairs nothing."""

import re

from ..compiler.errors import GraphError, OnnxgradError

_ROUND = r"\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)"
_PLACE = re.compile(r"(?:Exception from |(?<!\w)at )?\S+\.(?:cc|cpp|cu|cuh|h|hpp|inl):\d+:? ?")
_SIGNATURE = re.compile(
    rf"[^()\n]*?[^\s()]{_ROUND}(?:[\w>]*::[^()\n]*?{_ROUND})*>?(?: const)?"
    r"(?: \[(?:with )?\w[^\n]*? = [^\n]*?\](?=\s|$))? ?"
)
_STATUS = re.compile(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ")
_NODE = re.compile(r"Non-zero status code returned while running (\w+) node\. Name:'([^']*)' ?")


def words_of(text: str) -> str:
    """Give what a library says without the places and functions of its source, in one line."""
    said = ""
    while found := _PLACE.search(text):
        before, text = text[: found.start()], text[found.end() :].replace("operator()", "operator")
        said += f"{before.rstrip()}: " if found[0].startswith("at ") else before
        if function := _SIGNATURE.match(text):
            text = text[function.end() :]
    said = _STATUS.sub(r"\1: ", said + text)
    said = _NODE.sub(lambda m: f"while running {m[1]}" + (f" '{m[2]}': " if m[2] else ": "), said)
    return " ".join(said.replace("Status Message: ", "").split())


class told_as_ours:  # noqa: N801  # it reads as a phrase, and a generator takes longer
    """Turn what kernels and libraries raise about arrays into a GraphError that says where."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, OnnxgradError | MemoryError):
            return
        places = "".join(f"{note}: " for note in reversed(getattr(error, "__notes__", ())))
        reason = words_of(str(error)) or type(error).__name__
        raise GraphError(f"the graph does not run on these arrays: {places}{reason}") from error
