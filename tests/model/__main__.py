"""`python -m tests.model`: search the model, all of it or `--quick`."""

from __future__ import annotations

from tests.model.spin import main

raise SystemExit(main())
