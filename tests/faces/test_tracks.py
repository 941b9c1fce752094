import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from dfjax.config import TrackConfig
from dfjax.faces.detection import Faces
from dfjax.faces.tracks import FaceTrack, FaceTracker, link_faces, linked_faces

Pose = tuple[float, float, float]  # middle x, middle y, side: pixels
Person = Callable[[float], Pose | None]  # where someone's face is at a time; None: not to be seen

SHORT_CLIP = np.arange(32) * 0.19  # 6 seconds
LONG_VIDEO = np.arange(32) * 19.0  # 10 minutes


def film(
    people: Sequence[Person],
    timestamps: np.ndarray,
    *,
    confidences: Sequence[float] | None = None,
    tremble: float = 0.02,
) -> list[Faces]:
    """Returns what a detector finds, trembling by a share of the face's side.

    Every landmark of a face holds the number of its person, so that a track tells whom it followed.
    """
    rng = np.random.default_rng(0)
    faces = []
    for time in timestamps:
        boxes, who = [], []
        for number, person in enumerate(people):
            pose = person(float(time))
            if pose is not None:
                x, y, side = pose
                edges = np.array([x - 0.4 * side, y - side / 2, x + 0.4 * side, y + side / 2])
                boxes.append(edges + rng.normal(0, tremble * side, 4))
                who.append(number)
        levels = np.array([0.999 if confidences is None else confidences[i] for i in who])
        order = np.argsort(-levels, kind="stable")
        faces.append(
            Faces(
                boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4)[order],
                landmarks=np.broadcast_to(
                    np.array(who, np.float32)[order, None, None], (len(who), 5, 2)
                ),
                confidences=levels[order].astype(np.float32),
            )
        )
    return faces


def still_at(x: float, y: float = 200.0, side: float = 100.0) -> Person:
    return lambda time: (x, y, side)


def seen_at(person: Person, times: Sequence[float]) -> Person:
    return lambda time: person(time) if np.any(np.isclose(time, times)) else None


def people_in(track: FaceTrack) -> set[int]:
    return set(track.landmarks[:, 0, 0].astype(int).tolist())


def assert_same_tracks(left: Sequence[FaceTrack], right: Sequence[FaceTrack]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.id == b.id
        np.testing.assert_array_equal(a.frame_indices, b.frame_indices)
        np.testing.assert_array_equal(a.boxes_xyxy, b.boxes_xyxy)
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
        np.testing.assert_array_equal(a.confidences, b.confidences)


def test_a_track_has_the_shapes_and_types_it_promises():
    (track,) = link_faces(film([still_at(300)], SHORT_CLIP), SHORT_CLIP)
    assert track.frame_indices.dtype == np.int64
    np.testing.assert_array_equal(track.frame_indices, np.arange(32))
    assert (track.boxes_xyxy.dtype, track.boxes_xyxy.shape) == (np.float32, (32, 4))
    assert (track.landmarks.dtype, track.landmarks.shape) == (np.float32, (32, 5, 2))
    assert (track.confidences.dtype, track.confidences.shape) == (np.float32, (32,))


def test_a_track_keeps_how_its_frames_were_turned():
    turns = [n % 4 for n in range(32)]
    found = zip(film([still_at(300), still_at(600)], SHORT_CLIP), turns, strict=True)
    faces = [dataclasses.replace(each, quarter_turns=turn) for each, turn in found]
    tracks = link_faces(faces, SHORT_CLIP)
    assert [track.quarter_turns.tolist() for track in tracks] == [turns, turns]


def test_two_moving_faces_make_two_tracks():
    people = [
        lambda time: (200 + 40 * np.sin(3 * time), 200 + 30 * np.sin(2 * time), 100),
        lambda time: (420 + 40 * np.sin(3 * time + 1), 210 + 20 * np.cos(4 * time), 110),
    ]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}, {1}]
    assert all(len(track.frame_indices) == 32 for track in tracks)


