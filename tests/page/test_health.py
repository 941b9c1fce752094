import re

import pytest

from dfjax.page.health import Health, resident_bytes


def test_what_was_counted_is_in_prometheus_text():
    health = Health()
    health.count("dfjax_checks_total", outcome="fake")
    health.count("dfjax_checks_total", outcome="fake")
    health.count("dfjax_checks_total", outcome="real")
    health.stage("decode", 0.25)
    text = health.render({"dfjax_ready": True, "dfjax_upload_bytes": 1.5e10})
    lines = text.splitlines()
    assert 'dfjax_checks_total{outcome="fake"} 2' in lines
    assert 'dfjax_stage_seconds_total{stage="decode"} 0.25' in lines
    assert "dfjax_ready 1" in lines and "dfjax_upload_bytes 1.5e+10" in lines
    assert text.endswith("\n")
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \S+', line)
    # Each metric is described once, before its values.
    described = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(described) == len(set(described))
    assert health.total("dfjax_checks_total") == 3


def test_no_text_of_a_visitor_breaks_a_line():
    health = Health()
    health.count("dfjax_refusals_total", reason='a"b\\c\nd')
    (line,) = [row for row in health.render({}).splitlines() if not row.startswith("#")]
    assert line == 'dfjax_refusals_total{reason="a\\"b\\\\c\\nd"} 1'


def test_a_metric_that_nobody_described_is_refused():
    with pytest.raises(ValueError, match="no metric 'other'"):
        Health().count("other")


def test_memory_is_that_of_this_process():
    memory = resident_bytes()
    assert memory is None or 10e6 < memory < 1e12
