"""Where the live view listens, and who may look: this machine alone, or whoever has the token."""

import ipaddress
from dataclasses import dataclass

import click

from pixsearch.contract.faults import Fault

DEFAULT_PORT = 8765
LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost", "[::1]")


@dataclass(frozen=True)
class Address:
    """host : an IP address or a name, without brackets; port : 0 takes a free one"""

    host: str = LOOPBACK
    port: int = DEFAULT_PORT

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """The page's address as a browser takes it."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"


def parse_address(text: str) -> Address:
    """An address written as [HOST:]PORT; an IPv6 host stands in brackets. Raises Fault."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    bare = ":" in host and not text.startswith("[")
    if not (port.isascii() and port.isdecimal() and int(port) < 1 << 16) or bare or text.startswith(":"):
        raise Fault("web address", expected=f"[HOST:]PORT, such as {DEFAULT_PORT} or 0.0.0.0:{DEFAULT_PORT}",
                    actual=repr(text[:60]), remedy="write it so")
    return Address(host or LOOPBACK, int(port))


class WebAddress(click.ParamType[Address]):
    """The value of `--web`."""

    name = "[HOST:]PORT"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse the option's text."""
        if isinstance(value, Address):
            return value
        try:
            return parse_address(value)
        except Fault as fault:
            self.fail(str(fault), param, ctx)
