"""Under which names the page is served, and whose pages may talk to it."""

import ipaddress
import os
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

_DEFAULT_PORTS = {"http": 80, "https": 443}

_EVERYWHERE = ("0.0.0.0", "::")

PRIVATE_NETWORKS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8,fc00::/7,::1"
"""From where the proxies of a Space connect. Each names the client that it speaks for."""


class AllowedHosts:
    """The hosts that this server answers to, and the origins whose requests it acts on.

    A page on another site cannot make a visitor's browser act here in the visitor's name: browsers
    state the origin of what a page sends. Nor can it do so by pointing a name of its own at this
    machine: that name is no host of ours.
    """

    def __init__(
        self, names: Iterable[str] = (), origins: Iterable[str] = (), *, listens_on: str = ""
    ):
        """Takes what is allowed besides this machine's own names.

        Args:
          names: Hosts without scheme and port; "*" allows every host.
          origins: Other sites whose pages may use the API, as "https://name"; "*" allows every one.
          listens_on: The address that the server listens on. One that other machines can reach
            also has to be called by its number and by this machine's name.
        """
        self._names = {name.strip().lower() for name in names if name.strip()}
        self._origins = {origin.strip().lower().rstrip("/") for origin in origins if origin.strip()}
        self._numbers = listens_on in _EVERYWHERE
        self._own = set(_LOCAL)
        if listens_on and listens_on.strip("[]") not in _LOCAL:
            machine = socket.gethostname().lower()
            # The second name is that of the local network, which no one outside of it can give.
            self._own |= {listens_on.strip("[]").lower(), machine, f"{machine}.local"}

    def add(self, name: str) -> None:
        """Allows one more host."""
        self._names.add(name.lower())

    def serves(self, host: str) -> bool:
        """Returns whether a request to this host, as "name" or "name:port", is for this server."""
        name = _name(host)
        if "*" in self._names or name in self._names or name in self._own:
            return True
        # A number is no name that a stranger could have pointed here.
        return self._numbers and _is_number(name)

    def trusts(self, origin: str, hosts: Iterable[str]) -> bool:
        """Returns whether what a page of this origin sends may be acted on.

        Args:
          origin: The header: "https://name:port", or "null".
          hosts: The hosts that the request was sent to, as the client and its proxy name them.
        """
        origin = origin.lower()
        if "*" in self._origins or origin in self._origins:
            return True
        try:
            site = urlsplit(origin)
        except ValueError:  # such as a bracket that is not closed
            return False
        if site.scheme not in _DEFAULT_PORTS or not site.netloc:
            return False
        # A proxy may have put its own name in place of the one that the page has.
        if _name(site.netloc) in self._names:
            return True
        default = _DEFAULT_PORTS[site.scheme]
        return any(_with_port(site.netloc, default) == _with_port(h, default) for h in hosts)


def space_hosts() -> list[str]:
    """Returns the names of the Space that this process runs in; none elsewhere."""
    return [name for name in os.environ.get("SPACE_HOST", "").split(",") if name.strip()]


def _name(host: str) -> str:
    """Returns the name without port and brackets, in lower case; "" if it is no host."""
    try:
        return (urlsplit(f"//{host.strip()}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _with_port(host: str, default: int) -> tuple[str, int]:
    """Returns name and port; a port that is no number is -1."""
    try:
        return _name(host), urlsplit(f"//{host.strip()}").port or default
    except ValueError:
        return _name(host), -1


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
