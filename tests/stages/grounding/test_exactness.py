"""Queries that a small model wrote for given calls: what is forgotten, added or confused."""

import pytest

from apigen_ray.records import Call, Pair
from apigen_ray.stages.grounding import GroundingSettings, examine
from apigen_ray.tools.library import load_library
from apigen_ray.tools.write_forms import shown_form

EXACT = GroundingSettings(reject="exact")
TOOLS = load_library(["sandbox/tools"]).by_name()
NOTE = Call("note_delay_time", {"bpm": 174, "note_value": "eighth", "feel": "triplet"})
EASTER = Call("easter_date", {"year": 2025})
FRAMES = Call(
    "convert_frames_to_timecode",
    {"frames": 360000, "frame_rate": "23.976", "drop_frame": False},
)
WINS = Call("winning_percentage", {"wins": 148, "losses": 46})
DURATION = Call("parse_iso_duration", {"duration": "P1DT12H", "unit": "days"})
FRACTION = Call("approximate_fraction", {"value": 1.3333, "max_denominator": 10})
SUBNET = Call("describe_subnet", {"cidr": "10.42.96.0/20"})


def said_of(query, *calls):
    shown = [shown_form(TOOLS[call.name]) for call in calls]
    found = examine(Pair(query, calls), shown, EXACT)
    return found.rejection.detail if found.rejection else None


# The queries are SmolLM2's own, but for those that it did not get right.
@pytest.mark.parametrize(
    ("query", "call"),
    [
        ("triplet eighth delay at 174 bpm, how long is that", NOTE),
        ("P1DT12H, how many days are there in this duration?", DURATION),
        ("When is Easter in 2025?", EASTER),
        ("Timecode of frame 360,000 at 23.976 fps, please.", FRAMES),
        ("We have 148 wins and 46 losses. What is our winning percentage?", WINS),
        ("What is the range of the subnet 10.42.96.0/20?", SUBNET),
        ("What fraction is closest to 1.3333, with a denominator of at most 10?", FRACTION),
    ],
)
def test_a_query_of_exactly_these_calls_goes_on(query, call):
    assert said_of(query, call) is None


@pytest.mark.parametrize(
    ("query", "call", "said"),
    [
        (
            "How long does it take to play a triplet in a 174 bpm rhythm?",
            NOTE,
            "it does not hint at calls[0].arguments.note_value = eighth",
        ),
        (
            "dotted triplet eighth delay at 174 bpm, how long is that",
            NOTE,
            "it speaks of 'dotted', which the call does not choose",
        ),
        (
            "when's orthodox easter in 2025",
            EASTER,
            "it speaks of 'orthodox', which the call does not choose",
        ),
        (
            "Frame 360000 of a 23.976 fps broadcast master, drop-frame. Timecode?",
            FRAMES,
            "it speaks of drop_frame, which the call does not choose",
        ),
        (
            "winning percentage of 148, how many points does that make up 46 wins?",
            WINS,
            "it says 46 wins, and the call has wins = 148",
        ),
        ("Easter Sunday of 2025 in 2024, how many days?", EASTER, "no call uses its '2024'"),
        ("The subnet is 10.42.96.0/20.", SUBNET, "it asks for nothing"),
        ("Where does 10.42.96.0/20 live?", SUBNET, "no word of it says what describe_subnet does"),
        (
            "Convert 3.5 stone to stone",
            Call("convert_mass", {"value": 3.5, "from_unit": "stone"}),
            "it speaks of 'stone', which the call does not choose",
        ),
        (
            "convert 65 to knot",
            Call("convert_speed", {"value": 65, "from_unit": "knot", "to_unit": "knot"}),
            "it speaks of 'knot' less often than the call",
        ),
        (
            "The luthier says my open string is tuned to 450 Hz. I tune to an A of 450 in this "
            "orchestra. How far off am I?",
            Call("find_nearest_note", {"frequency_hz": 450}),
            "it says 450 more often than the calls",
        ),
        (
            "Solve the equation 2x + 1 = 9 for x.",
            Call("solve_linear_system", {"coefficients": [[2, 1], [1, -1]], "constants": [9, 1]}),
            "it says 1 less often than the calls",
        ),
        (
            "The longitude is 54 degrees 51 minutes 51 seconds east. What is it in decimals?",
            Call("convert_dms_to_decimal", {"degrees": 54, "minutes": 51, "hemisphere": "S"}),
            "it does not hint at calls[0].arguments.hemisphere = S",
        ),
        (
            "My sister was born on March 1, 2000. Today is August 28, 2022. How many days are left "
            "until her next birthday?",
            Call("next_anniversary", {"event_date": "2000-08-04", "today": "2022-08-28"}),
            "it does not say calls[0].arguments.event_date = '2000-08-04'",
        ),
        (
            "How big can I print a 6000 by 1350 image at 300 dpi, in inches?",
            Call("print_size", {"width_pixels": 6000, "height_pixels": 1350, "dpi": 300}),
            "it speaks of 'inch', which the call does not choose",
        ),
        (
            "When to go to bed so that you wake up between sleep cycles, how many times a night?",
            Call("bedtimes_for_wake_time", {"wake_time": "07:00"}),
            "the query gives none of the values of bedtimes_for_wake_time",
        ),
        (
            "When should I go to bed at night, to wake up between sleep cycles?",
            Call("bedtimes_for_wake_time", {"wake_time": "22:00"}),
            "it does not say calls[0].arguments.wake_time = '22:00'",
        ),
        (
            "Find the box of latitudes and longitudes around a circle, to search for what is "
            "nearby, how far is that?",
            Call("box_around_place", {"latitude": 0, "longitude": 0}),
            "it does not say calls[0].arguments.latitude = 0",
        ),
        (
            "What fraction is closest to 1.3333 if the denominator can't go below 10?",
            FRACTION,
            "it gives max_denominator = 10 as the other bound",
        ),
        (
            "What fraction is closest to 1.3333, with at least 10 in the denominator?",
            FRACTION,
            "it gives max_denominator = 10 as the other bound",
        ),
        ("Can you easter_date 2025?", EASTER, "it names easter_date"),
        ("What is note_value, at 174 bpm?", NOTE, "it names note_value"),
        (
            "When is Easter in 2025? And what is the weather? And who won?",
            EASTER,
            "it asks for 3 things",
        ),
    ],
)
def test_what_is_forgotten_added_or_confused_is_said(query, call, said):
    detail = said_of(query, call)
    assert detail is not None
    assert said in detail


def test_a_version_is_not_another_one():
    versions = Call("compare_versions", {"first": "1.9.3", "second": "2.0.0"})
    assert said_of("Which is newer of the versions 1.9.3 and 2.0.0?", versions) is None
    assert "1.9.3" in said_of("Which is newer of the versions 1.9.4 and 2.0.0?", versions)
