"""Comparing, measuring, formatting and encoding text."""

import re
import textwrap
import unicodedata
from collections import Counter
from typing import Annotated, Literal

CATEGORY = "Communication"
__all__ = [
    "caesar_cipher",
    "count_word_frequencies",
    "edit_distance",
    "extract_email_addresses",
    "measure_readability",
    "slugify_title",
    "translate_morse_code",
    "wrap_text",
]

_Text = Annotated[str, {"minLength": 1, "maxLength": 10000}]
_ShortText = Annotated[str, {"maxLength": 200}]

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_COMMON_WORDS = (
    "a an and are as at be been but by for from had has have he her his i if in into is it its me"
    " my not of on or our she so than that the their them then there these they this to was we"
    " were what when which who will with would you your"
)
_STOP_WORDS = frozenset(_COMMON_WORDS.split())
_SENTENCE_END = re.compile(r"(?<![.!?])[.!?]+[\"')\]]*(?=\s|$)")
_HOST_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL_ADDRESS = re.compile(
    r"(?<![\w.%+-])([\w%+-]{1,64}(?:\.[\w%+-]{1,64}){0,8})"
    rf"@((?:{_HOST_LABEL}\.){{1,8}}[A-Za-z]{{2,63}})"
)
_MORSE_LETTERS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .--"
    " -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..--"
    " ..--.. .----. -.-.-- -..-. -.--. -.--.- .-... ---... -.-.-. -...- .-.-. -....- .-..-. .--.-."
)
_MORSE = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?'!/()&:;=+-\"@", _MORSE_LETTERS.split(), strict=True
    )
)
_FROM_MORSE = {code: letter for letter, code in _MORSE.items()}


def edit_distance(
    first: _ShortText,
    second: _ShortText,
    ignore_case: bool = False,
    count_swaps: bool = False,
) -> dict[str, float]:
    """Count the single-character edits that turn one text into another (Levenshtein distance).

    Args:
        first: The text to start from.
        second: The text to arrive at.
        ignore_case: Treat capital and small letters as the same.
        count_swaps: Let swapping two neighboring characters count as one edit, not two.

    Returns:
        The `distance`, and a `similarity` from 0 (nothing in common) to 1 (the same).

    Raises:
        ValueError: If a text is longer than 200 characters.

    Examples:
        >>> edit_distance("kitten", "sitting")
        {'distance': 3, 'similarity': 0.5714}
        >>> edit_distance(first="Berlin", second="BERLIN", ignore_case=True)
        {'distance': 0, 'similarity': 1.0}
        >>> edit_distance("recieve", "receive", count_swaps=True)["distance"]
        1
        >>> edit_distance("recieve", "receive")["distance"]
        2
    """
    if max(len(first), len(second)) > 200:
        raise ValueError("texts may have up to 200 characters")
    if ignore_case:
        first, second = first.casefold(), second.casefold()
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, above, row = row, before, [i]
        for j, b in enumerate(second, start=1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b)))
            if count_swaps and i > 1 and j > 1 and first[i - 2] == b and second[j - 2] == a:
                row[j] = min(row[j], above[j - 2] + 1)
    longest = max(len(first), len(second), 1)
    return {"distance": row[-1], "similarity": round(1 - row[-1] / longest, 4)}


def measure_readability(text: _Text) -> dict[str, float]:
    """Estimate how easy an English text is to read, by the Flesch and Flesch-Kincaid formulas.

    Syllables are estimated from the spelling.

    Args:
        text: English prose, with at least one word.

    Returns:
        The counts of sentences, words and syllables; the `reading_ease`, where 60 to 70 is plain
        English and higher is easier; and the `grade_level`, the US school grade that it suits.

    Raises:
        ValueError: If there is no word in the text.

    Examples:
        >>> measure_readability("The cat sat on the mat today.")["reading_ease"]
        103.04
        >>> measure_readability("The cat sat on the mat today.")["grade_level"]
        0.63
        >>> measure_readability(text="Dogs bark. Birds sing! Do fish talk?")["sentences"]
        3
        >>> measure_readability("Reading is a wonderful habit")["syllables"]
        9
    """
    words = _WORD.findall(text)
    if not words:
        raise ValueError("the text has no words")
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    syllables = sum(map(_count_syllables, words))
    words_per_sentence, per_word = len(words) / sentences, syllables / len(words)
    return {
        "sentences": sentences,
        "words": len(words),
        "syllables": syllables,
        "reading_ease": round(206.835 - 1.015 * words_per_sentence - 84.6 * per_word, 2) + 0.0,
        "grade_level": round(0.39 * words_per_sentence + 11.8 * per_word - 15.59, 2) + 0.0,
    }


