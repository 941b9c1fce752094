"""Data sets that are used together must not take two videos for one."""

import pytest

from dfjax.data.prepared import read_all_clips
from dfjax.data.store import ClipStore
from dfjax.errors import DatasetError
from tests.training.prepared_set import write_prepared


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> list[str]:
    """Two data sets with a name and videos' names in common."""
    folder = tmp_path_factory.mktemp("sets")
    return [write_prepared(folder / name, seed=seed) for seed, name in enumerate(("one", "two"))]


@pytest.mark.parametrize(
    "read",
    [lambda of: ClipStore(of, "train"), lambda of: list(read_all_clips(of, "validation"))],
)
def test_two_data_sets_of_one_name_are_refused_with_what_to_do(sources, read):
    with pytest.raises(DatasetError, match="in both .*one and .*two.*--name"):
        read(sources)
