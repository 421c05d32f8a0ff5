import pytest


@pytest.mark.parametrize(
    ("note", "frequency", "number"),
    [("C0", 16.352, 12), ("A0", 27.5, 21), ("C8", 4186.009, 108), ("E2", 82.407, 40)],
)
def test_notes_of_a_piano_and_a_guitar_have_their_frequencies(tools, note, frequency, number):
    expected = {"frequency_hz": frequency, "midi_number": number}
    assert tools.note_frequency(note) == expected


def test_enharmonic_notes_sound_the_same(tools):
    for one, other in (("C#4", "Db4"), ("B#3", "C4"), ("Cb4", "B3"), ("E#5", "F5")):
        assert tools.note_frequency(one) == tools.note_frequency(other)


@pytest.mark.parametrize("note", ["H4", "a4", "C", "C##4", "C10", "", "A4 "])
def test_what_is_no_note_is_refused(tools, note):
    with pytest.raises(ValueError, match="not a note"):
        tools.note_frequency(note)


def test_the_nearest_note_to_the_frequency_of_a_note_is_that_note(tools):
    for note in ("A1", "C4", "F#5", "B7"):
        found = tools.find_nearest_note(tools.note_frequency(note)["frequency_hz"])
        assert (found["note"], abs(found["cents"]) < 0.1) == (note, True)


def test_no_frequency_has_no_note(tools):
    with pytest.raises(ValueError, match="positive"):
        tools.find_nearest_note(0)


@pytest.mark.parametrize(
    ("tonic", "scale", "notes"),
    [
        ("C", "major", "C D E F G A B"),
        ("F#", "major", "F# G# A# B C# D# E#"),
        ("Gb", "major", "Gb Ab Bb Cb Db Eb F"),
        ("A", "natural_minor", "A B C D E F G"),
        ("E", "phrygian", "E F G A B C D"),
        ("F", "lydian", "F G A B C D E"),
        ("G", "mixolydian", "G A B C D E F"),
        ("C", "harmonic_minor", "C D Eb F G Ab B"),
    ],
)
def test_scales_have_the_notes_of_their_key_signature(tools, tonic, scale, notes):
    assert tools.scale_notes(tonic, scale) == notes.split()


@pytest.mark.parametrize(
    ("root", "quality", "notes"),
    [
        ("A", "minor", "A C E"),
        ("C", "augmented", "C E G#"),
        ("D", "sus4", "D G A"),
        ("F#", "minor7", "F# A C# E"),
        ("Bb", "major7", "Bb D F A"),
        ("C", "diminished7", "C Eb Gb Bbb"),
    ],
)
def test_chords_are_spelled_in_thirds(tools, root, quality, notes):
    assert tools.chord_notes(root, quality) == notes.split()


def test_a_triad_has_no_third_inversion(tools):
    with pytest.raises(ValueError, match="inversions 0 to 2"):
        tools.chord_notes("C", "major", inversion=3)
    assert tools.chord_notes("C", "major7", inversion=3) == ["B", "C", "E", "G"]


def test_transposing_up_and_down_comes_back(tools):
    chords = ["C", "F#m7b5", "A#maj7", "G/B"]
    for semitones in range(-11, 12):
        moved = tools.transpose_chords(chords, semitones)
        assert tools.transpose_chords(moved, -semitones) == chords


@pytest.mark.parametrize("chords", [[], ["Hm"], ["N.C."], ["C/"]])
def test_what_is_no_chord_is_not_transposed(tools, chords):
    with pytest.raises(ValueError, match="chord"):
        tools.transpose_chords(chords, 1)


def test_three_triplets_and_two_thirds_of_dotted_notes_make_a_beat(tools):
    quarter = tools.note_delay_time(100)["milliseconds"]
    eighth = tools.note_delay_time(100, "eighth", "triplet")["milliseconds"]
    assert (quarter, 3 * eighth) == (600, 600)
    assert tools.note_delay_time(100, "quarter", "dotted")["milliseconds"] == 900


def test_seconds_of_a_song_carry_into_the_minute(tools):
    assert tools.song_duration(60, 120.25)["time"] == "2:00"
    with pytest.raises(ValueError, match="positive"):
        tools.song_duration(0, 120)
