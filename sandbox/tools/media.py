"""Pictures, video, subtitles and photography."""

import math
import re
from typing import Annotated, Literal

CATEGORY = "Media"
__all__ = [
    "convert_frames_to_timecode",
    "depth_of_field",
    "fit_aspect_ratio",
    "media_file_size",
    "print_size",
    "shift_subtitles",
    "timelapse_interval",
]

_Pixels = Annotated[int, {"minimum": 1, "maximum": 100000}]

_FRAME_RATES = {
    "23.976": 24,
    "24": 24,
    "25": 25,
    "29.97": 30,
    "30": 30,
    "50": 50,
    "59.94": 60,
    "60": 60,
}
_CUE_TIMES = re.compile(
    r"(\d{1,2}):([0-5]\d):([0-5]\d)[,.](\d{3}) --> (\d{1,2}):([0-5]\d):([0-5]\d)[,.](\d{3})"
)


def fit_aspect_ratio(
    width: _Pixels,
    height: _Pixels,
    ratio: Annotated[str, {"pattern": "^[1-9][0-9]{0,3}:[1-9][0-9]{0,3}$"}] = "16:9",
    method: Literal["crop", "pad"] = "crop",
) -> dict[str, float | str]:
    """Bring an image or video to an aspect ratio, by cropping or by bars.

    Args:
        width: The width, in pixels.
        height: The height, in pixels.
        ratio: The aspect ratio wanted, such as "16:9" or "4:5".
        method: Whether to `crop` what is too much, or to `pad` what is missing with bars.

    Returns:
        The new `width` and `height`, the part that is cut off or added in percent of the original
        area, and the `original_ratio` in lowest terms.

    Raises:
        ValueError: If a size is not positive, or the ratio not two whole numbers.

    Examples:
        >>> fit_aspect_ratio(1600, 1200)
        {'width': 1600, 'height': 900, 'changed_percent': 25.0, 'original_ratio': '4:3'}
        >>> fit_aspect_ratio(1920, 1080, ratio="1:1", method="pad")
        {'width': 1920, 'height': 1920, 'changed_percent': 77.78, 'original_ratio': '16:9'}
        >>> fit_aspect_ratio(width=1080, height=1920, ratio="4:5")["height"]
        1350
    """
    if not re.fullmatch("[1-9][0-9]{0,3}:[1-9][0-9]{0,3}", ratio):
        raise ValueError(f'{ratio!r} is not an aspect ratio such as "16:9"')
    if min(width, height) < 1:
        raise ValueError("width and height must be positive")
    across, down = map(int, ratio.split(":"))
    too_wide = width * down > height * across
    if too_wide == (method == "crop"):
        new_width, new_height = max(1, round(height * across / down)), height
    else:
        new_width, new_height = width, max(1, round(width * down / across))
    changed = abs(new_width * new_height / (width * height) - 1)
    shared = math.gcd(width, height)
    return {
        "width": new_width,
        "height": new_height,
        "changed_percent": round(100 * changed, 2),
        "original_ratio": f"{width // shared}:{height // shared}",
    }


def media_file_size(
    duration_seconds: Annotated[float, {"minimum": 0.1, "maximum": 1e6}],
    video_kbps: Annotated[float, {"minimum": 0, "maximum": 1e6}],
    audio_kbps: Annotated[float, {"minimum": 0, "maximum": 10000}] = 128,
    target_megabytes: Annotated[float | None, {"minimum": 0.1, "maximum": 1e7}] = None,
) -> dict[str, float]:
    """Compute the size of a video or audio file from its bitrates, or the bitrate for a size.

    Args:
        duration_seconds: How long it plays, in seconds.
        video_kbps: The bitrate of the video, in kilobits per second; 0 for audio alone.
        audio_kbps: The bitrate of the audio, in kilobits per second.
        target_megabytes: A size wanted, in megabytes of a million bytes.

    Returns:
        The size in `megabytes` (a million bytes) and `mebibytes` (2^20 bytes); and with a target
        size, the `video_kbps_for_target` that leaves room for the audio, 0 if there is none.

    Raises:
        ValueError: If the duration is not positive, or a bitrate negative.

    Examples:
        >>> media_file_size(600, 2000, 128)
        {'megabytes': 159.6, 'mebibytes': 152.21}
        >>> media_file_size(duration_seconds=240, video_kbps=0, audio_kbps=320)["megabytes"]
        9.6
        >>> media_file_size(120, 5000, target_megabytes=25)
        {'megabytes': 76.92, 'mebibytes': 73.36, 'video_kbps_for_target': 1538.67}
    """
    if duration_seconds <= 0 or min(video_kbps, audio_kbps) < 0:
        raise ValueError("the duration must be positive, and bitrates not negative")
    size = (video_kbps + audio_kbps) * 1000 / 8 * duration_seconds
    result = {"megabytes": round(size / 1e6, 2), "mebibytes": round(size / 2**20, 2)}
    if target_megabytes is not None:
        available = target_megabytes * 8000 / duration_seconds - audio_kbps
        result["video_kbps_for_target"] = round(max(0.0, available), 2)
    return result


