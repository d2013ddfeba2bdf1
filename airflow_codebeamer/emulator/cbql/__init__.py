"""cbQL: the part of the query language that is understood, and nothing guessed.

`tokens` cuts a text, `grammar` makes a tree of it, `meaning` makes the tree a
function over items; `fields` knows what can be asked for and `moments` what a
date is. What is not understood is refused with 501 and quotes the query; what
no server would understand is a 400.
"""

from __future__ import annotations

from airflow_codebeamer.emulator.cbql.meaning import Query, parse

__all__ = ["Query", "parse"]
