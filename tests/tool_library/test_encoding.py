import pytest


@pytest.mark.parametrize("scheme", ["base64", "base64url", "hex", "binary"])
@pytest.mark.parametrize("text", ["f", "fo", "foo", "ünïcödé 🎵", "a?>~\n\t"])
def test_encoded_text_comes_back(tools, text, scheme):
    assert tools.decode_text(tools.encode_text(text, scheme), scheme) == text


def test_base64_has_the_vectors_of_rfc_4648(tools):
    vectors = {"f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy"}
    assert {text: tools.encode_text(text) for text in vectors} == vectors


@pytest.mark.parametrize(
    ("encoded", "scheme"),
    [
        ("a", "base64"),
        ("====", "base64"),
        ("ab$d", "base64"),
        ("YT8-fg", "base64"),
        ("YT8+fg", "base64url"),
        ("YT8/fg", "base64url"),
        ("abc", "hex"),
        ("zz", "hex"),
        ("0102", "binary"),
        ("ff", "hex"),
        ("  ", "hex"),
    ],
)
def test_what_is_not_encoded_text_is_not_decoded(tools, encoded, scheme):
    with pytest.raises(ValueError, match=r"no base64|other char|digits a byte|no UTF|nothing"):
        tools.decode_text(encoded, scheme)


def test_checksums_have_their_published_values(tools):
    assert tools.text_checksum("The quick brown fox jumps over the lazy dog")["hex"] == "414fa339"
    assert tools.text_checksum("a", "adler32")["hex"] == "00620062"
    assert tools.text_checksum("a", "fnv1a32")["hex"] == "e40c292c"
    with pytest.raises(ValueError, match="empty"):
        tools.text_checksum("")


@pytest.mark.parametrize(
    ("name", "hsl"),
    [
        ("#ff0000", "hsl(0, 100%, 50%)"),
        ("#00ff00", "hsl(120, 100%, 50%)"),
        ("#0000ff", "hsl(240, 100%, 50%)"),
        ("#ffffff", "hsl(0, 0%, 100%)"),
        ("#000000", "hsl(0, 0%, 0%)"),
        ("#ffff00", "hsl(60, 100%, 50%)"),
        ("#bf40bf", "hsl(300, 50%, 50%)"),
        ("#800000", "hsl(0, 100%, 25%)"),
    ],
)
def test_colors_convert_both_ways(tools, name, hsl):
    assert tools.convert_color(name, "hsl") == hsl
    assert tools.convert_color(hsl) == name


def test_all_ways_to_write_a_color_are_the_same(tools):
    ways = ("#fa0", "#FFAA00", "rgb(255,170,0)", " RGB( 255 , 170 , 0 ) ")
    assert {tools.convert_color(way) for way in ways} == {"#ffaa00"}
    assert tools.convert_color("hsl(360, 100%, 50%)") == "#ff0000"


@pytest.mark.parametrize(
    "color", ["red", "#ff", "rgb(256, 0, 0)", "rgb(1, 2%, 3%)", "hsl(361, 1%, 1%)", "hsl(1, 1, 1)"]
)
def test_what_is_no_color_is_refused(tools, color):
    with pytest.raises(ValueError, match="no color"):
        tools.convert_color(color)


def test_contrast_does_not_depend_on_which_color_is_the_text(tools):
    assert tools.color_contrast_ratio("#123", "#fed") == tools.color_contrast_ratio("#fed", "#123")
    assert tools.color_contrast_ratio("#abc", "#aabbcc")["ratio"] == 1
    with pytest.raises(ValueError, match="not a color"):
        tools.color_contrast_ratio("black")


def test_versions_have_the_order_of_the_specification(tools):
    prereleases = ("alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1")
    releases = ("1.0.0", "1.0.1", "1.1.0", "1.11.0", "2.0.0")
    ordered = [*(f"1.0.0-{prerelease}" for prerelease in prereleases), *releases]
    for index, older in enumerate(ordered):
        for newer in ordered[index + 1 :]:
            assert tools.compare_versions(older, newer)["order"] == -1
            assert tools.compare_versions(newer, older)["order"] == 1


