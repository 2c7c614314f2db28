"""The logs for everybody to copy: C2SP tlog-tiles over HTTP, read-only, in a process of its own."""
