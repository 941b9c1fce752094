import dataclasses
import shutil
from pathlib import Path

import pytest

from dfjax.archive import scan as scan_module
from dfjax.archive.contents import Content, Hashed, hash_file
from dfjax.archive.results import Results
from dfjax.archive.scan import Shard, scan, unscored
from dfjax.archive.workers import Workers, _Process
from dfjax.errors import ModelFormatError
from dfjax.predictor import Predictor
from tests.archive.archives import of_column, read_rows, tiny_settings, write_archive


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A folder with an archive and its results, the paths, the settings and the counts."""
    folder = tmp_path_factory.mktemp("scanned")
    paths = write_archive(folder / "in")
    settings = tiny_settings(folder / "model")
    counts = scan(paths, str(folder / "out"), settings, workers=2)
    return folder, paths, settings, counts


@pytest.fixture
def again(scanned, tmp_path, monkeypatch):
    """The same, in a folder that may be changed; and the contents that are scored from here on."""
    folder, paths, settings, _ = scanned
    shutil.copytree(folder / "out", tmp_path / "out")
    read: list[Content] = []

    def score(self, contents):
        read.extend(contents)
        for content in contents:
            yield {"sha256": content.sha256, "name": "x", "again": False, "error": "not judged"}

    monkeypatch.setattr(Workers, "__init__", lambda *_: None)
    monkeypatch.setattr(Workers, "close", lambda self: None)
    monkeypatch.setattr(Workers, "score", score)
    return tmp_path / "out", paths, settings, read


def test_each_file_has_a_row_with_what_predict_says_or_the_reason(scanned):
    folder, paths, settings, counts = scanned
    rows = read_rows(folder / "out")
    assert of_column(rows, "path") == paths
    assert counts.files == 5 and counts.failures == 2 and counts.labels["no_face"] == 1
    face, copy, pattern, broken, gone = rows
    predicted = Predictor.from_pretrained(settings.model, runtime="onnx")(paths[0]).to_dict()
    for name in ("label", "probability_fake", "tracks", "frames", "video", "model"):
        assert face[name] == predicted[name]
    assert copy["tracks"] == face["tracks"] and copy["video"]["name"] == "copy.mp4"
    assert pattern["label"] == "no_face" and pattern["probability_fake"] is None
    assert "'broken.mp4' is not a video" in broken["error"] and broken["label"] is None
    assert "no file named 'gone.mp4'" in gone["error"] and gone["sha256"] is None


def test_what_is_known_is_not_scored_again(again):
    out, paths, settings, read = again
    before = read_rows(out)
    scan(paths, str(out), settings)
    assert read == [] and read_rows(out) == before


def test_a_changed_file_is_scored_again_alone(again, tmp_path):
    out, paths, settings, read = again
    changed = tmp_path / "face.mp4"
    shutil.copyfile(paths[0], changed)
    with changed.open("ab") as file:
        file.write(b"\0" * 16)
    scan([str(changed), *paths[1:]], str(out), settings)
    assert of_column([content._asdict() for content in read], "path") == [str(changed)]


@pytest.mark.parametrize("change", ["effort", "weights"])
def test_other_settings_score_everything_again_and_each_content_once(again, tmp_path, change):
    out, paths, settings, read = again
    if change == "effort":
        other = dataclasses.replace(settings, effort="quick")
    else:
        other = tiny_settings(tmp_path / "other", seed=1)
    scan(paths, str(out), other)
    names = [Path(content.path).name for content in read]
    assert names == ["face.mp4", "pattern.mp4", "broken.mp4"]


def test_a_note_beside_the_weights_is_no_other_model(scanned, tmp_path):
    _, _, settings, _ = scanned
    shutil.copytree(settings.model, tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("A card.")
    assert dataclasses.replace(settings, model=str(tmp_path / "model")).key() == settings.key()


def test_every_file_belongs_to_one_shard_whoever_else_is_there():
    paths = [f"in/{number}.mp4" for number in range(100)]
    shards = [Shard(number, 3) for number in (1, 2, 3)]
    parts = [shard.files([*paths, paths[0]]) for shard in shards]
    assert sorted(sum(parts, [])) == sorted(paths) and all(parts)
    assert [shard.files(paths[:50]) for shard in shards] == [
        [path for path in part if path in paths[:50]] for part in parts
    ]
    assert len({shard.table for shard in shards}) == 3


def test_a_file_that_kills_its_process_costs_no_other_file(scanned, monkeypatch):
    _, paths, settings, _ = scanned
    receive = _Process.receive

    def receive_or_die(self):
        answer = receive(self)
        if answer is None and self.content.path == paths[0]:  # the model is loaded
            self._process.kill()
        return answer

    def send(self, content):
        self.content = content
        self.connection.send(content)

    monkeypatch.setattr(_Process, "receive", receive_or_die)
    monkeypatch.setattr(_Process, "send", send)
    files = [hash_file(path, {}) for path in (paths[0], paths[3])]
    contents = unscored(files, set())
    with Workers(settings, settings.key(), 1) as workers:
        deadly, other = workers.score(contents)
    assert "'face.mp4' could not be judged: the process that read it died" in deadly["error"]
    assert deadly["again"]  # in the next scan
    assert "not a video" in other["error"] and not other["again"]


def test_workers_share_the_cores_that_the_scan_may_use(again, monkeypatch):
    out, paths, settings, _ = again
    shared = []
    monkeypatch.setattr(scan_module, "num_threads", lambda: 7)
    monkeypatch.setattr(
        *(Workers, "__init__"),
        lambda self, settings, key, count: shared.append((settings.threads, count)),
    )
    for effort, workers in (("quick", 8), ("thorough", 1)):
        scan(paths, str(out), dataclasses.replace(settings, effort=effort), workers=workers)
    assert shared == [(2, 3), (None, 1)]  # three contents


def test_a_scan_that_is_stopped_waits_for_no_file_to_be_read(tmp_path, monkeypatch):
    def hash_until_over(path, known, is_over):
        assert path == "first" or is_over.wait(60)
        return Hashed(path, None, None, "not read")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(scan_module, "hash_file", hash_until_over)
    with pytest.raises(KeyboardInterrupt):
        scan_module._hash(["first", "second"], Results(str(tmp_path), "key"), 2, stop)


def test_a_model_that_cannot_be_loaded_is_one_error(scanned, tmp_path):
    _, paths, settings, _ = scanned
    shutil.copytree(settings.model, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    broken = dataclasses.replace(settings, model=str(tmp_path / "model"))
    with pytest.raises(ModelFormatError, match="no model.safetensors"):
        scan(paths, str(tmp_path / "out"), broken)


def test_little_is_lost_and_little_is_written(monkeypatch):
    now = 0.0
    monkeypatch.setattr(scan_module.time, "monotonic", lambda: now)
    kept: list[list[int]] = []

    def items():
        nonlocal now
        for number in range(10_000):
            now += 1.0
            yield number
            assert sum(map(len, kept)) >= 0.98 * number - 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan_module._keep_often(items(), kept.append)
    assert sum(kept, []) == list(range(10_000))
    assert len(kept) < 600
