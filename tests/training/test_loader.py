import jax
import numpy as np
import pytest

from dfjax.data.prepared import read_clips
from dfjax.data.store import ClipStore
from dfjax.errors import DatasetError, TrainingError
from dfjax.training.loader import Loader
from dfjax.training.step import data_mesh
from tests.training.prepared_set import CONFIG, NUM_FRAMES, SIZE, plain, write_prepared


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> str:
    return write_prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def store(prepared) -> ClipStore:
    return ClipStore([prepared], "train")


def _loader(store, config=CONFIG, *, workers=2, image_size=SIZE) -> Loader:
    return Loader(store, config, data_mesh(), image_size=image_size, workers=workers)


def test_a_store_reads_the_very_frames_that_were_prepared(prepared, store):
    rows = {row.video: row for row in read_clips(prepared, "train")}
    assert {clip.video for clip in store.clips} == set(rows)
    for number, clip in enumerate(store.clips):
        positions = np.array([0]) if clip.num_frames == 1 else np.array([5, 2, 2])
        frames, landmarks = store.read(number, positions)
        np.testing.assert_array_equal(frames, rows[clip.video].frames[positions])
        np.testing.assert_array_equal(landmarks, rows[clip.video].landmarks[positions])


def test_batches_are_the_same_however_many_threads_make_them_and_wherever_they_start(store):
    alone = list(_loader(store, workers=1).batches(0))
    together = list(_loader(store, workers=4).batches(2))
    assert [int(batch.step) for batch in alone] == list(range(CONFIG.steps))
    assert [int(batch.step) for batch in together] == list(range(2, CONFIG.steps))
    jax.tree.map(np.testing.assert_array_equal, alone[2:], together)


def test_pairs_lie_on_the_devices_side_by_side(store):
    batch = next(_loader(store).batches(0))
    assert batch.clips is not None and batch.stills is not None
    assert batch.clips.real.shape == (1, 8, 3, SIZE, SIZE, 3)
    assert batch.stills.real.shape == (1, 8, 1, SIZE, SIZE, 3)
    assert len(batch.clips.real.sharding.device_set) == 8
    assert batch.clips.real.addressable_shards[0].data.shape[1] == 1


def test_a_fake_is_shown_at_the_moments_of_its_original(store):
    batch = next(_loader(store, plain(self_blended=0.25)).batches(0))
    assert batch.clips is not None
    clips = jax.tree.map(lambda x: np.asarray(x)[0], batch.clips)
    assert clips.is_blended.sum() == 2
    for pair in range(8):
        real, fake, mask = (x[pair] for x in (clips.real, clips.fake, clips.frame_mask))
        if clips.is_blended[pair]:
            assert not fake.any()
        else:
            unchanged = np.delete(np.arange(SIZE), np.arange(10, 20))
            np.testing.assert_array_equal(real[mask][:, unchanged], fake[mask][:, unchanged])
            assert (fake[mask][:, 10:20, :, 0] == 255).all()
        assert not real[~mask].any()


def test_the_main_face_of_a_video_is_the_one_that_fills_most_of_it(tmp_path):
    import datasets

    folder = write_prepared(tmp_path / "one", groups=4, stills=0)
    (path,) = (tmp_path / "one" / "data").glob("train-*")
    rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))

    def second_face(row):
        boxes = [[0, 0, 300, 300]] * NUM_FRAMES
        return row | {"track_id": 1, "boxes_xyxy": boxes}

    larger = rows.map(second_face, cache_file_name=str(tmp_path / "more.arrow"))
    datasets.concatenate_datasets([rows, larger]).to_parquet(path)
    store = ClipStore([folder], "train")
    assert len(store) == len(rows)
    assert {clip.face_area for clip in store.clips} == {300.0 * 300 * NUM_FRAMES}


def test_pairs_that_cannot_be_split_over_the_devices_are_refused_with_a_number_that_can(store):
    with pytest.raises(TrainingError, match="multiple of 8 as --pairs"):
        _loader(store, plain(pairs=6))
    with pytest.raises(TrainingError, match="multiple of 16 as --still-pairs"):
        _loader(store, plain(pairs=16, still_pairs=8, accumulation=2))


def test_crops_of_another_size_are_refused_by_name(store):
    with pytest.raises(TrainingError, match=r"ffpp/.*32.*--image-size"):
        next(_loader(store, image_size=48).batches(0))


def test_a_split_that_is_absent_is_named(prepared):
    with pytest.raises(DatasetError, match="'test'"):
        ClipStore([prepared], "test")
