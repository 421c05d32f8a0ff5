import pytest


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("", "abc", 3), ("flaw", "lawn", 2), ("intention", "execution", 5)],
)
def test_edit_distances_are_the_known_ones_both_ways(tools, first, second, distance):
    assert tools.edit_distance(first, second)["distance"] == distance
    assert tools.edit_distance(second, first)["distance"] == distance


def test_swaps_count_once_only_if_asked(tools):
    assert tools.edit_distance("ab", "ba")["distance"] == 2
    assert tools.edit_distance("ab", "ba", count_swaps=True)["distance"] == 1
    with pytest.raises(ValueError, match="200"):
        tools.edit_distance("a" * 201, "")


def test_words_are_needed_to_measure_readability(tools):
    assert tools.measure_readability("Why? Because!")["sentences"] == 2
    assert tools.measure_readability("It costs 3.50 today")["sentences"] == 1
    with pytest.raises(ValueError, match="no words"):
        tools.measure_readability("12 + 34 = 46")


def test_a_slug_is_never_too_long_nor_ends_in_a_separator(tools):
    for length in range(10, 40):
        slug = tools.slugify_title("Extraordinarily long-winded titles, again", "-", length)
        assert len(slug) <= length
        assert not slug.endswith("-")


@pytest.mark.parametrize("title", ["!!!", "漢字", " "])
def test_titles_without_letters_have_no_slug(tools, title):
    with pytest.raises(ValueError, match="no letter"):
        tools.slugify_title(title)


def test_rot13_twice_is_the_text(tools):
    text = "Why did the chicken cross the road? Ünicode & 42!"
    assert tools.caesar_cipher(tools.caesar_cipher(text, 13), 13) == text
    assert tools.caesar_cipher("xyz XYZ 9", 3, shift_digits=True) == "abc ABC 2"


def test_equally_frequent_words_are_in_alphabetical_order(tools):
    counted = tools.count_word_frequencies("pear fig pear apple fig date")
    assert [row["word"] for row in counted] == ["fig", "pear", "apple", "date"]
    with pytest.raises(ValueError, match="no word"):
        tools.count_word_frequencies("to be or not to be", skip_stop_words=True)


@pytest.mark.parametrize("alignment", ["left", "right", "center", "justify"])
def test_lines_have_all_words_and_are_not_too_long(tools, alignment):
    text = "It was the best of times, it was the worst of times, incomprehensibilities " * 3
    for width in (24, 40, 72):
        lines = tools.wrap_text(text, width, alignment)
        assert " ".join(lines).split() == text.split()
        assert max(map(len, lines)) <= width
        assert alignment != "justify" or {len(line) for line in lines[:-1] if " " in line} <= {
            width
        }


def test_white_space_has_no_lines(tools):
    with pytest.raises(ValueError, match="white space"):
        tools.wrap_text(" \n\t")


def test_only_whole_addresses_of_the_domain_are_found(tools):
    text = "a@x.org a@sub.x.org a@notx.org a@x.org.uk @x.org a@ a@x"
    found = tools.extract_email_addresses(text, domain="x.org")["addresses"]
    assert found == ["a@x.org", "a@sub.x.org"]


def test_the_same_address_is_listed_once(tools):
    assert tools.extract_email_addresses("a@X.org, a@x.ORG")["addresses"] == ["a@x.org"]


def test_morse_code_comes_back(tools):
    text = 'THE QUICK BROWN FOX (JUMPS) OVER 13 LAZY DOGS, OK? YES: A@B.C = "D" + E-F/G;!\'&'
    code = tools.translate_morse_code(text)
    assert tools.translate_morse_code(code, "decode") == text


@pytest.mark.parametrize(
    ("text", "direction"), [("é", "encode"), (" ", "encode"), ("......", "decode"), ("/", "decode")]
)
def test_what_has_no_morse_code_is_refused(tools, text, direction):
    with pytest.raises(ValueError, match=r"translate"):
        tools.translate_morse_code(text, direction)
