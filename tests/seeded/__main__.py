"""`python -m tests.seeded`: put each seeded bug into our own code, see tests fail."""

from __future__ import annotations

from tests.seeded.applying import main

raise SystemExit(main())
