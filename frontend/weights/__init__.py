"""What a graph holds and training changes: which values, in what layers, and their adapters."""
