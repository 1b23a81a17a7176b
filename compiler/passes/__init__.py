"""Graph rewrites, one file each; none of them executes a graph."""