def _count_syllables(word: str) -> int:
    """Groups of vowels, without a silent e at the end."""
    lower = word.lower()
    count = len(re.findall("[aeiouy]+", lower))
    if re.search("[^aeiouyl]e$", lower) and count > 1:
        count -= 1
    return max(1, count)


def slugify_title(
    title: Annotated[str, {"minLength": 1, "maxLength": 500}],
    separator: Literal["-", "_", "."] = "-",
    max_length: Annotated[int, {"minimum": 10, "maximum": 200}] = 60,
) -> str:
    """Turn a title into a short identifier for a web address or file name.

    Accents and apostrophes are dropped, and whatever else is not a to z or a digit separates words.

    Args:
        title: The title.
        separator: What to put between words.
        max_length: The longest result wanted; words beyond it are left out, and a first word that
            is too long is cut.

    Returns:
        The identifier, of lower-case letters, digits and separators.

    Raises:
        ValueError: If the title has no letter from a to z and no digit.

    Examples:
        >>> slugify_title("Ten Tips for Better Sleep!")
        'ten-tips-for-better-sleep'
        >>> slugify_title("Crème brûlée: 3 easy recipes", separator="_")
        'creme_brulee_3_easy_recipes'
        >>> slugify_title(title="What's new in Python 3.13?", max_length=15)
        'whats-new-in'
    """
    decomposed = unicodedata.normalize("NFKD", title.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    words: list[str] = re.findall("[a-z0-9]+", re.sub("['\u2019]", "", plain))
    if not words:
        raise ValueError("the title has no letter from a to z and no digit")
    slug = words[0][:max_length]
    for word in words[1:]:
        if len(slug) + 1 + len(word) > max_length:
            break
        slug += separator + word
    return slug


def caesar_cipher(
    text: _Text,
    shift: Annotated[int, {"minimum": -25, "maximum": 25}],
    shift_digits: bool = False,
) -> str:
    """Encrypt or decrypt text by moving each letter along the alphabet.

    Args:
        text: The text; only the letters A to Z are changed, and keep their case.
        shift: By how many letters to move; the negative of a shift undoes it.
        shift_digits: Move digits too, along 0 to 9.

    Returns:
        The changed text.

    Raises:
        ValueError: If the text is empty.

    Examples:
        >>> caesar_cipher("Hello, World!", 3)
        'Khoor, Zruog!'
        >>> caesar_cipher(text="Khoor, Zruog!", shift=-3)
        'Hello, World!'
        >>> caesar_cipher("Room 19 at noon", 13, shift_digits=True)
        'Ebbz 42 ng abba'
    """
    if not text:
        raise ValueError("the text must not be empty")
    alphabets = ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    if shift_digits:
        alphabets.append("0123456789")
    moved = {}
    for alphabet in alphabets:
        for index, character in enumerate(alphabet):
            moved[ord(character)] = alphabet[(index + shift) % len(alphabet)]
    return text.translate(moved)


def count_word_frequencies(
    text: _Text,
    top: Annotated[int, {"minimum": 1, "maximum": 100}] = 10,
    min_length: Annotated[int, {"minimum": 1, "maximum": 30}] = 1,
    skip_stop_words: bool = False,
) -> list[dict[str, object]]:
    """List the most frequent words of a text.

    Args:
        text: The text.
        top: How many words to list at most.
        min_length: Leave out words with fewer characters.
        skip_stop_words: Leave out common English words such as "the" and "of".

    Returns:
        The words in lower case with their counts, the most frequent first, equals alphabetically.

    Raises:
        ValueError: If no word is left to count.

    Examples:
        >>> count_word_frequencies("The cat and the dog", top=2)
        [{'word': 'the', 'count': 2}, {'word': 'and', 'count': 1}]
        >>> count_word_frequencies("to be or not to be that is the question", skip_stop_words=True)
        [{'word': 'question', 'count': 1}]
        >>> count_word_frequencies(text="Row, row, row your boat", min_length=4)
        [{'word': 'boat', 'count': 1}, {'word': 'your', 'count': 1}]
    """
    words = (word.lower() for word in _WORD.findall(text))
    counts = Counter(
        word
        for word in words
        if len(word) >= min_length and not (skip_stop_words and word in _STOP_WORDS)
    )
    if not counts:
        raise ValueError("no word is left to count")
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"word": word, "count": count} for word, count in ranked[:top]]