@pytest.mark.parametrize("apart", [40.0, 60.0, 90.0])
def test_faces_that_pass_each_other_keep_their_tracks(apart: float):
    people = [
        lambda time: (100 + 80 * time, 200, 100),
        lambda time: (580 - 80 * time, 200 + apart, 100),
    ]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_faces_that_change_sides_between_two_samples_keep_their_tracks():
    # Each then lies nearest to where the other was: only their motion tells who is who.
    people = [
        lambda time: (100 + 200 * time, 200, 100),
        lambda time: (100 + 200 * (3.23 - time), 200, 100),
    ]
    timestamps = SHORT_CLIP[:20]
    tracks = link_faces(film(people, timestamps), timestamps)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_a_face_hidden_by_another_in_front_keeps_its_track():
    def behind(time: float) -> Pose | None:
        x = 580 - 120 * time
        return None if abs(x - (100 + 120 * time)) < 60 else (x, 200, 100)

    people = [lambda time: (100 + 120 * time, 200, 100), behind]
    timestamps = SHORT_CLIP[:22]
    tracks = link_faces(film(people, timestamps), timestamps)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_size_tells_two_faces_apart_where_place_does_not():
    # They change places between two samples: only the sizes tell who is who.
    swap = SHORT_CLIP[15] + 0.01
    people = [
        lambda time: (200 if time < swap else 240, 200, 140),
        lambda time: (240 if time < swap else 200, 290, 75),
    ]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    assert sorted(map(people_in, tracks), key=min) == [{0}, {1}]


def test_a_face_that_vanishes_does_not_shift_the_others():
    row = [still_at(100), still_at(200), still_at(300)]
    people = [seen_at(row[0], SHORT_CLIP[:16].tolist()), *row[1:]]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}, {1}, {2}]
    assert [len(track.frame_indices) for track in tracks] == [16, 32, 32]


def test_a_face_that_turns_round_abruptly_keeps_its_track():
    def pacing(time: float) -> Pose:
        return 200 + 45 * abs((time / 0.19 + 6) % 12 - 6), 200, 100

    (track,) = link_faces(film([pacing], SHORT_CLIP), SHORT_CLIP)
    assert len(track.frame_indices) == 32


@pytest.mark.parametrize("steps", [[1.2] * 6 + [-1.2] * 6, [1.3] + [1.9] * 8])
def test_a_fast_face_that_turns_back_or_moves_on_keeps_its_track(steps: list[float]):
    """In between samples it moves by more than its own width."""
    places = 100 * np.cumsum([1.0, *steps])
    times = np.arange(len(places)) * 0.8

    def pacing(time: float) -> Pose:
        return float(places[round(time / 0.8)]), 200, 100

    (track,) = link_faces(film([pacing], times), times)
    assert len(track.frame_indices) == len(places)


def test_who_was_moving_is_not_looked_for_where_the_same_motion_would_lead_in_seconds():
    """In bursts a face moves on, but nobody walks straight on until the next one."""
    times = np.concatenate([np.arange(4) / 25, 3 + np.arange(4) / 25])
    people = [
        seen_at(lambda time: (100 + 200 * time, 200, 100), times[:4].tolist()),
        seen_at(still_at(720), times[4:].tolist()),
    ]
    tracks = link_faces(film(people, times, tremble=0.0), times)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_how_a_face_moved_more_than_a_second_ago_says_nothing_of_where_it_goes():
    """Both walk apart, turn round, and pass each other between two samples."""

    def walked(time: float) -> float:
        return 200 * (abs(time - 2.28) - 2.28)  # pixels towards the middle, negative at first

    people = [
        lambda time: (600 + walked(time), 200, 100),
        lambda time: (630 - walked(time), 200, 100),
    ]
    timestamps = SHORT_CLIP[:28]
    tracks = link_faces(film(people, timestamps), timestamps)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_people_who_enter_and_leave_have_tracks_for_just_that_time():
    people = [
        seen_at(still_at(150), SHORT_CLIP[:12].tolist()),
        seen_at(still_at(400), SHORT_CLIP[20:].tolist()),
    ]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    np.testing.assert_array_equal(tracks[0].frame_indices, np.arange(12))
    np.testing.assert_array_equal(tracks[1].frame_indices, np.arange(20, 32))


