"""Training steps as graphs: whole, in two halves, many in a loop."""
