"""`python -m assign.selftest`."""

from assign.selftest.cli import main

main()
