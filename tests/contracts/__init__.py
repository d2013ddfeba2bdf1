"""One suite, two subjects: the emulator, and a live server when one is named.

Every test says in exactly one marker what it rests on: `verified` (it passed on
a live server, and there is a recording), `documented` (a public document says
so), `assumed` (nobody outside knows; the test asks), `emulator_only`.
"""
