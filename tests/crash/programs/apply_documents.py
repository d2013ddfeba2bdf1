"""A process of its own that applies documents to several trackers, and may be killed.

Told on the command line: server, store, file of the documents, and at which request
of the application it dies by SIGKILL, `before` or `after` it was answered; 0 for
never. Writes how many requests the application sent.
"""

from __future__ import annotations

import sys
from pathlib import Path

from apply_document import OWNER, Fuse, settings

from airflow_codebeamer.locking import Owner
from airflow_codebeamer.skeleton import Targets, load_documents
from airflow_codebeamer.wiring import connect


def main() -> None:
    """Plan, lock, apply, and hold the locks in the end."""
    url, store, path, at, when = sys.argv[1:6]
    documents = load_documents(Path(path))
    fuse = Fuse(int(at), when)
    fuse.arm()
    with connect(settings(url, store)) as codebeamer:
        targets = Targets(codebeamer.client, documents)
        locks = codebeamer.engine.acquire_all(targets.tracker_ids, owner=Owner(OWNER))
        fuse.is_on = True
        codebeamer.runner.apply_all(documents, {}, locks, run_key=OWNER)
        fuse.is_on = False
    sys.stdout.write(f"{fuse.sent}\n")


if __name__ == "__main__":
    main()
