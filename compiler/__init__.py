"""What happens to the graph: IR, types, autodiff, passes, import and export; it runs nothing."""
