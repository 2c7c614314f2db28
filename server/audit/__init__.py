"""The whole store recomputed from the log, and the log from its entries: `assign audit`."""
