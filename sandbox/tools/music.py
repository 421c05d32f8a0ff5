"""Pitches, scales and chords of equal temperament, and musical time."""

import math
import re
from typing import Annotated, Literal

CATEGORY = "Music"
__all__ = [
    "chord_notes",
    "find_nearest_note",
    "note_delay_time",
    "note_frequency",
    "scale_notes",
    "song_duration",
    "transpose_chords",
]

_NoteName = Annotated[str, {"pattern": "^[A-G][#b]?$"}]
_Tempo = Annotated[float, {"minimum": 20, "maximum": 400}]
_Tuning = Annotated[float, {"minimum": 400, "maximum": 480}]
_ChordName = Annotated[str, {"pattern": "^[A-G][#b]?[^/\\s]{0,10}(/[A-G][#b]?)?$"}]
_Spelling = Literal["sharps", "flats"]

_LETTERS = "CDEFGAB"
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "b": -1}
_NAMES = {
    "sharps": ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"],
    "flats": ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"],
}
_SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "natural_minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
# For each tone of a chord, its degree in the scale and its distance from the root in semitones.
_QUALITIES = {
    "major": ((1, 0), (3, 4), (5, 7)),
    "minor": ((1, 0), (3, 3), (5, 7)),
    "diminished": ((1, 0), (3, 3), (5, 6)),
    "augmented": ((1, 0), (3, 4), (5, 8)),
    "sus2": ((1, 0), (2, 2), (5, 7)),
    "sus4": ((1, 0), (4, 5), (5, 7)),
    "dominant7": ((1, 0), (3, 4), (5, 7), (7, 10)),
    "major7": ((1, 0), (3, 4), (5, 7), (7, 11)),
    "minor7": ((1, 0), (3, 3), (5, 7), (7, 10)),
    "diminished7": ((1, 0), (3, 3), (5, 6), (7, 9)),
}


def note_frequency(
    note: Annotated[str, {"pattern": "^[A-G][#b]?[0-9]$"}], tuning_hz: _Tuning = 440
) -> dict[str, float]:
    """Compute the frequency and the MIDI number of a note in equal temperament.

    Args:
        note: The note with its octave, such as "A4", "C#5" or "Bb3"; C4 is middle C.
        tuning_hz: The frequency of A4 in hertz.

    Returns:
        The frequency in hertz, and the `midi_number`, which is 69 for A4.

    Raises:
        ValueError: If the note is not a letter from A to G, an optional # or b, and an octave.

    Examples:
        >>> note_frequency("A4")
        {'frequency_hz': 440.0, 'midi_number': 69}
        >>> note_frequency("C4")
        {'frequency_hz': 261.626, 'midi_number': 60}
        >>> note_frequency(note="Bb3", tuning_hz=442)
        {'frequency_hz': 234.141, 'midi_number': 58}
    """
    parts = re.fullmatch("([A-G][#b]?)([0-9])", note)
    if not parts:
        raise ValueError(f'{note!r} is not a note with an octave, such as "A4" or "Bb3"')
    number = 12 * (int(parts[2]) + 1) + _height(parts[1])
    frequency = tuning_hz * 2 ** ((number - 69) / 12)
    return {"frequency_hz": round(frequency, 3), "midi_number": number}


def _height(name: str) -> int:
    """Semitones above the C of the octave: -1 for Cb, 12 for B#."""
    if not re.fullmatch("[A-G][#b]?", name):
        raise ValueError(f'{name!r} is not a note, such as "A", "C#" or "Bb"')
    return _NATURALS[name[0]] + _ACCIDENTALS[name[1:]]


def find_nearest_note(
    frequency_hz: Annotated[float, {"minimum": 20, "maximum": 12000}],
    tuning_hz: _Tuning = 440,
    spelling: _Spelling = "sharps",
) -> dict[str, float | str]:
    """Find the note nearest to a frequency, and by how many cents it is out of tune.

    Args:
        frequency_hz: The frequency in hertz.
        tuning_hz: The frequency of A4 in hertz.
        spelling: Whether black keys are named as sharps or flats.

    Returns:
        The note with its octave, its exact frequency, and the `cents` by which the given frequency
        is above it (negative: below); a semitone is 100 cents.

    Raises:
        ValueError: If a frequency is not positive.

    Examples:
        >>> find_nearest_note(440)
        {'note': 'A4', 'note_frequency_hz': 440.0, 'cents': 0.0}
        >>> find_nearest_note(450)["cents"]
        38.91
        >>> find_nearest_note(frequency_hz=234, tuning_hz=440, spelling="flats")
        {'note': 'Bb3', 'note_frequency_hz': 233.082, 'cents': 6.81}
    """
    if frequency_hz <= 0 or tuning_hz <= 0:
        raise ValueError("frequencies must be positive")
    above_a4 = 12 * math.log2(frequency_hz / tuning_hz)
    nearest = round(above_a4)
    octave, step = divmod(nearest + 9, 12)
    return {
        "note": f"{_NAMES[spelling][step]}{octave + 4}",
        "note_frequency_hz": round(tuning_hz * 2 ** (nearest / 12), 3),
        "cents": round(100 * (above_a4 - nearest), 2) + 0.0,
    }


