"""The cache gives back what was stored or nothing: whatever happens to its files, whoever else uses them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paperback.engines.llvm.machine import cache

SOURCE = Path(__file__).parents[3] / "src"
POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache."""
    monkeypatch.setenv("PAPERBACK_CACHE", str(tmp_path / "cache"))
    found = cache.folder()
    assert found is not None
    return found


def entry(place: Path) -> Path:
    (path,) = place.iterdir()
    return path


def test_what_is_stored_comes_back(place: Path) -> None:
    contents = {f"key {i}": bytes(range(i % 256)) * i for i in range(20)}
    for key, content in contents.items():
        assert cache.read(key) is None
        cache.write(key, content)
    cache.write("key 3", b"changed")
    contents["key 3"] = b"changed"
    assert {key: cache.read(key) for key in contents} == contents
    assert len(list(place.iterdir())) == 20
    assert re.fullmatch(r"cache in .*cache/code", cache.describe())


def test_every_cut_and_every_flipped_bit_is_found(place: Path) -> None:
    cache.write("key", b"some code of a program")
    path = entry(place)
    good = path.read_bytes()
    cuts = [good[:n] for n in range(len(good))]
    flips = [bytes([*good[:n], good[n] ^ (1 << n % 8), *good[n + 1 :]]) for n in range(len(good))]
    checked = 0
    for bad in [*cuts, *flips, good + b"x", b"\0" * len(good)]:
        path.write_bytes(bad)
        path.chmod(0o600)
        assert cache.read("key") is None
        assert not path.exists(), "what cannot be trusted is removed"
        checked += 1
    assert checked == 2 * len(good) + 2 > 100
    cache.write("key", b"again")
    assert cache.read("key") == b"again"


def test_an_entry_under_another_name_is_foreign(place: Path) -> None:
    cache.write("one", b"1")
    first = entry(place)
    cache.write("two", b"2")
    (second,) = (path for path in place.iterdir() if path != first)
    second.write_bytes(first.read_bytes())
    assert cache.read("two") is None
    assert cache.read("one") == b"1"


@POSIX
@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666, 0o777])
def test_a_file_that_others_can_write_is_not_trusted(place: Path, mode: int) -> None:
    cache.write("key", b"code")
    assert cache.read("key") == b"code"
    path = entry(place)
    path.chmod(mode)
    assert cache.read("key") is None
    assert not path.exists()


@POSIX
@pytest.mark.parametrize("mode", [0o702, 0o720, 0o777, 0o1777])
def test_a_folder_that_others_can_write_is_not_trusted(place: Path, mode: int) -> None:
    cache.write("key", b"code")
    place.chmod(mode)
    assert cache.read("key") is None
    cache.write("other", b"code")
    assert len(list(place.iterdir())) == 1
    assert "can be changed by others" in cache.describe()
    place.chmod(0o700)
    assert cache.read("key") == b"code"


@POSIX
def test_a_folder_that_others_can_exchange_is_not_trusted(place: Path) -> None:
    cache.write("key", b"code")
    for mode, trusted in [(0o777, False), (0o1777, True), (0o770, True), (0o700, True), (0o702, False), (0o755, True)]:
        for above in (place.parent, place.parent.parent):
            above.chmod(mode)
            assert (cache.read("key") == b"code") == trusted
            above.chmod(0o700)


@POSIX
def test_what_belongs_to_another_user_is_not_trusted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write("key", b"code")
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert cache.folder() is None and cache.read("key") is None
    monkeypatch.setattr(cache, "folder", lambda: place)  # the folder is ours, the file is not
    assert cache.read("key") is None


@POSIX
def test_files_and_folders_of_the_cache_are_private(place: Path) -> None:
    before = os.umask(0)
    try:
        cache.write("key", b"code")
    finally:
        os.umask(before)
    assert entry(place).stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700


@POSIX
def test_links_are_not_followed(place: Path, tmp_path: Path) -> None:
    cache.write("key", b"code")
    path = entry(place)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert cache.read("key") is None
    assert elsewhere.exists() and not path.is_symlink()
    place.rename(tmp_path / "folder")
    place.symlink_to(tmp_path / "folder")
    assert cache.folder() is None


def test_off_means_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for word in ("off", "OFF"):
        monkeypatch.setenv("PAPERBACK_CACHE", word)
        cache.write("key", b"code")
        assert cache.read("key") is None
    assert not list(tmp_path.iterdir())
    assert cache.describe().startswith("no cache: PAPERBACK_CACHE=off")


def test_the_folder_is_where_the_system_keeps_such_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PAPERBACK_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache._place() == tmp_path / ".cache" / "paperback" / "code"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the standard says: ignore it
    assert cache._place() == tmp_path / ".cache" / "paperback" / "code"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache._place() == tmp_path / "x" / "paperback" / "code"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache._place() == tmp_path / "Library" / "Caches" / "paperback" / "code"
    monkeypatch.setenv("PAPERBACK_CACHE", "~/mine")
    assert cache._place() == tmp_path / "mine" / "code"


def test_a_disk_that_refuses_does_no_harm(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        cache.write("key", b"code")
    assert not list(place.iterdir())
    monkeypatch.setenv("PAPERBACK_CACHE", str(place / "file"))
    (place / "file").write_bytes(b"")  # no folder can be made in a file
    cache.write("key", b"code")
    assert cache.read("key") is None and cache.describe().startswith("no cache: ")


def test_the_entries_not_used_for_longest_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 1000
    for number in range(10):
        cache.write(f"key {number}", bytes(size))
        path = place / cache._name(f"key {number}")
        os.utime(path, (number, number))  # seconds of 1970
    assert cache.read("key 0") == bytes(size)  # used now
    monkeypatch.setattr(cache, "LIMIT", 5 * (size + 100))
    cache.write("key 10", bytes(size))
    alive = [number for number in range(11) if cache.read(f"key {number}") is not None]
    assert alive == [0, 7, 8, 9, 10]
    for number in range(20, 40):
        cache.write(f"key {number}", bytes(size))
        assert sum(path.stat().st_size for path in place.iterdir()) <= cache.LIMIT
        assert cache.read(f"key {number}") is not None


def test_what_dead_processes_left_goes(place: Path) -> None:
    old, new, foreign = place / "a.part", place / "b.part", place / "README"
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (1, time.time() - 7200))
    cache.write("key", b"code")
    assert not old.exists() and new.exists() and foreign.exists()


SHARING = """
import sys
from paperback.engines.llvm.machine import cache
cache.LIMIT = 60_000  # so that entries are evicted meanwhile
number, hits = int(sys.argv[1]), 0
for turn in range(120):
    key = f"key {turn % 7}"
    found = cache.read(key)
    if found is not None:
        assert len(found) > 5 and found == found[:5] * (len(found) // 5), key
        hits += 1
    cache.write(key, (f"{number:01d}{turn:04d}".encode()) * (1000 + 2000 * number))
print(hits)
"""


def test_processes_may_share_the_folder(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SHARING, str(number)], env=environment, stdout=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    hits = [int(process.communicate(timeout=120)[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 3
    assert sum(hits) > 30
    assert not list(place.glob("*.part"))
