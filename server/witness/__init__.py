"""A witness of transparency logs (C2SP tlog-witness): a small program that another organisation runs."""
