"""Where people connect from: homes, mobile carriers, offices, hosting providers, with the place that a cloud sees.

Prefixes are large access networks of each country, host parts are drawn; documentation ranges stand in where only the
sharing of an address matters. Hosting prefixes are those that providers publish.
"""

import random
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A city as a cloud's edge tells it."""

    country: str
    city: str
    latitude: float
    longitude: float
    hours_east: int
    prefixes: tuple[int, ...]
    mobile: tuple[str, ...]
    v6: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """One connection: address, place, and what the client's handshake and header look like."""

    ip: str
    place: Place
    ja4: str
    agent: str


def _place(
    where: str, at: tuple[float, float], hours: int, prefixes: tuple[int, ...], mobile: tuple[str, ...], v6: str
) -> Place:
    country, city = where.split(" ", 1)
    return Place(
        country=country,
        city=city,
        latitude=at[0],
        longitude=at[1],
        hours_east=hours,
        prefixes=prefixes,
        mobile=mobile,
        v6=v6,
    )


PLACES = (
    _place("US Columbus", (39.96, -82.99), -5, (24, 66, 71, 73, 75, 98), ("172.56.21", "174.205.3"), "2601:5c2"),
    _place("US Sacramento", (38.58, -121.49), -8, (24, 67, 73, 76, 99), ("172.58.88", "166.205.90"), "2600:1700"),
    _place("DE Leipzig", (51.34, 12.37), 1, (77, 79, 84, 87, 91), ("80.187.101", "109.41.2"), "2003:e7"),
    _place("FR Nantes", (47.22, -1.55), 1, (81, 82, 86, 90, 92), ("37.164.12", "92.184.105"), "2a01:cb08"),
    _place("GB Leeds", (53.80, -1.55), 0, (81, 82, 86, 90), ("82.132.214", "92.40.170"), "2a02:c7c"),
    _place("PL Wroclaw", (51.11, 17.03), 1, (83, 89, 31), ("5.173.10", "31.0.33"), "2a02:a31a"),
    _place("PT Porto", (41.15, -8.61), 0, (85, 81, 89), ("87.196.72", "148.69.4"), "2001:8a0"),
    _place("IN Pune", (18.52, 73.86), 5, (49, 59, 103, 106, 117), ("106.210.40", "152.57.9"), "2401:4900"),
    _place("ID Bandung", (-6.92, 107.61), 7, (36, 103, 114, 180), ("114.124.130", "182.1.77"), "2404:c0"),
    _place("VN Da Nang", (16.05, 108.20), 7, (14, 27, 113, 171), ("116.96.40", "171.224.60"), "2402:800"),
    _place("BR Campinas", (-22.91, -47.06), -3, (177, 179, 187, 189), ("191.57.10", "187.26.160"), "2804:14c"),
    _place("AR Rosario", (-32.95, -60.66), -3, (181, 186, 190), ("170.51.90", "181.88.10"), "2800:810"),
    _place("NG Ibadan", (7.38, 3.94), 1, (102, 105, 197), ("105.112.30", "102.89.40"), "2c0f:f5c0"),
    _place("KE Nakuru", (-0.30, 36.08), 3, (41, 102, 105), ("105.163.0", "41.90.180"), "2c0f:fe38"),
    _place("JP Sendai", (38.27, 140.87), 9, (60, 118, 122, 126, 153), ("126.166.200", "49.98.70"), "2400:2410"),
    _place("AU Hobart", (-42.88, 147.33), 10, (1, 58, 110, 120), ("1.145.20", "120.22.60"), "2001:8003"),
    _place("UA Lviv", (49.84, 24.03), 2, (37, 46, 93, 176), ("46.211.80", "37.73.140"), "2a02:2378"),
    _place("TR Izmir", (38.42, 27.14), 3, (78, 85, 88, 176), ("178.241.30", "5.46.70"), "2a02:e0"),
)

HOSTING = (
    "3.91", "18.206", "34.201", "44.203", "52.14", "54.145",
    "34.72", "35.222", "104.197",
    "20.42", "40.76", "52.233",
    "5.9", "88.198", "95.216", "116.202", "135.181", "138.201", "159.69", "168.119",
    "51.38", "51.77", "54.37", "149.202",
    "46.101", "68.183", "138.197", "159.65", "167.99", "206.189",
    "45.79", "139.162", "172.104", "45.32", "108.61", "149.28", "51.15", "163.172",
)  # fmt: skip
UNLISTED_HOSTING = ("23.94", "185.220", "193.32", "185.199", "38.91", "104.223", "192.3", "91.193")
"""Small hosting and proxy networks that a short list of large ones does not hold."""

