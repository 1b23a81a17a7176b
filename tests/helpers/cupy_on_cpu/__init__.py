"""The real CuPy on a machine without a GPU: all of it runs, its kernels compiled for the CPU.

CuPy's modules call each other through tables of C functions. What would reach the driver, cuBLAS,
cuRAND or Thrust is replaced there: memory is the host's, a kernel's CUDA source is compiled by g++
and run, products and sorts are NumPy's. Dispatch, dtypes, shapes, errors and the source of every
kernel are CuPy's own. Not shown: speed, the GPU's rounding and order of sums, races, what the
libraries do, CuPy's CUB reductions. NVRTC may compile the same sources, see `SOURCES`.

Needs CuPy with the libraries of its extra `ctk`, and g++. Call `install` before CuPy is imported.
"""

from .device import install as install
from .kernels import FAILED as FAILED
from .kernels import SOURCES as SOURCES
