"""The policy says which hosts and addresses may be dialled."""

import pytest

from apigen_ray.stages.execute.rest.policy import Denied, Policy


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_public_addresses_may_be_dialled(address):
    assert Policy().permits(address, 443)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::",
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1", "fc00::1",
        "169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1",
        "100.64.0.1", "100.127.255.254",
        "224.0.0.1", "ff02::1", "239.255.255.250",
        "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "203.0.113.7", "2001:db8::1",
        "3fff::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address):
    assert not Policy().permits(address, 80)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"],
)
def test_metadata_services_are_refused(address):
    assert not Policy().permits(address, 80)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
        "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1",
        "2002:7f00:1::", "2002:808:808::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_carry_an_ipv4_address_are_refused(address):
    assert not Policy().permits(address, 80)


def test_an_opened_address_may_be_dialled():
    policy = Policy(["127.0.0.1:8080", "10.0.0.0/8", "[::1]:9090", "fd00::/8"])
    assert policy.permits("127.0.0.1", 8080)
    assert policy.permits("10.200.3.4", 1)
    assert policy.permits("::1", 9090)
    assert policy.permits("fd12::7", 443)


def test_an_opened_address_opens_nothing_else():
    policy = Policy(["127.0.0.1:8080", "10.0.0.0/8"])
    assert not policy.permits("127.0.0.1", 8081)
    assert not policy.permits("127.0.0.2", 8080)
    assert not policy.permits("11.0.0.1.evil", 80)
    assert not policy.permits("::ffff:10.0.0.1", 80)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "017700000001",
        "127.0.0.1.", "1.2.3.4.5", "0x7f.0x0.0x0.0x1", "example.com:80", "user@example.com", "a b",
        "", ".", "-a.com", "a..com", "exa\nmple.com", "example.com/x", "[::1",
        "\uff11\uff12\uff17.0.0.1", "a" * 300,
    ],
)  # fmt: skip
def test_a_host_in_a_notation_that_readers_read_differently_is_refused(host):
    with pytest.raises(Denied, match="neither a host name nor"):
        Policy().check_host(host, 80)


@pytest.mark.parametrize(
    "host",
    [
        "example.com", "A.B-c.example.", "xn--bcher-kva.de", "localhost", "x_y.com", "3com.com",
        "8.8.8.8", "::1",
    ],
)  # fmt: skip
def test_names_and_plain_addresses_are_hosts(host):
    Policy().check_host(host, 80)


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("api.example.com", 443, True), ("API.example.com.", 443, True),
        ("api.example.com", 80, False),
        ("a.b.test.org", 1, True), ("test.org", 443, False), ("eviltest.org", 443, False),
        ("test.org.evil.com", 443, False), ("8.8.8.8", 443, False), ("1.1.1.1", 53, True),
    ],
)  # fmt: skip
def test_with_hosts_given_only_those_may_be_asked(host, port, allowed):
    policy = Policy(hosts=["api.example.com:443", "*.test.org", "1.1.1.1"])
    try:
        policy.check_host(host, port)
    except Denied:
        assert not allowed
    else:
        assert allowed


def test_a_listed_host_opens_no_address():
    assert not Policy(hosts=["localhost"]).permits("127.0.0.1", 80)


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.1/8", "localhost", "127.1", "10.0.0.0/33", "1.2.3.4:0", "1.2.3.4:99999",
        "1.2.3.4:x", "",
    ],
)  # fmt: skip
def test_an_unreadable_entry_is_named(entry):
    with pytest.raises(ValueError, match=entry or "''"):
        Policy([entry])


@pytest.mark.parametrize("entry", ["http://a.com", "a.*.com", "*", "a b", "x.com:0"])
def test_an_unreadable_host_is_named(entry):
    with pytest.raises(ValueError, match=r"must be a host|is not a port"):
        Policy(hosts=[entry])