@pytest.mark.parametrize("version", ["1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "one"])
def test_what_is_no_version_is_refused(tools, version):
    with pytest.raises(ValueError, match=r"semantic version|start with 0"):
        tools.compare_versions(version, "1.0.0")


@pytest.mark.parametrize(
    ("cidr", "first", "last", "usable"),
    [
        ("0.0.0.0/0", "0.0.0.1", "255.255.255.254", 2**32 - 2),
        ("10.1.2.3/32", "10.1.2.3", "10.1.2.3", 1),
        ("10.1.2.3/31", "10.1.2.2", "10.1.2.3", 2),
        ("172.16.5.9/30", "172.16.5.9", "172.16.5.10", 2),
    ],
)
def test_networks_of_all_sizes_have_their_hosts(tools, cidr, first, last, usable):
    found = tools.describe_subnet(cidr)
    assert (found["first_host"], found["last_host"], found["usable_hosts"]) == (first, last, usable)


@pytest.mark.parametrize("cidr", ["10.0.0.256/8", "10.0.0.0/33", "10.0.0/8", "::1/64", "x"])
def test_what_is_no_network_is_refused(tools, cidr):
    with pytest.raises(ValueError, match=r".+"):
        tools.describe_subnet(cidr)


def test_an_address_outside_is_not_in_the_network(tools):
    found = tools.describe_subnet("192.168.0.0/24", address="192.168.1.0")
    assert found["contains_address"] is False
    with pytest.raises(ValueError, match="not permitted"):
        tools.describe_subnet("192.168.0.0/24", address="1.2.3.999")


@pytest.mark.parametrize(
    ("expression", "after", "run"),
    [
        ("* * * * *", "2024-12-31T23:59", "2025-01-01T00:00"),
        ("0 0 1 1 *", "2024-01-01T00:00", "2025-01-01T00:00"),
        ("0 0 31 * *", "2024-01-31T00:00", "2024-03-31T00:00"),
        ("0 0 29 2 *", "1996-02-29T00:00", "2000-02-29T00:00"),
        ("0 12 * * 7", "2024-05-01T00:00", "2024-05-05T12:00"),
        ("0 12 * * 0", "2024-05-01T00:00", "2024-05-05T12:00"),
        ("15,45 8-10/2 * JAN,jul *", "2024-02-01T00:00", "2024-07-01T08:15"),
        ("5/20 * * * *", "2024-01-01T00:05", "2024-01-01T00:25"),
        ("0 0 13 * FRI", "2024-05-11T00:00", "2024-05-13T00:00"),  # either is enough
        ("0 0 */2 * FRI", "2024-05-01T00:00", "2024-05-03T00:00"),  # both, after a star
    ],
)
def test_cron_expressions_run_next(tools, expression, after, run):
    assert tools.next_cron_runs(expression, after, count=1) == [run]


@pytest.mark.parametrize(
    "expression",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "* * * MON *",
        "a b c d e",
        "0 0 30 2 *",
    ],
)
def test_cron_expressions_that_never_run_are_refused(tools, expression):
    with pytest.raises(ValueError, match=r"cron|within|fewer"):
        tools.next_cron_runs(expression, "2024-01-01T00:00", count=10)


@pytest.mark.parametrize(
    "after", ["2024-02-30T00:00", "2024-01-01", "2024-01-01T24:01", "0001-01-01T00:00"]
)
def test_cron_needs_a_time_that_exists(tools, after):
    with pytest.raises(ValueError, match=r".+"):
        tools.next_cron_runs("* * * * *", after)


def test_timestamps_before_1970_and_in_the_wrong_unit(tools):
    assert tools.convert_unix_timestamp(-1, "seconds")["time"] == "1969-12-31T23:59:59+00:00"
    assert tools.convert_unix_timestamp(-1, "milliseconds")["time"] == "1969-12-31T23:59:59+00:00"
    with pytest.raises(ValueError, match="other unit"):
        tools.convert_unix_timestamp(1700000000000, "seconds")


def test_each_character_more_makes_a_password_stronger(tools):
    bits = [tools.password_strength(n, "printable")["entropy_bits"] for n in range(1, 129)]
    assert bits == sorted(set(bits))
    assert tools.password_strength(16, "letters_digits")["rating"] == "very strong"
    with pytest.raises(ValueError, match="length"):
        tools.password_strength(0, "digits")


def test_half_the_efficiency_takes_twice_as_long(tools):
    whole = tools.transfer_time(7, 80)["seconds"]
    assert tools.transfer_time(7, 80, 50)["seconds"] == 2 * whole == 1400
    with pytest.raises(ValueError, match="positive"):
        tools.transfer_time(1, 0)
