"""Writing operators into a graph, and what rules and bodies share in doing so."""
