"""Generated code of these tests is cached in a folder of the run; memory is ordinary for those that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAPERBACK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def ordinary_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what guard pages switch off, and for planted mistakes at which they would end the process."""
    monkeypatch.setenv("PAPERBACK_DEBUG", "")
