"""Write every sample and its gradient at many opsets, with and without functions; judge the files.

A file is right if ONNX's checker takes it, reading it again gives the same numbers, and stock
onnxruntime gives them too. Prints the number of each verdict, and every file that is not right and
not known to be taken otherwise by onnxruntime.

Run: python tests/benchmarks/file_sweep.py [--opsets 9,21] [--only Scan] [--part 0/4]
"""

import argparse
import collections
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import onnxgrad as og

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from op_samples import SAMPLES  # noqa: E402  # they are no package
from op_samples.graphs import (  # noqa: E402
    cotangents,
    feeds_of,
    float_outputs,
    graph_of,
    wrt_of,
)
from op_samples.sample import Sample  # noqa: E402
from written_files import (  # noqa: E402
    NO_KERNEL,
    REFUSED,
    RIGHT,
    Arrays,
    is_about_stock,
    judge,
    known_difference,
)

OPSETS = [7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 21, 22, 24, 25, 26, 28]


def graphs(sample: Sample) -> Iterator[tuple[str, og.Graph, Arrays, Arrays]]:
    """Give a sample's graph and that of its gradient, sizes known and not, with feeds and results.

    What the sample says of onnxruntime's kernels holds for the gradient, too.
    """
    for symbolic in (False, True):
        sizes = "symbolic" if symbolic else "static"
        forward = graph_of(sample, symbolic, np.float32)
        feeds = feeds_of(forward, sample)
        results = og.compile(forward).run(feeds)
        yield f"{sizes} forward", forward, feeds, results
        of, wrt = float_outputs(forward), wrt_of(sample)
        backward = og.vjp(forward, of, wrt, allow_unused=True)
        feeds |= cotangents(results, of)
        yield f"{sizes} gradient", backward, feeds, og.compile(backward).run(feeds)


def main() -> None:
    """Judge all files; fail where one is not right, refused or without a kernel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opsets", default=",".join(map(str, OPSETS)))
    parser.add_argument("--only", default="", help="only samples whose name contains this")
    parser.add_argument("--part", default="0/1", help="only every n-th sample: 0/4, 1/4, …")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    opsets = [int(v) for v in arguments.opsets.split(",")]
    part, parts = map(int, arguments.part.split("/"))
    count: collections.Counter[str] = collections.Counter()
    known: collections.Counter[str] = collections.Counter()
    for k, sample in list(enumerate(SAMPLES))[part::parts]:
        if arguments.only not in str(sample):
            continue
        for kind, graph, feeds, expected in graphs(sample):
            for opset in opsets:
                for functions in (False, True):
                    verdict = judge(graph, feeds, expected, opset, functions, sample.onnxruntime)
                    if is_about_stock(verdict) and (reason := known_difference(str(sample))):
                        known[reason] += 1
                        continue
                    count[verdict.partition(":")[0]] += 1
                    if verdict not in (RIGHT, REFUSED, NO_KERNEL):
                        how = "functions" if functions else "plain"
                        print(f"{k}-{sample}, {kind}, opset {opset}, {how}: {verdict}", flush=True)
    for verdict, number in count.most_common():
        print(f"{number:7} {verdict}")
    for reason, number in known.most_common():
        print(f"{number:7} known: {reason}")
    sys.exit(bool(count.keys() - {RIGHT, REFUSED, NO_KERNEL}))


if __name__ == "__main__":
    main()
