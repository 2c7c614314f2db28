"""`python -m server` is the `assign` command."""

from server.cli import main

main()
