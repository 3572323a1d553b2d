"""Refuses any socket that leaves this machine: chatting opens none, and no test may.

It is an audit hook, so it sees every socket that Python opens, also from inside a library.
`child/sitecustomize.py` puts the same hook into every Python that a test starts.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

ADDRESS_EVENTS = frozenset({"socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"})
NAME_EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})


class OutsideConnectionError(RuntimeError):
    """A test tried to reach beyond this machine. It is an error in the program or in the test."""


def is_loopback(host: object) -> bool:
    """Whether a host as given to a socket is this machine itself; `None` is what a listener on localhost
    passes.
    """
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. Raises OutsideConnectionError in the thread that tries."""
    if event in NAME_EVENTS:
        if not is_loopback(arguments[0]):
            raise OutsideConnectionError(f"{event} of {arguments[0]!r}")
    elif event in ADDRESS_EVENTS:
        address = arguments[1]
        # Internet addresses are tuples (host, port, ...); those of local sockets are paths, of netlink (pid,
        # groups).
        if isinstance(address, tuple) and isinstance(address[0], str | bytes) and not is_loopback(address[0]):
            raise OutsideConnectionError(f"{event} to {address!r}")


def install() -> None:
    """Refuse from now on, to the end of this process."""
    sys.addaudithook(refuse_outside)
