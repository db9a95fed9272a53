"""What strangers send: calls that must be refused before anything is sent to a portal, each with its reason.

All are made by callers whom the policy allows as much as it can, so that nothing but the rule in question refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from case import ECHO
from world import PORTAL

READER = f"{PORTAL}/admins/33"
TOKEN = f"{READER}/tokens/1000"


@dataclass(frozen=True)
class Vector:
    """One call, and the reason for which it is refused."""

    reason: str
    who: str
    method: str
    fields: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method.rpartition('/')[2]} {ascii(self.raw or self.fields)[:160]}"


def forward(reason: str, who: str = "writer", **fields: Any) -> Vector:
    """A Forward that differs from a good one in these fields."""
    good = {"portal": PORTAL, "method": "POST", "path": ECHO + "/a"}
    return Vector(reason, who, "ForwardService/Forward", good | fields)


# --- Paths --------------------------------------------------------------------------------------------

NOT_PLAIN = (
    "", "/", "//", "device/devices", "\\device\\devices", "https://elsewhere.example/device", "//elsewhere.example/x",
    "/device//devices", "/device/devices/", "//device/devices", "/device/devices//", "/device/./devices", "/./device",
    "/device/..", "/..", "/.", "/device/../setting/admins", "/device/devices/..", "/device/devices/.", "/../../etc/x",
    "/device/%2e%2e/setting", "/device/%2E%2E/x", "/device%2fdevices", "/device%2Fdevices", "/%2e%2e/x", "/%252e/x",
    "/device/devices%00", "/device/devices%0d%0aX: y", "/device/100%", "/%", "/device?size=1", "/device/devices?",
    "/device#fragment", "/device/devices;jsessionid=1", "/device;/devices", "/device/..;/setting/admins", "/;/device",
    "/device\\devices", "/device/..\\setting", "/device\\..\\setting", "/device/devices\0", "/\0", "/device\ndevices",
    "/device\rdevices", "/device/devices\r\nHost: elsewhere", "/device\tdevices", "/device/\x1b[2J", "/device/\x7f",
    "/device/\x01", "/device/\u0085", "/device/\u009b", "/" + "x" * 2048, "/x" * 1025, " /device/devices", "*",
    "/device/devices HTTP/1.1\r\n\r\nGET /setting/admins", "../device", "./device", "?", "#", ";",
)  # fmt: skip

SECRET_PATHS = (
    "/setting/admins/apitokens", "/setting/admins/33/apitokens", "/setting/admins/33/apitokens/1000", "/apitokens",
    "/setting/admins/33/apiTokens", "/SETTING/ADMINS/33/APITOKENS", "/setting/admins/33/ApiTokens/1000",
    "/setting/apitokens", "/setting/admins/33/apitokens.json", "/setting/admins/33/apitokens ", "/x/apitokens/y",
    "/setting/admins/33/ap\u0131tokens", "/setting/admins/33/AP\u0130TOKENS", "/setting/admins/33/apito\u212aens",
    "/setting/admins/33/apitoken\u017f", "/setting/admins/33/apitokens/1000/anything", "/setting/admins/*/apitokens",
)  # fmt: skip

ACCOUNT_WRITES = (
    ("POST", "/setting/admins"), ("PUT", "/setting/admins/33"), ("PATCH", "/setting/admins/33"),
    ("DELETE", "/setting/admins/33"), ("POST", "/setting/roles"), ("PATCH", "/setting/roles/3"),
    ("PUT", "/Setting/Admins/33"), ("DELETE", "/SETTING/ROLES/3"), ("POST", "/sett\u0131ng/admins"),
    ("PATCH", "/setting/adm\u0131ns/33"), ("PUT", "/setting/admins/33/anything"),
)  # fmt: skip

TOKENS_IN_USERS = (
    b'{"username":"x","apiTokens":[{"status":2}]}', b'{"APITOKENS":[]}', b'{"\\u0061piTokens":[{"status":2}]}',
    b'{"a":{"b":[{"apiTokens":null}]}}', b'{"apiTokens":1', b'{"username":"x","username":{"apitokens":{}}}',
)  # fmt: skip


def paths() -> Iterator[Vector]:
    """Paths in every disguise."""
    for path in NOT_PLAIN:
        yield forward("PATH_NOT_PLAIN", path=path)
    for path in SECRET_PATHS:
        yield forward("SECRET_ENDPOINT", path=path)
    for api in ("INGEST", "MANAGEMENT"):
        for method in ("GET", "DELETE"):
            yield forward("SECRET_ENDPOINT", "accounts", path=SECRET_PATHS[1], method=method, api=api)
    for method, path in ACCOUNT_WRITES:
        yield forward("ACCOUNT_ENDPOINT", path=path, method=method, body=b"{}")
    for body in TOKENS_IN_USERS:
        yield forward("SECRET_ENDPOINT", "accounts", path="/setting/admins/33", method="PUT", body=body)
    yield forward("FIELD_INVALID", "accounts", path="/setting/admins/33", method="PUT", body=b"not JSON")


# --- Methods, queries, headers, versions, bodies --------------------------------------------------------

METHODS = (
    "", "get", "Get", "gET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE", "GET ", " GET", "GET\r\n", "*",
    "GET /x HTTP/1.1\r\nX: y", "POST\0", "\uff27\uff25\uff34", "GETGET", "G\u00c9T", "DELETE\t", "POST,GET",
)  # fmt: skip

HEADERS_NOT_ALLOWED = (
    "Authorization", "authorization", "AUTHORIZATION", "Proxy-Authorization", "Cookie", "Host", "Content-Length",
    "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Expect", "X-Version", "x-version",
    "User-Agent", "X-CSRF-Token", "X-HTTP-Method-Override", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via",
    "Range", "Origin", "Referer", "X-Original-URL", "X-Rewrite-URL", "Accept-Encoding", "", " ", ":authority", ":path",
    "Accept ", " Accept", "Accept:", "Accept\r\nX", "Accept\0", "X_Request_Id", "Content_Type", "\u00c4ccept",
    "X-Request-Id\t", "Accept\u0085", "traceparent\n",
)  # fmt: skip

HEADER_VALUES = (
    "", "a\r\nX: y", "a\nX: y", "a\rX: y", "a\0b", "\x7f", "\x1b[2J", " a", "a ", "\ta", "a\t", "gr\u00f6\u00dfe",
    "\u2028", "a\r\n\r\nGET /setting/admins HTTP/1.1",
)  # fmt: skip


def forms() -> Iterator[Vector]:
    """The other parts of a Forward."""
    for method in METHODS:
        yield forward("FIELD_INVALID", method=method)
    for name, value in (("v", "4"), ("v", ""), ("", "x"), ("a\0", "x"), ("a", "x\0")):
        yield forward("FIELD_INVALID", query=[{"name": name, "value": value}])
    for name in HEADERS_NOT_ALLOWED:
        yield forward("HEADER_NOT_ALLOWED", headers=[{"name": name, "value": "x"}])
    for value in HEADER_VALUES:
        yield forward("FIELD_INVALID", headers=[{"name": "Accept", "value": value}])
    for value in ("br", "identity", "gzip, gzip", "gzip,deflate", "zstd", "*"):
        yield forward("FIELD_INVALID", headers=[{"name": "Content-Encoding", "value": value}])
    for value in ("gzip", "deflate"):
        yield forward("FIELD_INVALID", headers=[{"name": "Content-Encoding", "value": value}], body=b"not so")
    yield forward("FIELD_INVALID", headers=[{"name": name, "value": "x"} for name in ("Accept", "aCCEPT")])
    for version in (1, 5, -1, 2147483647, -2147483648):
        yield forward("FIELD_INVALID", api_version=version)
    for version in (-1, 2147483647):
        yield forward("FIELD_INVALID", api="INGEST", path="/log/ingest", api_version=version)
    for api in (3, -1, 2147483647):
        yield forward("FIELD_INVALID", api=api)
    # An allowed caller's request that is not UTF-8 where protobuf wants it is not even read.
    for number in (1, 2, 4, 5):
        good = b"".join(_string(each, text) for each, text in ((1, PORTAL), (4, "GET"), (5, ECHO)) if each != number)
        yield Vector("FIELD_INVALID", "writer", "ForwardService/Forward", raw=good + _bytes(number, b"/\xff\xc0\xaf"))
    for raw in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x2b" * 100):
        yield Vector("FIELD_INVALID", "writer", "ForwardService/Forward", raw=raw)


# --- Names ----------------------------------------------------------------------------------------------

PORTALS = (
    "", "acme", "portals", "portals/", "/portals/acme", "portals/acme/", "portals//acme", "portals/acme/x",
    "Portals/acme", "portals/ACME", "portals/Acme", "portals/-acme", "portals/acme-", "portals/1acme", "portals/a_b",
    "portals/a.b", "portals/a b", "portals/acme ", "portals/\u00e4cme", "portals/acme\0", "portals/acme\n", "portals/../acme",
    "portals/acme%2f", "portals/" + "a" * 64, "portals/*", "portals/acme:443", "portals/acme.logicmonitor.com",
)  # fmt: skip

CREDENTIALS = (
    "writer", "portals/acme/credentials", "portals/acme/credentials/", "portals/acme/credentials/Writer",
    "portals/acme/credentials/writer/x", "portals/acme/credential/writer", "portals/acme/credentials/writer\n",
    "portals/down/credentials/writer", "portals/acme/credentials/*", "portals/acme/credentials/../acme-root",
)  # fmt: skip

NUMBERS = (
    "0", "-1", "+1", "01", "1.0", "1e3", "0x1", "2147483648", "4294967297", "9" * 30, " 1", "1 ", "\u0661", "*", "",
    "..", "1/2", "1\0", "one", "1;2", "1%32",
)  # fmt: skip

CREDENTIAL_IDS = (
    "A", "-a", "a-", "a_b", "a.b", "a/b", "a b", " ", "1a", "\u00e4", "a" * 64, "a\0", "../a", "a\n", "*",
)  # fmt: skip


def names() -> Iterator[Vector]:
    """Names of portals, users, tokens and credentials."""
    for name in PORTALS:
        yield forward("FIELD_INVALID", portal=name)
        yield Vector("FIELD_INVALID", "operator", "CredentialService/ListCredentials", {"parent": name})
    for name in CREDENTIALS:
        yield forward("FIELD_INVALID", credential=name)
    for method in ("Get", "Delete", "Probe"):
        for name in (*CREDENTIALS[:7], ""):
            yield Vector("FIELD_INVALID", "operator", f"CredentialService/{method}Credential", {"name": name})
    for number in NUMBERS:
        yield Vector("FIELD_INVALID", "operator", "TokenService/GetToken", {"name": f"{READER}/tokens/{number}"})
        yield Vector("FIELD_INVALID", "operator", "TokenService/DeleteToken", {"name": f"{READER}/tokens/{number}"})
        yield Vector("FIELD_INVALID", "operator", "TokenService/CreateToken", {"parent": f"{PORTAL}/admins/{number}"})
        yield Vector("FIELD_INVALID", "operator", "TokenService/ListTokens", {"parent": f"{PORTAL}/admins/{number}"})
    for name in ("", READER, PORTAL, "acme/33/1000", TOKEN + "/", TOKEN.replace("tokens", "Tokens"), "/" + TOKEN):
        yield Vector("FIELD_INVALID", "operator", "TokenService/GetToken", {"name": name})
        yield Vector("FIELD_INVALID", "operator", "TokenService/UpdateToken", {"token": {"name": name}})
        yield Vector("FIELD_INVALID", "operator", "TokenService/ToggleToken", {"name": name, "status": 2})
    for identifier in CREDENTIAL_IDS:
        fields = {"parent": READER, "credential_id": identifier}
        yield Vector("FIELD_INVALID", "operator", "TokenService/CreateToken", fields)
    # What has the right form and is not there, or not granted, is all the same to a caller.
    for name in ("portals/nowhere", "portals/" + "a" * 63, "portals/acme-2"):
        yield forward("NO_GRANT", portal=name)
    for name in ("nothing", "acme-root", "inventory-reader", "bearer"):
        yield forward("NO_GRANT", credential=f"{PORTAL}/credentials/{name}")


# --- Other requests -------------------------------------------------------------------------------------


def requests() -> Iterator[Vector]:
    """The typed services."""
    token = {"name": TOKEN}
    for note in ("x" * 5000, "a\0b", "a\nb", "\x1b[2J"):
        fields = {"parent": READER, "token": {"note": note}}
        yield Vector("FIELD_INVALID", "operator", "TokenService/CreateToken", fields)
        yield Vector("FIELD_INVALID", "operator", "TokenService/UpdateToken", {"token": token | {"note": note}})
    for wrong in ({"type": 3}, {"type": -1}, {"status": 3}, {"status": -1}):
        yield Vector("FIELD_INVALID", "operator", "TokenService/CreateToken", {"parent": READER, "token": wrong})
    for status in (0, 3, -1, 2147483647):
        yield Vector("FIELD_INVALID", "operator", "TokenService/ToggleToken", token | {"status": status})
    for wrong in (
        {"page_size": -1}, {"page_size": -2147483648}, {"type": 3}, {"search": "x" * 5000}, {"page_token": "x"},
        {"page_token": "AAAA" * 20}, {"page_token": "A" * 100000}, {"page_token": "\u00e4"}, {"page_token": "a b"},
        {"page_token": "../../x"}, {"page_token": "0"}, {"page_token": "1;DROP TABLE tokens"},
    ):  # fmt: skip
        yield Vector("FIELD_INVALID", "operator", "TokenService/ListTokens", {"parent": PORTAL} | wrong)
        if not {"type", "search"} & set(wrong):
            yield Vector("FIELD_INVALID", "operator", "CredentialService/ListCredentials", {"parent": PORTAL} | wrong)
    yield from _imports()
    yield from _explanations()


def _imports() -> Iterator[Vector]:
    good = {"parent": PORTAL, "credential_id": "new", "type": "LMV1", "access_id": "aB3dE5fG7hJ9kL2mN4pQ"}
    good |= {"secret": "not-a-key-of-anyone"}
    for wrong in (
        {"type": 0}, {"type": 3}, {"access_id": ""}, {"access_id": "a b"}, {"access_id": "a\r\nb"},
        {"access_id": "a:b"}, {"access_id": "x" * 5000}, {"secret": ""}, {"secret": " "}, {"secret": "a\nb"},
        {"secret": "a\0b"}, {"secret": "x" * 100000}, {"secret": "gr\u00f6\u00dfe"}, {"type": 2, "secret": "Bearer "}, {"token": "x"},
        {"token": "portals/down/admins/33/tokens/7"}, {"token": f"{READER}/tokens/0"},
        *({"credential_id": each} for each in ("", *CREDENTIAL_IDS)),
    ):  # fmt: skip
        yield Vector("FIELD_INVALID", "operator", "CredentialService/ImportCredential", good | wrong)
    for reason, wrong in (
        ("UNKNOWN_PORTAL", {"parent": "portals/nowhere"}),
        ("CREDENTIAL_EXISTS", {"credential_id": "writer"}),
    ):
        yield Vector(reason, "operator", "CredentialService/ImportCredential", good | wrong)


def _explanations() -> Iterator[Vector]:
    method = "PolicyService/ExplainAccess"
    call = {"portal": PORTAL, "method": "GET", "path": "/device/devices"}
    token = {"verb": "get", "parent": READER}
    for reason, fields in (
        ("FIELD_INVALID", {"caller": "", "forward": call}),
        ("FIELD_INVALID", {"caller": "inventory"}),
        ("FIELD_INVALID", {"caller": "inventory", "forward": call | {"method": "get"}}),
        ("FIELD_INVALID", {"caller": "inventory", "forward": call | {"portal": "acme"}}),
        ("FIELD_INVALID", {"caller": "inventory", "forward": call | {"credential": "writer"}}),
        ("FIELD_INVALID", {"caller": "inventory", "forward": call | {"api": 7}}),
        ("PATH_NOT_PLAIN", {"caller": "inventory", "forward": call | {"path": "/device/../setting"}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"verb": "steal"}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"verb": ""}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"parent": PORTAL}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"parent": f"{PORTAL}/admins/0"}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"ttl": {"seconds": 60}}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"verb": "create", "ttl": {"seconds": 0}}}),
        ("FIELD_INVALID", {"caller": "inventory", "token": token | {"verb": "create", "ttl": {"nanos": 1}}}),
    ):
        yield Vector(reason, "operator", method, fields)


def _bytes(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _string(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


FAMILIES = {"paths": paths, "forms": forms, "names": names, "requests": requests}
