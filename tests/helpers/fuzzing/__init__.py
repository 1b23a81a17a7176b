"""A fuzzer over whole graphs: programs drawn by seed, and laws that hold for every one of them."""

from . import operators  # noqa: F401  # they fill the table that everything here reads
