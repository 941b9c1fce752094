from dfjax.commands.prediction_pages import PredictionPages
from tests.page.samples import sample_prediction


def test_names_that_a_disk_may_not_tell_apart_are_those_of_different_reports(tmp_path):
    pages = PredictionPages(str(tmp_path / "pages"), is_folder=True)
    for name in ("Clip.mp4", "clip.MP4", "CLIP.mov", "ñ.mp4", "n\u0303.mp4"):
        pages.add(sample_prediction("real", name=name, num_frames=2))
    written = [path.name for path in (tmp_path / "pages").iterdir()]
    assert len({name.lower() for name in written}) == len(written) == 5
