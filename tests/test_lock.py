"""The lock file stands beside the ranges, and agrees with them."""

import re
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parent.parent


def locked():
    """Returns the version and the number of hashes of each package in the lock file."""
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([\w.-]+)==(\S+)((?:\s+--hash=sha256:[0-9a-f]{64})+)", line)
        assert match, f"not a pinned package with hashes: {line[:80]}"
        found[match[1]] = match[2], match[3].count("--hash")
    return found


def test_the_lock_file_has_all_that_the_space_installs_in_a_version_of_its_range():
    versions = locked()
    for line in (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line:
            wanted = Requirement(line)
            version, num_hashes = versions[wanted.name.lower().replace("_", "-")]
            assert wanted.specifier.contains(version), f"{wanted} is locked to {version}"
            assert num_hashes


def test_the_lock_file_pins_nothing_that_the_space_must_not_have():
    assert not {"torch", "tensorflow"} & set(locked())


def test_the_table_of_licences_has_what_is_locked_and_nothing_else():
    text = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| licence | packages |\n|---|---|\n")
    rows = [row.split("|")[2].strip() for row in table.partition("\n\n")[0].splitlines()]
    assert sorted(", ".join(rows).split(", ")) == sorted(locked())


def test_each_line_for_the_gpu_stands_in_place_of_one_with_the_same_range():
    def ranges(name):
        lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
        wanted = [
            Requirement(line) for line in (text.partition("#")[0] for text in lines) if line.strip()
        ]
        return {one.name: one.specifier for one in wanted}

    gpu = ranges("requirements-gpu.txt")
    assert "jax" in gpu and gpu.items() <= ranges("requirements.txt").items()