def shift_subtitles(
    srt: Annotated[str, {"minLength": 1, "maxLength": 20000}],
    offset_ms: Annotated[int, {"minimum": -36000000, "maximum": 36000000}],
    speed: Annotated[float, {"minimum": 0.5, "maximum": 2}] = 1,
) -> str:
    r"""Move the times of subtitles in the SRT format, and stretch them if the video is slower.

    Args:
        srt: The subtitles in the SRT format.
        offset_ms: By how many milliseconds they appear later; negative for earlier. Times before
            the start become 0.
        speed: What times are multiplied by before they are moved, such as 1.04271 for a film of 25
            frames per second that now plays at 23.976.

    Returns:
        The subtitles with their new times.

    Raises:
        ValueError: If there are no times such as "00:01:02,500 --> 00:01:04,000", or one comes to
            100 hours.

    Examples:
        >>> shift_subtitles("1\n00:00:01,000 --> 00:00:03,500\nHello!\n", 1500)
        '1\n00:00:02,500 --> 00:00:05,000\nHello!\n'
        >>> shift_subtitles(srt="00:01:00,000 --> 00:01:02,000\nBye.", offset_ms=-61000)
        '00:00:00,000 --> 00:00:01,000\nBye.'
        >>> shift_subtitles("7\n00:59:59,900 --> 01:00:10,000\n...", offset_ms=100, speed=1.1)
        '7\n01:05:59,990 --> 01:06:11,100\n...'
    """
    if speed <= 0:
        raise ValueError("speed must be positive")

    def moved(found: re.Match[str]) -> str:
        parts = [int(part) for part in found.groups()]
        start, end = (_moved_time(parts[i : i + 4], offset_ms, speed) for i in (0, 4))
        return f"{start} --> {end}"

    shifted, count = _CUE_TIMES.subn(moved, srt)
    if not count:
        raise ValueError('there are no times such as "00:01:02,500 --> 00:01:04,000"')
    return shifted


