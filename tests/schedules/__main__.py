"""`python -m tests.schedules`: play every schedule."""

from __future__ import annotations

from tests.schedules.nightly import main

if __name__ == "__main__":
    raise SystemExit(main())
