"""What visitors may cost the server. What one file may cost is `dfjax.video.limits`."""

import dataclasses

_MIB = 1024**2


@dataclasses.dataclass(frozen=True, kw_only=True)
class PageLimits:
    """Limits on visitors, all of them together or each of them. A client is an address.

    Of IPv6 addresses only the first 64 bits count, since whoever has one has 2^64 of them.
    """

    max_upload_bytes: int = 200 * _MIB  # of one file
    max_disk_bytes: int = 4096 * _MIB  # of all uploads together
    max_client_bytes: int = 1024 * _MIB  # of the uploads of one client
    max_client_checks: int = 4  # of one client, that wait or run
    max_batch_files: int = 16  # of one call; together they have one of the client's places
    max_client_requests: float = 600.0  # of one client, per minute; the page's own assets are free
    max_client_streams: int = 200  # requests of one client that are open at the same time
    max_streams: int = 500  # requests of all clients that are open at the same time
    max_body_bytes: int = _MIB  # of every request that is not an upload; none of ours needs more
    stall_seconds: float = 20.0  # that a body may pause
    min_bytes_per_second: int = 4096  # of a body, on average, once it has taken that long
    max_live_sessions: int = 2  # cameras that are scored at the same time; a client has one
    max_live_seconds: float = 600.0  # of a camera, until it has to be started again
    unheard_seconds: float = 20.0  # that a check waits for somebody to listen for its answer

    def __post_init__(self):
        """Checks that one file fits into the quotas.

        Raises:
          ValueError: It does not.
        """
        smallest = min(self.max_disk_bytes, self.max_client_bytes)
        if self.max_upload_bytes > smallest:
            raise ValueError(
                f"A file may have {self.max_upload_bytes:,} bytes, but the quotas leave "
                f"{smallest:,}. Lower --max-upload-megabytes, or raise --max-disk-megabytes and "
                "--max-client-megabytes."
            )

    @property
    def max_client_bytes_in_flight(self) -> int:
        """Bytes that one client may have announced and not yet sent: half its quota, or a file."""
        return max(self.max_upload_bytes, self.max_client_bytes // 2)
