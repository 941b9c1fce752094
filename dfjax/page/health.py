"""How the server is doing: its counters, whether it is ready, and all of it for Prometheus."""

import collections
import threading
from collections.abc import Mapping

_HELP = {
    "dfjax_ready": ("gauge", "Whether the model is compiled and checks are taken."),
    "dfjax_checks_waiting": ("gauge", "Checks in the queue."),
    "dfjax_checks_running": ("gauge", "Checks that run."),
    "dfjax_checks_total": ("counter", "Checks by outcome: a label, or refused, failed, abandoned."),
    "dfjax_stage_seconds_total": ("counter", "Seconds spent in each stage of checks."),
    "dfjax_stage_count_total": ("counter", "Checks that went through each stage."),
    "dfjax_requests_total": ("counter", "Requests by route and status."),
    "dfjax_refusals_total": ("counter", "Requests that were refused, by reason."),
    "dfjax_open_requests": ("gauge", "Requests that are open, event streams included."),
    "dfjax_live_sessions": ("gauge", "Cameras that are scored."),
    "dfjax_upload_bytes": ("gauge", "Size of the uploads on disk."),
    "dfjax_upload_files": ("gauge", "Number of the uploads on disk."),
    "process_resident_memory_bytes": ("gauge", "Memory that the server has."),
}

_Labels = tuple[tuple[str, str], ...]


class Health:
    """Counts what happens; safe to be used from several threads."""

    def __init__(self):
        self.ready = threading.Event()  # set once the first video would not have to wait
        self.ending = threading.Event()  # set once the server is being stopped
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, _Labels], float] = collections.defaultdict(float)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Adds to a counter.

        Args:
          name: One that is described above.
          amount: How much; not negative.
          **labels: Which of the counters of that name. Never from a visitor's text, or a stranger
            could make as many counters as there are texts.
        """
        if name not in _HELP:
            raise ValueError(f"There is no metric {name!r}. Describe it in {__name__} first.")
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += amount

    def stage(self, name: str, seconds: float) -> None:
        """Notes how long one stage of a check took."""
        self.count("dfjax_stage_seconds_total", seconds, stage=name)
        self.count("dfjax_stage_count_total", stage=name)

    def total(self, name: str, **labels: str) -> float:
        """Returns a counter, summed over the labels that are not given."""
        with self._lock:
            return sum(
                value
                for (one, having), value in self._counts.items()
                if one == name and labels.items() <= dict(having).items()
            )

    def render(self, gauges: Mapping[str, float]) -> str:
        """Returns the counters and these gauges in Prometheus' text format, version 0.0.4."""
        with self._lock:
            values = dict(self._counts)
        values |= {(name, ()): value for name, value in gauges.items()}
        lines = []
        for name, (kind, meaning) in _HELP.items():
            rows = sorted((labels, value) for (one, labels), value in values.items() if one == name)
            if rows:
                lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            for labels, value in rows:
                text = ",".join(f'{key}="{_escape(label)}"' for key, label in labels)
                lines.append(f"{name}{{{text}}} {value:.10g}" if text else f"{name} {value:.10g}")
        return "\n".join(lines) + "\n"


def resident_bytes() -> int | None:
    """Returns how much memory this process has; None where the system has no /proc."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
