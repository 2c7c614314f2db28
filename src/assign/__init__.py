"""Inspection assignments that nobody can know early, arrange or change: the pure library."""
