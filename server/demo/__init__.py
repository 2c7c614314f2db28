"""The demonstration: one day at a port, with real processes, played from declarations and a seed."""