_BROWSER_JA4 = (
    "t13d1516h2_8daaf6152771_d8a2da3f94cd",
    "t13d1516h2_8daaf6152771_02713d6af862",
    "t13d1517h2_8daaf6152771_b0da82dd1658",
    "t13d1715h2_5b57614c22b0_7121afd63204",
    "t13d2014h2_a09f3c656075_14788d8d241b",
)
_TOOL_JA4 = ("t13d5911h1_a33745022dd6_1f22a2ca17c4", "t13d521100_b262b3658495_8e6e362c5eac")
_SCRIPT_JA4 = ("t13d1812h1_85036bcba153_375ca2c5e164", "t13d190900_9dc949149365_97f8aa674fd9")
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari",
)
_TOOLS = (
    "Kilo-Code/4.{v}.0",
    "Kilo-Code/5.{v}.1",
    "opencode/1.0.{v} ai-sdk/provider-utils/3.0.9 runtime/bun/1.2.19",
    "kilo-cli/0.{v}.0 node/22",
)
_SCRIPTS = ("python-requests/2.32.{v}", "python-httpx/0.28.{v}", "axios/1.{v}.0", "node-fetch", "Go-http-client/2.0")


class Networks:
    """Draws addresses and clients."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def place(self) -> Place:
        """Some city."""
        return self._rng.choice(PLACES)

    def home(self, place: Place | None = None) -> Connection:
        """A household's line, one in four by IPv6."""
        rng, place = self._rng, place or self.place()
        if rng.random() < 0.25:
            groups = ":".join(f"{rng.getrandbits(16):x}" for _ in range(3))
            ip = f"{place.v6}:{groups}::{rng.getrandbits(16):x}"
        else:
            ip = f"{rng.choice(place.prefixes)}.{rng.randrange(1, 255)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        return Connection(ip=ip, place=place, ja4=rng.choice(_BROWSER_JA4), agent=self.browser())

    def office(self, place: Place | None = None) -> Connection:
        """One egress address of an organization, always IPv4."""
        rng, place = self._rng, place or self.place()
        ip = f"{rng.choice(place.prefixes)}.{rng.randrange(1, 255)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        return Connection(ip=ip, place=place, ja4=rng.choice(_BROWSER_JA4), agent=self.browser())

    def mobile(self, place: Place) -> Connection:
        """A carrier's translated address: many subscribers behind few of them."""
        rng = self._rng
        ip = f"{rng.choice(place.mobile)}.{rng.randrange(1, 9)}"
        return Connection(ip=ip, place=place, ja4=rng.choice(_BROWSER_JA4), agent=self.browser())

    def hosting(self, *, is_listed: bool = True) -> Connection:
        """A rented machine."""
        rng = self._rng
        prefix = rng.choice(HOSTING if is_listed else UNLISTED_HOSTING)
        ip = f"{prefix}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        return self.as_script(Connection(ip=ip, place=self.place(), ja4="", agent=""))

    def neighbour(self, connection: Connection) -> Connection:
        """Another address of the same network."""
        if ":" in connection.ip:
            return replace(connection, ip=f"{connection.ip.rsplit('::', 1)[0]}::{self._rng.getrandbits(16):x}")
        return replace(connection, ip=f"{connection.ip.rsplit('.', 1)[0]}.{self._rng.randrange(1, 255)}")

    def browser(self) -> str:
        """A browser's header of a recent version."""
        return self._rng.choice(_BROWSERS).replace("{v}", str(self._rng.randrange(132, 143)))

    def as_browser(self, connection: Connection) -> Connection:
        """The same line, with a browser of its own."""
        return replace(connection, ja4=self._rng.choice(_BROWSER_JA4), agent=self.browser())

    def as_tool(self, connection: Connection) -> Connection:
        """The same line, used by a coding tool."""
        agent = self._rng.choice(_TOOLS).replace("{v}", str(self._rng.randrange(1, 140)))
        return replace(connection, ja4=self._rng.choice(_TOOL_JA4), agent=agent)

    def as_script(self, connection: Connection) -> Connection:
        """The same line, used by a program."""
        agent = self._rng.choice(_SCRIPTS).replace("{v}", str(self._rng.randrange(1, 9)))
        return replace(connection, ja4=self._rng.choice(_SCRIPT_JA4), agent=agent)