def test_a_short_gap_is_bridged_but_nothing_is_invented():
    present = [i for i in range(32) if i not in (10, 11, 12)]
    people = [seen_at(lambda time: (200 + 60 * time, 200, 100), SHORT_CLIP[present].tolist())]
    (track,) = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    np.testing.assert_array_equal(track.frame_indices, present)


def test_a_gap_longer_than_the_limit_ends_the_track():
    present = [i for i in range(32) if i not in (10, 11, 12, 13)]
    people = [seen_at(still_at(200), SHORT_CLIP[present].tolist())]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    assert [len(track.frame_indices) for track in tracks] == [10, 18]


@pytest.mark.parametrize("confidence", [0.91, 0.999])
def test_a_flash_in_a_short_clip_makes_no_track(confidence: float):
    flash = seen_at(still_at(600, 400), SHORT_CLIP[[9, 10]].tolist())
    faces = film([still_at(200), flash], SHORT_CLIP, confidences=[0.999, confidence])
    tracks = link_faces(faces, SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}]


def test_a_brief_confident_face_is_kept_rather_than_none():
    person = seen_at(still_at(200), [float(SHORT_CLIP[5])])
    (track,) = link_faces(film([person], SHORT_CLIP), SHORT_CLIP)
    np.testing.assert_array_equal(track.frame_indices, [5])
    assert link_faces(film([person], SHORT_CLIP, confidences=[0.93]), SHORT_CLIP) == []
    # It is enough to be certain of one frame.
    hazy = seen_at(still_at(200), [float(SHORT_CLIP[6])])
    (track,) = link_faces(film([person, hazy], SHORT_CLIP, confidences=[0.999, 0.93]), SHORT_CLIP)
    np.testing.assert_array_equal(track.frame_indices, [5, 6])


def test_a_talking_head_stays_one_track_in_a_long_video():
    def person(time: float) -> Pose:
        return 300 + 60 * np.sin(time), 200 + 30 * np.cos(1.7 * time), 100 + 15 * np.sin(2.3 * time)

    (track,) = link_faces(film([person], LONG_VIDEO), LONG_VIDEO)
    assert len(track.frame_indices) == 32


def test_two_people_in_a_long_video_make_two_tracks():
    people = [
        lambda time: (300 + 60 * np.sin(time), 200, 100),
        lambda time: (700 + 60 * np.sin(time + 1), 220, 120),
    ]
    tracks = link_faces(film(people, LONG_VIDEO), LONG_VIDEO)
    assert [people_in(track) for track in tracks] == [{0}, {1}]
    assert all(len(track.frame_indices) == 32 for track in tracks)


