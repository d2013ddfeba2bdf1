"""Where a SQLite store lies, and whether its locks hold there.

SQLite's locks are those of the file system, and its write-ahead log is shared
memory of one machine. On a network share, or with a second machine, two
writers do not see each other, and a lock is worth nothing.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from airflow_codebeamer.errors import DatabaseError, DatabaseUnsafeError

__all__ = [
    "Machine",
    "read_mounts",
    "read_only",
    "refuse_network_share",
    "refuse_unwritable",
    "store_file",
]

_NETWORK_TYPES = re.compile(
    r"9p|afs|afpfs|beegfs|ceph|cifs|coda|davfs|glusterfs|gpfs|lustre|ncpfs|nfs4?|"
    r"orangefs|pvfs2|smb[23]?|smbfs"
)
_NETWORK_FUSE = re.compile(
    r"fuse\.(sshfs|smbnetfs|davfs2?|glusterfs|ceph|rclone|s3fs|gcsfuse|goofys|"
    r"gvfsd-fuse|curlftpfs|juicefs|moosefs|mfs|nfs|cifs|blobfuse2?|grpcfuse)"
)


@dataclass(frozen=True)
class Machine:
    """A machine as the store knows it: `boot` is the same in all its containers."""

    name: str
    boot: str = ""

    @classmethod
    def here(cls) -> Machine:
        """Return the machine that this process runs on."""
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except OSError:
            boot = ""
        return cls(name=socket.gethostname(), boot=boot)

    def is_same(self, other: Machine) -> bool:
        """Return whether both are one machine: one name, or one running kernel."""
        return self.name == other.name or bool(self.boot and self.boot == other.boot)


def read_mounts() -> str:
    """Return what is mounted where, as Linux tells; elsewhere nothing."""
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8", errors="replace")
    except OSError:
        return ""


def store_file(address: URL) -> Path:
    """Return the file of a SQLite address, links resolved."""
    name = address.database or ""
    return Path(os.path.realpath(name.removeprefix("file:")))


def refuse_network_share(address: URL, mounts: str) -> None:
    """Raise DatabaseUnsafeError if the file lies on a network share."""
    file = store_file(address)
    kind = _file_system_of(file, mounts)
    if _NETWORK_TYPES.fullmatch(kind) or _NETWORK_FUSE.fullmatch(kind):
        raise DatabaseUnsafeError(
            f"The lock store {file} is on a network share ({kind}), where SQLite's "
            "locks do not hold: put it on a local disk, or use PostgreSQL."
        )


def refuse_unwritable(address: URL) -> None:
    """Raise DatabaseError if the file cannot be written, before anything is done."""
    file = store_file(address)
    folder = file.parent
    if address.query.get("mode") == "ro" or address.query.get("immutable"):
        raise read_only(str(file))
    if not folder.is_dir():
        raise DatabaseError(
            f"The folder of the lock store does not exist: create {folder}, or "
            "name another place."
        )
    if file.is_dir():
        raise DatabaseError(f"The lock store {file} is a folder: name a file in it.")
    # The write-ahead log lies beside the file, so the folder counts as well.
    for place in (file, folder):
        if place.exists() and not os.access(place, os.W_OK):
            raise read_only(str(place))


def read_only(place: str) -> DatabaseUnsafeError:
    """Return the error for a store that cannot be written."""
    return DatabaseUnsafeError(
        f"The lock store cannot be written, {place} is read-only: give this account "
        "write access to the file and its folder, or name another place."
    )


def _file_system_of(file: Path, mounts: str) -> str:
    best_point, best_kind = Path(), ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split(" ", 1)[0]
        if len(fields) < 5 or not kind:
            continue
        point = Path(_unescape(fields[4]))
        # Of two mounts on one point the later hides the earlier.
        if file.is_relative_to(point) and len(point.parts) >= len(best_point.parts):
            best_point, best_kind = point, kind
    # Sandboxes show their own private root as 9p; nobody else mounts it.
    is_sandbox = best_kind == "9p" and best_point == Path("/")
    return "" if is_sandbox else best_kind


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
