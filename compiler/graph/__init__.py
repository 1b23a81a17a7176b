"""The graph, its values and their types; it knows no operator's meaning."""
