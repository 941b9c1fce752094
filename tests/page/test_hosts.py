import pytest

from dfjax.page.hosts import AllowedHosts, space_hosts


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST:80"])
def test_this_machine_s_own_names_are_served(host):
    assert AllowedHosts().serves(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example", "", "[::1", "a b"]
)
def test_a_name_that_somebody_pointed_here_is_not_served(host):
    assert not AllowedHosts(listens_on="0.0.0.0").serves(host)


def test_numbers_are_served_only_where_other_machines_can_reach():
    assert AllowedHosts(listens_on="0.0.0.0").serves("192.0.2.7:7860")
    assert AllowedHosts(listens_on="192.0.2.7").serves("192.0.2.7:7860")
    assert not AllowedHosts(listens_on="127.0.0.1").serves("192.0.2.7:7860")


def test_names_can_be_allowed_one_by_one_or_all():
    hosts = AllowedHosts(["Check.example"])
    assert hosts.serves("check.example:443") and not hosts.serves("sub.check.example")
    hosts.add("later.example")
    assert hosts.serves("later.example")
    assert AllowedHosts(["*"]).serves("any.example")


def test_the_space_s_own_names_are_known(monkeypatch):
    monkeypatch.setenv("SPACE_HOST", "owner-name.hf.space,check.example")
    assert space_hosts() == ["owner-name.hf.space", "check.example"]
    monkeypatch.delenv("SPACE_HOST")
    assert space_hosts() == []


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:7860", "127.0.0.1:7860"),
        ("https://check.example", "check.example"),
        ("https://check.example", "check.example:443"),
        ("https://check.example", "127.0.0.1:7860"),  # the proxy calls it otherwise
        ("https://friend.example", "127.0.0.1:7860"),
    ],
)
def test_the_page_s_own_origin_and_the_allowed_ones_are_trusted(origin, host):
    hosts = AllowedHosts(["check.example"], ["https://friend.example/"])
    assert hosts.trusts(origin, [host])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1:3000",  # another program of this machine
        "http://localhost:7860",  # another name of this machine is another site
        "null",
        "file://",
        "",
        "http://friend.example",
        "http://[::1",
    ],
)
def test_other_sites_are_not_trusted(origin):
    hosts = AllowedHosts(["check.example"], ["https://friend.example"])
    assert not hosts.trusts(origin, ["127.0.0.1:7860"])
