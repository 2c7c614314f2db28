"""Feeds every parser that meets outside bytes with damaged ones, for `--seconds` in all, and keeps what it finds.

    python tools/fuzz.py --seconds 300 [--target notes] [--corpus tests/fuzz/corpus]

A parser may answer with a value or an AssignError, within two seconds; anything else is a failure, and the smallest
input that Hypothesis can make of it is written to the corpus. So is the first input for each reason that a parser
gives: `tests/fuzz/test_domain_parsers.py` feeds all of them again in each test run, and they must end the same way.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from fuzz_engine import CORPUS, run_target
from fuzz_targets import TARGETS


def main() -> int:
    """0 when every parser held, 1 when one did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="time in all, shared by the targets")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where inputs are kept")
    options = parser.parse_args()
    names = options.target or sorted(TARGETS)
    failed: list[str] = []
    for name in names:
        try:
            share = options.seconds / len(names)
            fed = run_target(name, TARGETS[name], seconds=share, corpus=options.corpus)
        except Exception as error:
            failed.append(name)
            sys.stderr.write(f"{name}: FAILED with {error!r}\n")
        else:
            kept = len([*(options.corpus / name).glob("*")])
            sys.stdout.write(f"{name:<18} {fed:>9,} inputs, {kept:>3} kept\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
