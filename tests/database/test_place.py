from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from airflow_codebeamer.database import Machine, host_table, lock_table
from airflow_codebeamer.database.place import (
    read_mounts,
    refuse_network_share,
    store_file,
)
from airflow_codebeamer.errors import DatabaseError, DatabaseUnsafeError

LOCAL = "22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"


def _mount(point: Path | str, kind: str) -> str:
    escaped = str(point).replace(" ", "\\040")
    return f"40 22 0:31 / {escaped} rw,relatime shared:2 - {kind} server:/x rw\n"


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone", "glusterfs"],
)
@pytest.mark.trap("T24")
def test_network_share_is_refused_before_a_file_is_made(
    kind: str, tmp_path: Path, open_store
) -> None:
    store = open_store(
        f"sqlite:///{tmp_path / 'store.db'}",
        mounts=lambda: LOCAL + _mount(tmp_path.parent, kind),
    )
    for use in (store.ensure, store.check, store.begin().__enter__):
        with pytest.raises(DatabaseUnsafeError, match="network share") as caught:
            use()
        assert kind in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "mounts",
    [
        "",
        "nonsense\n",
        LOCAL,
        "22 1 0:2 / / rw - 9p none rw\n",
        LOCAL + _mount("/srv/st", "nfs"),
        LOCAL + _mount("/srv", "nfs") + _mount("/srv/store", "ext4"),
        LOCAL + _mount("/srv/store", "nfs") + _mount("/srv/store", "tmpfs"),
        LOCAL + _mount("/srv", "fuse.lxcfs"),
    ],
)
def test_local_place_is_accepted(mounts: str) -> None:
    refuse_network_share(make_url("sqlite:////srv/store/locks.db"), mounts)


@pytest.mark.parametrize(
    "mounts",
    [
        "22 1 0:2 / / rw - nfs server:/root rw\n",
        LOCAL + _mount("/srv", "ext4") + _mount("/srv/my store", "nfs"),
        LOCAL + _mount("/srv/my store", "ext4") + _mount("/srv/my store", "cifs"),
    ],
)
def test_nearest_and_latest_mount_counts(mounts: str) -> None:
    with pytest.raises(DatabaseUnsafeError):
        refuse_network_share(make_url("sqlite:////srv/my store/locks.db"), mounts)


@pytest.mark.trap("T24")
def test_link_to_a_share_is_followed(tmp_path: Path) -> None:
    share, local = tmp_path / "share", tmp_path / "local"
    share.mkdir()
    local.symlink_to(share)
    with pytest.raises(DatabaseUnsafeError):
        refuse_network_share(
            make_url(f"sqlite:///{local / 'x.db'}"), LOCAL + _mount(share, "nfs")
        )


def test_network_share_can_be_allowed(tmp_path: Path, open_store) -> None:
    store = open_store(
        f"sqlite:///{tmp_path / 'store.db'}",
        allow=True,
        mounts=lambda: _mount(tmp_path, "nfs"),
    )
    store.ensure()
    assert store_file(make_url(f"sqlite:///{tmp_path / 'store.db'}")).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells")
def test_mounts_of_this_machine_can_be_read() -> None:
    assert any(line.split()[4] == "/" for line in read_mounts().splitlines())


def test_missing_folder_is_named(tmp_path: Path, open_store) -> None:
    folder = tmp_path / "missing"
    with pytest.raises(DatabaseError, match=f"create {folder}"):
        open_store(f"sqlite:///{folder / 'store.db'}").ensure()
    assert list(tmp_path.iterdir()) == []


def test_folder_instead_of_a_file_is_named(tmp_path: Path, open_store) -> None:
    with pytest.raises(DatabaseError, match="is a folder"):
        open_store(f"sqlite:///{tmp_path}").ensure()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_folder_that_takes_no_file_is_refused(open_store) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_store("sqlite:////proc/store.db").ensure()
    assert "/proc" in str(caught.value)
    assert "write" in str(caught.value)


@pytest.fixture
def old_store(tmp_path: Path, open_store) -> Path:
    file = tmp_path / "store.db"
    store = open_store(f"sqlite:///{file}")
    store.ensure()
    store.close()
    return file


def _bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("option", ["mode=ro", "immutable=1"])
def test_store_opened_read_only_is_refused(
    option: str, old_store: Path, open_store
) -> None:
    before = old_store.read_bytes()
    store = open_store(f"sqlite:///file:{old_store}?{option}&uri=true")
    for use in (store.ensure, store.check, store.migrate):
        with pytest.raises(DatabaseUnsafeError, match="read-only"):
            use()
    assert old_store.read_bytes() == before


@pytest.fixture
def frozen_folder(old_store: Path) -> Iterator[Path]:
    """Yield a folder that this account cannot write, root or not."""
    folder = old_store.parent
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    # Root ignores modes, but not a read-only mount.
    bind = subprocess.run(
        ["mount", "--bind", str(folder), str(folder)], capture_output=True, check=False
    )
    if bind.returncode:
        pytest.skip("root without the right to mount")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_read_only_folder_is_refused(frozen_folder: Path, open_store) -> None:
    before = _bytes(frozen_folder)
    for name in ("store.db", "new.db"):
        store = open_store(f"sqlite:///{frozen_folder / name}")
        with pytest.raises(DatabaseUnsafeError, match="read-only") as caught:
            store.ensure()
        assert str(frozen_folder) in str(caught.value)
    assert _bytes(frozen_folder) == before


@pytest.mark.trap("T24")
def test_second_machine_is_refused(tmp_path: Path, open_store) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url, machine=Machine("first", "boot-1")).ensure()
    second = open_store(url, machine=Machine("second", "boot-2"))
    for use in (second.ensure, second.check, second.begin().__enter__):
        with pytest.raises(DatabaseUnsafeError, match="first") as caught:
            use()
        assert "second" in str(caught.value)
        assert "PostgreSQL" in str(caught.value)


def test_same_machine_is_known_after_a_reboot_and_in_a_container(
    tmp_path: Path, open_store
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    for machine in (
        Machine("first", "boot-1"),
        Machine("container", "boot-1"),
        Machine("first", "boot-2"),
        Machine("container", "boot-2"),
    ):
        store = open_store(url, machine=machine)
        with store.read() as connection:
            names = connection.scalars(select(host_table.c.name)).all()
        assert names == ["first"]
    with pytest.raises(DatabaseUnsafeError):
        open_store(url, machine=Machine("container", "boot-1")).ensure()


def test_unknown_boot_is_no_proof_of_one_machine() -> None:
    assert not Machine("first").is_same(Machine("second"))
    assert Machine("first").is_same(Machine("first"))


def test_this_machine_is_recorded(tmp_path: Path, open_store) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    with store.read() as connection:
        row = connection.execute(select(host_table)).one()
    assert Machine(row.name, row.boot) == Machine.here()


@pytest.mark.postgres
def test_postgres_serves_many_machines(postgres_url: str, open_store) -> None:
    for name in ("first", "second"):
        store = open_store(postgres_url, machine=Machine(name, name))
        with store.begin() as connection:
            assert connection.execute(select(host_table)).all() == []
            assert connection.execute(select(lock_table)).all() == []