def scale_notes(
    tonic: _NoteName,
    scale: Literal[
        "major",
        "natural_minor",
        "harmonic_minor",
        "dorian",
        "phrygian",
        "lydian",
        "mixolydian",
    ] = "major",
) -> list[str]:
    """List the seven notes of a scale, each letter once, as in a key signature.

    Args:
        tonic: The note the scale starts on, such as "D", "F#" or "Eb".
        scale: The kind of scale.

    Returns:
        The notes upwards from the tonic, with a # or b for each semitone up or down.

    Raises:
        ValueError: If the tonic is not a note.

    Examples:
        >>> scale_notes("D")
        ['D', 'E', 'F#', 'G', 'A', 'B', 'C#']
        >>> scale_notes("Eb", "major")
        ['Eb', 'F', 'G', 'Ab', 'Bb', 'C', 'D']
        >>> scale_notes(tonic="G#", scale="harmonic_minor")
        ['G#', 'A#', 'B', 'C#', 'D#', 'E', 'F##']
        >>> scale_notes("A", "dorian")
        ['A', 'B', 'C', 'D', 'E', 'F#', 'G']
    """
    steps = enumerate(_SCALES[scale], start=1)
    return [_spelled(tonic, degree, semitones) for degree, semitones in steps]


def _spelled(root: str, degree: int, semitones: int) -> str:
    """The note so many letters and semitones above the root."""
    target = _height(root) + semitones
    letter = _LETTERS[(_LETTERS.index(root[0]) + degree - 1) % 7]
    raised = (target - _NATURALS[letter] + 6) % 12 - 6
    return letter + ("#" * raised if raised >= 0 else "b" * -raised)


def chord_notes(
    root: _NoteName,
    quality: Literal[
        "major",
        "minor",
        "diminished",
        "augmented",
        "sus2",
        "sus4",
        "dominant7",
        "major7",
        "minor7",
        "diminished7",
    ] = "major",
    inversion: Annotated[int, {"minimum": 0, "maximum": 3}] = 0,
) -> list[str]:
    """List the notes of a chord from the lowest to the highest.

    Args:
        root: The root of the chord, such as "C", "F#" or "Bb".
        quality: The kind of chord.
        inversion: How many of the lowest notes move up an octave; 0 is root position. Three is for
            chords of four notes only.

    Returns:
        The names of the notes, with a # or b for each semitone up or down.

    Raises:
        ValueError: If the root is not a note, or the chord has no such inversion.

    Examples:
        >>> chord_notes("C")
        ['C', 'E', 'G']
        >>> chord_notes("G", "dominant7", inversion=1)
        ['B', 'D', 'F', 'G']
        >>> chord_notes(root="Eb", quality="minor")
        ['Eb', 'Gb', 'Bb']
        >>> chord_notes("B", "diminished7")
        ['B', 'D', 'F', 'Ab']
    """
    tones = _QUALITIES[quality]
    if not 0 <= inversion < len(tones):
        raise ValueError(f"a {quality} chord has inversions 0 to {len(tones) - 1}, not {inversion}")
    notes = [_spelled(root, degree, semitones) for degree, semitones in tones]
    return notes[inversion:] + notes[:inversion]


