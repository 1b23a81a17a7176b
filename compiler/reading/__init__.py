"""How one node or function of a file becomes nodes of a graph."""
