"""Damaged files of every format, through the whole predictor: a short benchmark."""

import random
from pathlib import Path

import pytest

from benchmarks.fuzz import MUTATIONS, fuzz, mutated


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_no_damaged_file_does_more_than_get_an_answer_or_an_error(tmp_path):
    tally = fuzz(tmp_path, num_files=32, seed=1)
    assert tally.faults == []
    assert sum(map(sum, (counts.values() for counts in tally.outcomes.values()))) == 32
    assert not {"mp4", "mov, prores", "webm, vp9", "gif", "jpeg"} & set(tally.refused)


def test_seed_and_number_decide_what_a_file_is(tmp_path):
    source = tmp_path / "a.bin"
    source.write_bytes(bytes(range(256)) * 20)

    def written(seed: int, number: int) -> tuple[bytes, str]:
        path, name = mutated(source, tmp_path, seed, number)
        return path.read_bytes(), name

    assert written(0, 1) == written(0, 1)
    assert len({written(seed, number) for seed in range(3) for number in range(3)}) == 9


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize("size", [2, 9, 5000])
def test_a_mutation_changes_most_files_and_never_makes_them_longer(mutation, size):
    changed = 0
    for seed in range(20):
        data = bytearray(random.Random(seed).randbytes(size))
        before = bytes(data)
        mutation(random.Random(seed), data)
        assert len(data) <= max(size, 8)
        changed += bytes(data) != before
    assert changed >= 10