def transpose_chords(
    chords: Annotated[list[_ChordName], {"maxItems": 200}],
    semitones: Annotated[int, {"minimum": -11, "maximum": 11}],
    spelling: _Spelling = "sharps",
) -> list[str]:
    """Move a chord progression up or down by semitones.

    Args:
        chords: Chord symbols, such as "C", "F#m7", "Bbmaj7" or "D/F#" with a bass note; at least
            one.
        semitones: How far to move; negative is down.
        spelling: Whether black keys are named as sharps or flats.

    Returns:
        The moved chord symbols.

    Raises:
        ValueError: If there are no chords, or one does not start with a note.

    Examples:
        >>> transpose_chords(["C", "Am", "F", "G7"], 2)
        ['D', 'Bm', 'G', 'A7']
        >>> transpose_chords(["D", "A/C#", "Bm7", "Gmaj7"], -2, spelling="flats")
        ['C', 'G/B', 'Am7', 'Fmaj7']
        >>> transpose_chords(chords=["E", "Bsus4", "C#m", "A"], semitones=1, spelling="flats")
        ['F', 'Csus4', 'Dm', 'Bb']
    """
    if not chords:
        raise ValueError("there are no chords to transpose")
    return [_transposed(chord, semitones, _NAMES[spelling]) for chord in chords]


def _transposed(chord: str, semitones: int, names: list[str]) -> str:
    parts = re.fullmatch(r"([A-G][#b]?)([^/\s]{0,10})(?:/([A-G][#b]?))?", chord)
    if not parts:
        raise ValueError(f'{chord!r} is not a chord symbol, such as "F#m7" or "D/F#"')
    root, quality, bass = parts.groups()
    moved = names[(_height(root) + semitones) % 12] + quality
    return moved if bass is None else f"{moved}/{names[(_height(bass) + semitones) % 12]}"


def note_delay_time(
    bpm: _Tempo,
    note_value: Literal["whole", "half", "quarter", "eighth", "sixteenth"] = "quarter",
    feel: Literal["straight", "dotted", "triplet"] = "straight",
) -> dict[str, float]:
    """Compute how long a note lasts, to set a delay or reverb in time with the music.

    Args:
        bpm: The tempo in quarter notes per minute.
        note_value: The length of the note.
        feel: `dotted` lasts one and a half times as long, `triplet` two thirds.

    Returns:
        The time in milliseconds, and its frequency in hertz, for modulation effects.

    Raises:
        ValueError: If the tempo is not positive.

    Examples:
        >>> note_delay_time(120)
        {'milliseconds': 500.0, 'frequency_hz': 2.0}
        >>> note_delay_time(120, "eighth", "dotted")
        {'milliseconds': 375.0, 'frequency_hz': 2.6667}
        >>> note_delay_time(bpm=90, note_value="eighth", feel="triplet")
        {'milliseconds': 222.22, 'frequency_hz': 4.5}
    """
    if bpm <= 0:
        raise ValueError("the tempo must be positive")
    quarters = {"whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "sixteenth": 0.25}[note_value]
    factor = {"straight": 1, "dotted": 1.5, "triplet": 2 / 3}[feel]
    seconds = 60 / bpm * quarters * factor
    return {"milliseconds": round(1000 * seconds, 2), "frequency_hz": round(1 / seconds, 4)}


def song_duration(
    bars: Annotated[int, {"minimum": 1, "maximum": 10000}],
    bpm: _Tempo,
    beats_per_bar: Annotated[int, {"minimum": 1, "maximum": 32}] = 4,
    repeats: Annotated[int, {"minimum": 0, "maximum": 100}] = 0,
) -> dict[str, float | str]:
    """Compute how long a piece of music lasts at a tempo.

    Args:
        bars: The number of bars.
        bpm: The tempo in beats per minute.
        beats_per_bar: The beats in each bar; 3 for a waltz.
        repeats: How often all of it is played again.

    Returns:
        The number of beats, the seconds, and the time as minutes and seconds.

    Raises:
        ValueError: If the tempo is not positive, or there are no bars.

    Examples:
        >>> song_duration(96, 120)
        {'beats': 384, 'seconds': 192.0, 'time': '3:12'}
        >>> song_duration(bars=32, bpm=180, beats_per_bar=3, repeats=1)
        {'beats': 192, 'seconds': 64.0, 'time': '1:04'}
        >>> song_duration(80, 128.5, beats_per_bar=4)
        {'beats': 320, 'seconds': 149.42, 'time': '2:29'}
    """
    if bpm <= 0 or bars < 1 or beats_per_bar < 1 or repeats < 0:
        raise ValueError("the tempo, the bars and their beats must be positive")
    beats = bars * beats_per_bar * (1 + repeats)
    seconds = beats * 60 / bpm
    minutes, rest = divmod(round(seconds), 60)
    return {"beats": beats, "seconds": round(seconds, 2), "time": f"{minutes}:{rest:02d}"}