def wrap_text(
    text: _Text,
    width: Annotated[int, {"minimum": 10, "maximum": 200}] = 72,
    alignment: Literal["left", "right", "center", "justify"] = "left",
) -> list[str]:
    """Break text into lines that are not too long, and align them.

    White space in the text counts as one space; words longer than a line are divided.

    Args:
        text: The text.
        width: The longest line wanted, in characters.
        alignment: Where lines are aligned; `justify` widens spaces so that all lines but the last
            fill the width.

    Returns:
        The lines, without trailing spaces.

    Raises:
        ValueError: If the text has only white space.

    Examples:
        >>> wrap_text("The quick brown fox jumps over the lazy dog", width=16)
        ['The quick brown', 'fox jumps over', 'the lazy dog']
        >>> wrap_text(text="The quick brown fox jumps", width=16, alignment="right")
        [' The quick brown', '       fox jumps']
        >>> wrap_text("Roses are red, violets are blue", width=18, alignment="justify")
        ['Roses   are   red,', 'violets are blue']
        >>> wrap_text("Grand Opening", 21, alignment="center")
        ['    Grand Opening']
    """
    lines = textwrap.wrap(" ".join(text.split()), width)
    if not lines:
        raise ValueError("the text has only white space")
    if alignment == "right":
        return [line.rjust(width) for line in lines]
    if alignment == "center":
        return [" " * ((width - len(line)) // 2) + line for line in lines]
    if alignment == "justify":
        return [*(_justified(line, width) for line in lines[:-1]), lines[-1]]
    return lines


def _justified(line: str, width: int) -> str:
    """Widen the spaces evenly, the first ones a little more."""
    words = line.split()
    gaps = len(words) - 1
    if not gaps:
        return line
    space, wider = divmod(width - sum(map(len, words)), gaps)
    return "".join(
        word + " " * (space + (index < wider) if index < gaps else 0)
        for index, word in enumerate(words)
    )


def extract_email_addresses(
    text: _Text,
    domain: Annotated[str | None, {"pattern": r"^[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"}] = None,
) -> dict[str, object]:
    """Find the email addresses in a text.

    Args:
        text: The text to search.
        domain: Keep only addresses at this domain or below it, such as "example.org".

    Returns:
        The distinct addresses in order of appearance, domains in lower case, and their `count`.

    Raises:
        ValueError: If the text is empty.

    Examples:
        >>> extract_email_addresses("Write to ana@example.org or Bo.Li+news@Mail.example.com.")
        {'addresses': ['ana@example.org', 'Bo.Li+news@mail.example.com'], 'count': 2}
        >>> extract_email_addresses("a@x.org, b@mail.y.net, c@noty.net", domain="y.net")
        {'addresses': ['b@mail.y.net'], 'count': 1}
        >>> extract_email_addresses(text="Meet me @ noon, or call.")
        {'addresses': [], 'count': 0}
    """
    if not text:
        raise ValueError("the text must not be empty")
    found: dict[str, None] = {}
    for local, host in _EMAIL_ADDRESS.findall(text):
        if domain is None or f".{host}".lower().endswith(f".{domain}".lower()):
            found[f"{local}@{host.lower()}"] = None
    return {"addresses": list(found), "count": len(found)}


def translate_morse_code(
    text: Annotated[str, {"minLength": 1, "maxLength": 2000}],
    direction: Literal["encode", "decode"] = "encode",
) -> str:
    """Translate text to international Morse code, or back.

    In Morse code a space separates letters, and a slash between spaces separates words.

    Args:
        text: The plain text, or the Morse code, of dots, hyphens, spaces and slashes.
        direction: Whether to `encode` plain text or to `decode` Morse code.

    Returns:
        The Morse code, or the text in capitals.

    Raises:
        ValueError: If a character has no Morse code, a code no character, or there is nothing to
            translate.

    Examples:
        >>> translate_morse_code("SOS")
        '... --- ...'
        >>> translate_morse_code("Meet at 9?")
        '-- . . - / .- - / ----. ..--..'
        >>> translate_morse_code(text=".... .. / -... --- -...", direction="decode")
        'HI BOB'
    """
    if direction == "encode":
        words = text.upper().split()
        translated = " / ".join(" ".join(_looked_up(_MORSE, c) for c in word) for word in words)
    else:
        coded = [word.split() for word in text.split("/")]
        letters = ("".join(_looked_up(_FROM_MORSE, c) for c in word) for word in coded if word)
        translated = " ".join(letters)
    if not translated:
        raise ValueError("there is nothing to translate")
    return translated


def _looked_up(table: dict[str, str], key: str) -> str:
    if key not in table:
        raise ValueError(f"{key!r} can't be translated")
    return table[key]
