from flax import nnx

from dfjax.inference.jax_engine import JaxEngine
from dfjax.training.validation import Validation, auc, interleave, per_dataset
from tests.evaluation.clips import scored_clip, scored_set
from tests.tiny import tiny_detector
from tests.training.prepared_set import write_prepared


def test_shares_of_several_processes_are_put_back_in_order():
    clips = [scored_clip(f"{number:03}") for number in range(7)]
    assert interleave([clips[0::3], clips[1::3], clips[2::3]]) == clips


def test_data_sets_are_measured_apart_and_those_of_one_label_left_out():
    easy, hard = scored_set(apart=9.0, dataset="dfdc"), scored_set(apart=0.5, dataset="ffpp")
    real_only = [scored_clip("1", dataset="faces")]
    scores = per_dataset([*easy, *hard, *real_only])
    assert list(scores) == ["dfdc", "ffpp"]
    assert auc(scores["dfdc"]) > 0.99 > 0.8 > auc(scores["ffpp"])


def test_all_validation_clips_are_scored_and_no_training_clip(tmp_path):
    detector = tiny_detector()
    validation = Validation([write_prepared(tmp_path)], JaxEngine(detector), mirror_bursts=False)
    scored = validation.score(nnx.state(detector))
    assert len(scored) == 2 * 3 + 1 * 2
    assert {clip.row.video_id for clip in scored} == {"006", "007", "011"}
