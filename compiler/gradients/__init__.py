"""Gradient rules, one file per operator family; a rule emits operators and never runs them."""