def test_samples_far_apart_in_time_lose_nobody():
    # Every sample lies in another shot: nothing can be linked, and yet there are faces.
    places = np.random.default_rng(1).permutation(32)

    def person(time: float) -> Pose:
        place = int(places[round(time / 19)])
        return 100 + 300 * (place % 8), 100 + 300 * (place // 8), 50 + 10 * (place % 8)

    tracks = link_faces(film([person], LONG_VIDEO), LONG_VIDEO, TrackConfig(max_tracks=32))
    seen = np.sort(np.concatenate([track.frame_indices for track in tracks]))
    np.testing.assert_array_equal(seen, np.arange(32))


def test_a_lone_doubtful_detection_in_a_long_video_makes_no_track():
    people = [
        still_at(300),
        seen_at(still_at(900), [19.0 * 7]),
        seen_at(still_at(900), [19.0 * 20]),
    ]
    faces = film(people, LONG_VIDEO, confidences=[0.999, 0.93, 0.995])
    tracks = link_faces(faces, LONG_VIDEO)
    assert [people_in(track) for track in tracks] == [{0}, {2}]


@pytest.mark.parametrize("spacing", [0.04, 0.19, 1.0, 19.0])
def test_faces_across_the_picture_are_never_linked(spacing: float):
    timestamps = np.arange(32) * spacing
    people = [
        seen_at(still_at(150), timestamps[:16].tolist()),
        seen_at(still_at(450), timestamps[16:].tolist()),
    ]
    tracks = link_faces(film(people, timestamps), timestamps)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_a_face_of_quite_another_size_is_another_face():
    people = [
        seen_at(still_at(200, side=60), SHORT_CLIP[:16].tolist()),
        seen_at(still_at(200, side=150), SHORT_CLIP[16:].tolist()),
    ]
    tracks = link_faces(film(people, SHORT_CLIP), SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_a_crowd_is_bounded_to_the_largest_faces():
    crowd = [
        still_at(60 + 110 * (i % 10), 60 + 110 * (i // 10), 90 if i in (13, 47, 88) else 60)
        for i in range(100)
    ]
    faces = film(crowd, SHORT_CLIP)
    tracks = link_faces(faces, SHORT_CLIP, TrackConfig(max_tracks=3))
    assert sorted(map(people_in, tracks), key=min) == [{13}, {47}, {88}]
    assert len(link_faces(faces, SHORT_CLIP)) == TrackConfig().max_tracks


def test_who_is_there_all_the_time_is_kept_rather_than_one_who_comes_by_closely():
    people = [still_at(200, side=60), seen_at(still_at(600, side=150), SHORT_CLIP[:8].tolist())]
    (track,) = link_faces(film(people, SHORT_CLIP), SHORT_CLIP, TrackConfig(max_tracks=1))
    assert people_in(track) == {0}


def test_in_an_edited_video_the_limit_is_one_on_faces_that_are_seen_at_once():
    faces, shots = film([still_at(300)], LONG_VIDEO), np.arange(32)
    linked = linked_faces(faces, LONG_VIDEO, shots=shots, at_once=True)
    assert len(linked.tracks) == linked.num_frames == 32 and not linked.is_crowded
    linked = linked_faces(faces, LONG_VIDEO, shots=shots)
    assert len(linked.tracks) == TrackConfig().max_tracks
    assert linked.num_frames == 32 and linked.is_crowded


def test_of_a_crowd_in_every_shot_the_largest_faces_are_kept():
    crowd = [still_at(60 + 110 * place, side=60 + 2 * place) for place in range(9)]
    faces, config = film(crowd, LONG_VIDEO), TrackConfig(max_tracks=3)
    shots = np.arange(32) // 8
    linked = linked_faces(faces, LONG_VIDEO, config, shots=shots, at_once=True)
    assert linked.is_crowded and len(linked.tracks) == 4 * 3
    assert set().union(*map(people_in, linked.tracks)) == {6, 7, 8}
    indices = np.concatenate([track.frame_indices for track in linked.tracks])
    assert np.bincount(indices).tolist() == [3] * 32


def test_where_people_come_and_go_no_frame_has_more_faces_than_the_limit():
    people = [
        seen_at(still_at(200), SHORT_CLIP[:20].tolist()),
        seen_at(still_at(600, side=80), SHORT_CLIP[12:].tolist()),
    ]
    linked = linked_faces(
        film(people, SHORT_CLIP), SHORT_CLIP, TrackConfig(max_tracks=1), at_once=True
    )
    assert [people_in(track) for track in linked.tracks] == [{0}] and linked.is_crowded


def test_scattered_detections_stay_bounded():
    rng = np.random.default_rng(2)
    faces = []
    for _ in range(32):
        corners = rng.uniform(0, 1000, (100, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (100, 1))], axis=1)
        faces.append(
            Faces(
                boxes_xyxy=boxes.astype(np.float32),
                landmarks=np.zeros((100, 5, 2), np.float32),
                confidences=np.full(100, 0.95, np.float32),
            )
        )
    assert len(link_faces(faces, SHORT_CLIP)) <= TrackConfig().max_tracks


def test_ids_follow_first_appearance_then_left_to_right():
    late = seen_at(still_at(50), SHORT_CLIP[8:].tolist())
    faces = film([late, still_at(700, side=80), still_at(300, side=60)], SHORT_CLIP)
    tracks = link_faces(faces, SHORT_CLIP)
    assert [track.id for track in tracks] == [0, 1, 2]
    assert [people_in(track) for track in tracks] == [{2}, {1}, {0}]


def test_the_order_of_detections_within_a_frame_does_not_matter():
    rng = np.random.default_rng(3)
    # They meet, hide one another, and some boxes are two of one face.
    people = [
        lambda time, k=k: (150 + 60 * k + 60 * np.sin(time + k), 200 + 20 * k, 100)
        for k in range(5)
    ]
    faces = film(people, SHORT_CLIP)
    shuffled = []
    for found in faces:
        order = rng.permutation(len(found.confidences))
        shuffled.append(
            Faces(
                boxes_xyxy=found.boxes_xyxy[order],
                landmarks=found.landmarks[order],
                confidences=found.confidences[order],
            )
        )
    assert_same_tracks(link_faces(faces, SHORT_CLIP), link_faces(shuffled, SHORT_CLIP))


def test_two_boxes_of_one_face_make_one_track():
    people = [still_at(300), still_at(312, 205, 90), still_at(295, 190, 130)]
    faces = film(people, SHORT_CLIP, confidences=[0.999, 0.97, 0.95])
    tracks = link_faces(faces, SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}]


def test_two_people_of_whom_one_hides_half_of_the_other_are_two():
    people = [still_at(200), still_at(240)]
    faces = film(people, SHORT_CLIP, confidences=[0.999, 0.98])
    tracks = link_faces(faces, SHORT_CLIP)
    assert [people_in(track) for track in tracks] == [{0}, {1}]


def test_no_frames_and_no_faces_give_no_tracks():
    assert link_faces([], np.empty(0)) == []
    assert link_faces(film([], SHORT_CLIP), SHORT_CLIP) == []


@pytest.mark.parametrize("box", [[9, 9, 9, 40], [9, 9, 40, 9], [9, 9, 5, 40], [9, 9, 5, 2]])
def test_boxes_without_an_area_are_no_faces(box: list[float]):
    nothing = Faces(
        boxes_xyxy=np.array([box], np.float32),
        landmarks=np.zeros((1, 5, 2), np.float32),
        confidences=np.array([0.999], np.float32),
    )
    assert link_faces([nothing] * 32, SHORT_CLIP) == []


def test_a_still_gives_all_its_faces():
    faces = film([still_at(500), still_at(200)], np.zeros(1), confidences=[0.999, 0.92])
    tracks = link_faces(faces, np.zeros(1))
    assert [people_in(track) for track in tracks] == [{1}, {0}]
    assert all(track.frame_indices.tolist() == [0] for track in tracks)


def test_times_that_do_not_fit_the_frames_are_refused():
    faces = film([still_at(200)], SHORT_CLIP)
    with pytest.raises(ValueError, match="one time per frame"):
        link_faces(faces, SHORT_CLIP[:-1])
    with pytest.raises(ValueError, match="increase"):
        link_faces(faces, SHORT_CLIP[::-1])
    with pytest.raises(ValueError, match="increase"):
        link_faces(faces, np.round(SHORT_CLIP))


def test_a_stream_linked_frame_by_frame_gets_the_tracks_of_the_whole():
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.05, 0.3, 60))
    people = [
        lambda time: (150 + 40 * time, 200.0, 100.0),
        seen_at(still_at(500), [t for n, t in enumerate(times) if n % 9 > 2]),
        seen_at(lambda time: (900 - 60 * time, 260.0, 80.0), times[20:45].tolist()),
    ]
    config = TrackConfig(min_frames=1, min_confidence=0.0)
    faces = film(people, times)
    shots = (times > times[40]).astype(np.int64)

    tracker = FaceTracker(config)
    streamed: dict[int, list[tuple[int, int]]] = {}  # frame and person, by track
    for n, found in enumerate(faces):
        for track, seconds in tracker.update(found, times[n], int(shots[n])):
            assert seconds[-1] == times[n] and seconds[0] >= times[n] - 1
            assert len(seconds) == len(track.boxes_xyxy) == len(track.frame_indices)
            streamed.setdefault(track.id, []).append((n, int(track.landmarks[-1, 0, 0])))

    whole = link_faces(faces, times, config, shots=shots)
    expected = [
        [
            (int(n), int(who))
            for n, who in zip(track.frame_indices, track.landmarks[:, 0, 0], strict=True)
        ]
        for track in whole
    ]
    assert len(expected) >= 5
    assert sorted(streamed.values()) == sorted(expected)
