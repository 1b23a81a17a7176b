"""One thread of BLAS for each process of the tests, which fill the cores by themselves.

More threads than cores wait for each other in loops: small products take ten times as long.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy reads it when it is first imported
