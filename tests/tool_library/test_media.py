import pytest


@pytest.mark.parametrize("size", [(1920, 1080), (640, 360), (16, 9)])
def test_an_image_of_the_wanted_ratio_stays_as_it_is(tools, size):
    for method in ("crop", "pad"):
        fitted = tools.fit_aspect_ratio(*size, "16:9", method)
        assert (fitted["width"], fitted["height"]) == size
        assert fitted["changed_percent"] == 0


def test_cropping_shrinks_and_padding_grows(tools):
    for size in ((1000, 300), (300, 1000)):
        cropped = tools.fit_aspect_ratio(*size, "4:3", "crop")
        padded = tools.fit_aspect_ratio(*size, "4:3", "pad")
        assert cropped["width"] <= size[0] <= padded["width"]
        assert cropped["height"] <= size[1] <= padded["height"]


@pytest.mark.parametrize("ratio", ["16/9", "0:9", "16:9:1", "1.85:1"])
def test_what_is_no_ratio_is_refused(tools, ratio):
    with pytest.raises(ValueError, match="not an aspect ratio"):
        tools.fit_aspect_ratio(100, 100, ratio)


def test_the_bitrate_for_a_size_makes_that_size(tools):
    rate = tools.media_file_size(300, 0, 128, target_megabytes=50)["video_kbps_for_target"]
    assert tools.media_file_size(300, rate, 128)["megabytes"] == pytest.approx(50, abs=0.01)


def test_a_size_too_small_for_the_sound_leaves_no_video(tools):
    small = tools.media_file_size(3600, 1000, 320, target_megabytes=1)
    assert small["video_kbps_for_target"] == 0
    with pytest.raises(ValueError, match="duration"):
        tools.media_file_size(0, 1000)


def test_subtitles_moved_there_and_back_are_the_same(tools):
    srt = "1\n00:59:59,999 --> 01:00:01,000\nFrom 00:00:01 to 10\n"
    moved = tools.shift_subtitles(srt, 1)
    assert moved == "1\n01:00:00,000 --> 01:00:01,001\nFrom 00:00:01 to 10\n"
    assert tools.shift_subtitles(moved, -1) == srt


@pytest.mark.parametrize("srt", ["Hello", "00:00:61,000 --> 00:01:00,000", "00:00:01 --> 2"])
def test_texts_without_times_are_no_subtitles(tools, srt):
    with pytest.raises(ValueError, match="no times"):
        tools.shift_subtitles(srt, 100)


def test_subtitles_end_before_a_hundred_hours(tools):
    with pytest.raises(ValueError, match="100 hours"):
        tools.shift_subtitles("99:59:59,000 --> 99:59:59,999", 1)


def test_drop_frame_timecode_keeps_up_with_the_clock(tools):
    # 29.97 * 3600 frames, rounded, are an hour.
    hour = tools.convert_frames_to_timecode(107892, "29.97", drop_frame=True)
    assert hour["timecode"] == "01:00:00;00"
    assert hour["seconds"] == pytest.approx(3600, abs=0.01)
    faster = tools.convert_frames_to_timecode(215784, "59.94", drop_frame=True)
    assert faster["timecode"] == "01:00:00;00"


@pytest.mark.parametrize(
    ("frames", "timecode"),
    [
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (3597, "00:01:59;29"),
        (3598, "00:02:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (19781, "00:10:59;29"),
        (19782, "00:11:00;02"),
    ],
)
def test_two_timecodes_are_dropped_each_minute_but_the_tenth(tools, frames, timecode):
    converted = tools.convert_frames_to_timecode(frames, "29.97", drop_frame=True)
    assert converted["timecode"] == timecode


def test_timecodes_that_do_not_exist_are_refused(tools):
    with pytest.raises(ValueError, match="drop-frame"):
        tools.convert_frames_to_timecode(100, "25", drop_frame=True)
    with pytest.raises(ValueError, match="24 hours"):
        tools.convert_frames_to_timecode(24 * 3600 * 24, "24")


def test_a_print_fills_a_format_only_if_both_sides_do(tools):
    # 210 x 297 mm at 254 dpi, where a millimetre has ten pixels
    assert tools.print_size(2970, 2100, dpi=254)["fills"] == "A4"
    assert tools.print_size(2969, 2100, dpi=254)["fills"] == "A5"
    assert tools.print_size(100, 100)["fills"] == "smaller than A6"


def test_at_the_hyperfocal_distance_all_is_sharp_from_its_half(tools):
    far = tools.depth_of_field(50, 10, 8.3834)  # 50² / (10 * 0.03) + 50 mm is 8.3833 m
    assert far["sharp_to_infinity"]
    assert far["near_m"] == pytest.approx(8.3833 / 2, abs=0.002)
    assert "far_m" not in far
    with pytest.raises(ValueError, match="focal length"):
        tools.depth_of_field(600, 4, 0.5)


def test_a_time_lapse_photo_a_frame(tools):
    plan = tools.timelapse_interval(10, 10, frames_per_second=60)
    assert (plan["photos"], plan["interval_seconds"]) == (600, 1.0)
    with pytest.raises(ValueError, match="positive"):
        tools.timelapse_interval(0, 10)
