"""Cosignatures for a port's log: asks witnesses (C2SP tlog-witness) and keeps what they answer."""