def _moved_time(parts: list[int], offset_ms: int, speed: float) -> str:
    hours, minutes, seconds, milliseconds = parts
    before = ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
    seconds, milliseconds = divmod(max(0, round(before * speed) + offset_ms), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours > 99:
        raise ValueError("a time comes to 100 hours or more")
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{milliseconds:03d}"


def convert_frames_to_timecode(
    frames: Annotated[int, {"minimum": 0, "maximum": 5000000}],
    frame_rate: Literal["23.976", "24", "25", "29.97", "30", "50", "59.94", "60"],
    drop_frame: bool = False,
) -> dict[str, float | str]:
    """Convert a count of frames to SMPTE timecode and to real time.

    Args:
        frames: The number of frames since 00:00:00:00.
        frame_rate: Frames per second; "23.976", "29.97" and "59.94" stand for 24000/1001 and so on.
        drop_frame: Whether to skip timecodes so that they keep up with the clock; for "29.97" and
            "59.94" only.

    Returns:
        The `timecode`, hours to frames, with a semicolon before the frames if some are skipped; and
        the real time in `seconds`.

    Raises:
        ValueError: If the rate has no drop-frame timecode, or the timecode would come to 24 hours.

    Examples:
        >>> convert_frames_to_timecode(1500, "25")
        {'timecode': '00:01:00:00', 'seconds': 60.0}
        >>> convert_frames_to_timecode(1800, "29.97", drop_frame=True)
        {'timecode': '00:01:00;02', 'seconds': 60.06}
        >>> convert_frames_to_timecode(frames=17982, frame_rate="29.97", drop_frame=True)
        {'timecode': '00:10:00;00', 'seconds': 599.999}
        >>> convert_frames_to_timecode(90000, "23.976")
        {'timecode': '01:02:30:00', 'seconds': 3753.75}
    """
    nominal = _FRAME_RATES[frame_rate]
    if drop_frame and frame_rate not in ("29.97", "59.94"):
        raise ValueError(f"there is no drop-frame timecode for {frame_rate} frames per second")
    rate = nominal * 1000 / 1001 if "." in frame_rate else nominal
    number = _with_dropped(frames, nominal) if drop_frame else frames
    seconds, rest = divmod(number, nominal)
    if seconds >= 86400:
        raise ValueError("the timecode would come to 24 hours or more")
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    separator = ";" if drop_frame else ":"
    timecode = f"{hour:02d}:{minute:02d}:{second:02d}{separator}{rest:02d}"
    return {"timecode": timecode, "seconds": round(frames / rate, 3)}


def _with_dropped(frames: int, nominal: int) -> int:
    """The frame number with those added that are skipped each minute, but not each tenth."""
    skipped = nominal // 15
    per_minute = 60 * nominal - skipped
    tens, rest = divmod(frames, 10 * per_minute + skipped)
    minutes = max(0, rest - skipped) // per_minute
    return frames + skipped * (9 * tens + minutes)


def print_size(
    width_pixels: _Pixels,
    height_pixels: _Pixels,
    dpi: Annotated[float, {"minimum": 10, "maximum": 5000}] = 300,
    unit: Literal["cm", "inch"] = "cm",
) -> dict[str, float | str]:
    """Compute how large an image can be printed at a resolution.

    Args:
        width_pixels: The width of the image, in pixels.
        height_pixels: The height of the image, in pixels.
        dpi: The resolution, in pixels per inch; 300 is good for looking at closely.
        unit: The unit of the lengths returned.

    Returns:
        The printed `width` and `height`, the `megapixels`, and the largest format of the A series
        that the image fills, "smaller than A6" if none.

    Raises:
        ValueError: If a size or the resolution is not positive.

    Examples:
        >>> print_size(6000, 4000)
        {'width': 50.8, 'height': 33.87, 'megapixels': 24.0, 'fills': 'A3'}
        >>> print_size(3000, 2400, dpi=300, unit="inch")
        {'width': 10.0, 'height': 8.0, 'megapixels': 7.2, 'fills': 'A5'}
        >>> print_size(width_pixels=1080, height_pixels=1350, dpi=150.0)["width"]
        18.29
    """
    if min(width_pixels, height_pixels, dpi) <= 0:
        raise ValueError("sizes and resolution must be positive")
    short, long = (25.4 * side / dpi for side in sorted((width_pixels, height_pixels)))
    formats = {"A0": (841, 1189), "A1": (594, 841), "A2": (420, 594), "A3": (297, 420)}
    formats |= {"A4": (210, 297), "A5": (148, 210), "A6": (105, 148)}
    filled = (name for name, (a, b) in formats.items() if short >= a and long >= b)
    per_inch = 2.54 if unit == "cm" else 1
    return {
        "width": round(width_pixels / dpi * per_inch, 2),
        "height": round(height_pixels / dpi * per_inch, 2),
        "megapixels": round(width_pixels * height_pixels / 1e6, 2),
        "fills": next(filled, "smaller than A6"),
    }


def depth_of_field(
    focal_length_mm: Annotated[float, {"minimum": 4, "maximum": 1200}],
    f_number: Annotated[float, {"minimum": 0.7, "maximum": 64}],
    distance_m: Annotated[float, {"minimum": 0.1, "maximum": 10000}],
    circle_of_confusion_mm: Annotated[float, {"minimum": 0.001, "maximum": 0.2}] = 0.03,
) -> dict[str, float | bool]:
    """Compute from where to where a photo is sharp.

    Args:
        focal_length_mm: The focal length of the lens, in millimetres.
        f_number: The aperture, such as 2.8.
        distance_m: The distance that is focused on, in metres.
        circle_of_confusion_mm: The largest blur that looks sharp, in millimetres on the sensor;
            0.03 for full frame, 0.02 for APS-C.

    Returns:
        The nearest sharp distance, the `hyperfocal_m` distance, whether the picture is
        `sharp_to_infinity`, and if not, the farthest sharp distance; all in metres.

    Raises:
        ValueError: If a value is not positive, or the distance not beyond the focal length.

    Examples:
        >>> depth_of_field(50, 2.8, 3)
        {'near_m': 2.729, 'hyperfocal_m': 29.812, 'sharp_to_infinity': False, 'far_m': 3.33}
        >>> depth_of_field(24, f_number=8, distance_m=3)
        {'near_m': 1.339, 'hyperfocal_m': 2.424, 'sharp_to_infinity': True}
        >>> depth_of_field(
        ...     focal_length_mm=85, f_number=1.8, distance_m=2, circle_of_confusion_mm=0.02
        ... )["far_m"]
        2.019
    """
    if min(focal_length_mm, f_number, circle_of_confusion_mm) <= 0:
        raise ValueError("focal length, f-number and circle of confusion must be positive")
    distance = distance_m * 1000
    if distance <= focal_length_mm:
        raise ValueError("the distance must be greater than the focal length")
    power = focal_length_mm**2 / (f_number * circle_of_confusion_mm)
    hyperfocal = power + focal_length_mm
    near = distance * power / (power + distance - focal_length_mm)
    result: dict[str, float | bool] = {
        "near_m": round(near / 1000, 3),
        "hyperfocal_m": round(hyperfocal / 1000, 3),
        "sharp_to_infinity": distance >= hyperfocal,
    }
    if distance < hyperfocal:
        result["far_m"] = round(distance * power / (hyperfocal - distance) / 1000, 3)
    return result


def timelapse_interval(
    event_minutes: Annotated[float, {"minimum": 1, "maximum": 100000}],
    clip_seconds: Annotated[float, {"minimum": 1, "maximum": 3600}],
    frames_per_second: Annotated[int, {"minimum": 1, "maximum": 120}] = 25,
    megabytes_per_photo: Annotated[float, {"minimum": 0.1, "maximum": 200}] = 8,
) -> dict[str, float]:
    """Plan a time-lapse film: the time between photos, their number and their size.

    Args:
        event_minutes: How long the event lasts, in minutes.
        clip_seconds: How long the film is to be, in seconds.
        frames_per_second: The frame rate of the film.
        megabytes_per_photo: The size of a photo, in megabytes.

    Returns:
        The number of `photos`, the `interval_seconds` between them, how many times as fast as in
        reality the film is (`speedup`), and the `gigabytes` needed.

    Raises:
        ValueError: If a value is not positive.

    Examples:
        >>> timelapse_interval(60, 12)
        {'photos': 300, 'interval_seconds': 12.0, 'speedup': 300.0, 'gigabytes': 2.4}
        >>> timelapse_interval(90, 20, frames_per_second=30, megabytes_per_photo=25)
        {'photos': 600, 'interval_seconds': 9.0, 'speedup': 270.0, 'gigabytes': 15.0}
        >>> timelapse_interval(event_minutes=480.0, clip_seconds=30)["interval_seconds"]
        38.4
    """
    if min(event_minutes, clip_seconds, frames_per_second, megabytes_per_photo) <= 0:
        raise ValueError("all values must be positive")
    photos = math.ceil(round(clip_seconds * frames_per_second, 9))
    return {
        "photos": photos,
        "interval_seconds": round(event_minutes * 60 / photos, 2),
        "speedup": round(event_minutes * 60 / clip_seconds, 2),
        "gigabytes": round(photos * megabytes_per_photo / 1000, 2),
    }
