"""The engine of both modes, and the table that rules enter; it knows no operator."""
