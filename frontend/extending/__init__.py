"""Operators and gradients of users' own."""
