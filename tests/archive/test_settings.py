from dfjax.archive import settings as settings_module
from dfjax.archive.settings import ScanSettings
from tests.archive.archives import tiny_settings


def test_a_model_on_the_hub_is_the_same_throughout_a_scan(tmp_path, monkeypatch):
    tiny_settings(tmp_path / "one")
    tiny_settings(tmp_path / "two", seed=1)
    branches = {None: "one"}

    def find_folder(source, *, revision=None):
        return tmp_path / branches.get(revision, revision)

    monkeypatch.setattr(settings_module, "find_folder", find_folder)
    pinned = ScanSettings(model="owner/model").pinned()
    assert pinned.revision == "one"
    key = pinned.key()
    branches[None] = "two"  # somebody pushes
    assert pinned.key() == key and pinned.pinned() == pinned
    assert ScanSettings(model="owner/model").key() != key


def test_a_folder_has_no_revision(tmp_path):
    settings = tiny_settings(tmp_path)
    assert settings.pinned() == settings
