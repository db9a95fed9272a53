"""The files of the listener while it serves: its certificate, the authorities of callers, and who is shut out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import grpc

from broker import wait_for
from case import BrokerTest
from pki import _NEW_KEY, _run, pki
from schema import Refusal

NOTICED = 2.0  # seconds: what the contract allows


class FilesCase(BrokerTest):
    """The broker's files are links into a folder that is swapped, as Kubernetes mounts secrets."""

    volume: ClassVar[Path]
    _versions: ClassVar[int] = 0

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="lmbroker-volume-")
        cls.addClassCleanup(folder.cleanup)
        cls.volume = Path(folder.name)
        cls.swap(cls.usual())
        files = {"certificate": "server.crt", "key": "server.key", "client_ca": "ca.crt", "revoked": "revoked.yaml"}
        cls.CONFIG = {"listen": {"tls": {name: str(cls.volume / "data" / file) for name, file in files.items()}}}
        super().setUpClass()

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("inventory-reader", 34)

    @staticmethod
    def usual() -> dict[str, bytes]:
        """The files of a good start."""
        folder = pki().folder
        return {name: (folder / name).read_bytes() for name in ("server.crt", "server.key", "ca.crt")} | {
            "revoked.yaml": b""
        }

    @classmethod
    def swap(cls, files: dict[str, bytes]) -> None:
        """Puts all of these in the place of all that was there, at once."""
        cls._versions += 1
        version = cls.volume / f"v{cls._versions}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
            (version / name).chmod(0o600)
        link = cls.volume / "next"
        link.symlink_to(version.name)
        os.replace(link, cls.volume / "data")
        for old in cls.volume.glob("v*"):
            if old != version:
                shutil.rmtree(old)

    def setUp(self) -> None:
        super().setUp()
        self.swap(self.usual())
        wait_for("good files", lambda: not self.problem(), 5)

    def problem(self) -> str:
        """What readiness says of the listener's files."""
        checks = json.loads(self.world.ops("/readyz")[1])["checks"]
        return str(checks["listener_files"].get("detail", ""))

    def new_server(self, days: int = 2) -> dict[str, bytes]:
        """Another certificate of the broker, with its key."""
        with tempfile.TemporaryDirectory() as folder:
            return _issue_server(Path(folder), days)

    def served_serial(self) -> str:
        """Of the certificate that a new connection is shown."""
        shown = subprocess.run(
            ["openssl", "s_client", "-connect", self.world.broker.address, "-servername", "localhost"],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20,
        )  # fmt: skip
        return serial_of(shown.stdout)

    def connect_anew(self, who: str) -> Any:
        """A call on a connection of its own."""
        self.world.disconnect()
        return self.world.forward(who, "GET", "/device/devices/7")


def serial_of(pem: bytes) -> str:
    """As OpenSSL prints it."""
    text = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, check=True).stdout
    return text.decode("ascii").strip().partition("=")[2]


def _issue_server(folder: Path, days: int) -> dict[str, bytes]:
    extensions = folder / "server.ext"
    extensions.write_text("extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n", "ascii")
    _run(
        ["openssl", "req", "-new", *_NEW_KEY, "-keyout", str(folder / "server.key"), "-out", str(folder / "server.csr")]
        + ["-subj", "/CN=rotated"]
    )
    _run(
        ["openssl", "x509", "-req", "-in", str(folder / "server.csr"), "-extfile", str(extensions)]
        + ["-days", str(days), "-CA", str(pki().ca), "-CAkey", str(pki().folder / "ca.key"), "-CAcreateserial"]
        + ["-out", str(folder / "server.crt")]
    )
    return {name: (folder / name).read_bytes() for name in ("server.crt", "server.key")}


class CertificateTest(FilesCase):
    def test_a_new_certificate_is_served_and_no_connection_is_lost(self):
        self.connect_anew("inventory")
        new = self.new_server()
        self.swap(self.usual() | new)
        wait_for("new certificate", lambda: self.served_serial() == serial_of(new["server.crt"]), NOTICED + 1)
        self.assertEqual(self.world.forward("inventory", "GET", "/device/devices/7").status, 200)  # the old connection
        self.assertEqual(self.connect_anew("inventory").status, 200)

    def test_a_bad_pair_is_refused_and_the_old_one_kept(self):
        before = self.served_serial()
        other = self.new_server()
        bad = {
            "another's key": {"server.key": other["server.key"]},
            "another's certificate": {"server.crt": other["server.crt"]},
            "no certificate": {"server.crt": b"nothing\n"},
            "no key": {"server.key": b""},
            "a certificate cut": {"server.crt": other["server.crt"][:300], "server.key": other["server.key"]},
        }
        for name, files in bad.items():
            with self.subTest(name):
                self.swap(self.usual() | files)
                wait_for("word of it", self.problem, NOTICED)
                self.assertEqual(self.served_serial(), before)
                self.assertEqual(self.connect_anew("inventory").status, 200)
                self.assertEqual(self.world.ops("/readyz")[0], 200)
        self.assertIn('lmbroker_reloads_total{result="failed",what="certificate"}', self.world.ops("/metrics")[1])
        self.assertIn("listener_files_refused", self.world.broker.log)
        self.assertNotIn("PRIVATE KEY", self.world.broker.log)

    def test_files_that_vanish_keep_the_old_ones(self):
        self.swap({"revoked.yaml": b""})
        wait_for("word of it", self.problem, NOTICED)
        self.assertEqual(self.connect_anew("inventory").status, 200)

    def test_many_swaps_without_a_failed_handshake(self):
        """Pairs change every tenth of a second, and each call is on a new connection."""
        pairs = [self.new_server() for _ in range(3)] + [self.usual()]
        end = time.monotonic() + 15
        calls = swaps = 0
        while time.monotonic() < end:
            self.swap(self.usual() | pairs[swaps % len(pairs)])
            swaps += 1
            for _ in range(3):
                self.assertEqual(self.connect_anew("inventory").status, 200)
                calls += 1
            time.sleep(0.05)
        self.assertGreater(swaps, 20)
        self.assertGreater(calls, 60)
        self.assertEqual(self.problem(), "")

    def test_other_authorities_of_callers_count_for_new_connections(self):
        portal_ca = (pki().folder / "portal-ca.crt").read_bytes()
        self.swap(self.usual() | {"ca.crt": portal_ca})

        def is_shut_out() -> bool:
            try:
                self.connect_anew("inventory")
                return False
            except Refusal as refusal:
                self.assertEqual(refusal.code, "UNAVAILABLE")
                return True

        wait_for("other authority", is_shut_out, NOTICED + 1)
        self.swap(self.usual() | {"ca.crt": portal_ca + self.usual()["ca.crt"]})
        wait_for("both authorities", lambda: not is_shut_out(), NOTICED + 1)

    def test_bad_authorities_keep_the_old_ones(self):
        for text in (b"", b"nothing\n", self.usual()["ca.crt"][:200]):
            with self.subTest(text[:10]):
                self.swap(self.usual() | {"ca.crt": text})
                wait_for("word of it", self.problem, NOTICED)
                self.assertEqual(self.connect_anew("inventory").status, 200)
        self.assertIn('lmbroker_reloads_total{result="failed",what="client_ca"}', self.world.ops("/metrics")[1])


class RevocationTest(FilesCase):
    def setUp(self) -> None:
        super().setUp()
        wait_for("nobody shut out", lambda: self._is_let_in("inventory"), NOTICED)

    def revoke(self, text: str) -> None:
        """Puts this into the file."""
        self.swap(self.usual() | {"revoked.yaml": text.encode()})

    def refused_soon(self, who: str) -> Refusal:
        """The open connection's calls are refused in time."""

        def judged() -> Refusal | None:
            try:
                self.world.forward(who, "GET", "/device/devices/7")
                return None
            except Refusal as refusal:
                return refusal

        refusal: Refusal = wait_for("refusal", judged, NOTICED)
        self.judge(refusal, "NO_IDENTITY")
        self.assertIn("revoked", refusal.message)
        return refusal

    def test_an_identity_is_shut_out_on_its_open_connection(self):
        self.assertEqual(self.connect_anew("inventory").status, 200)
        self.revoke('identities: ["spiffe://corp.example/ns/inventory/sa/app"]')
        self.refused_soon("inventory")
        self.assertTrue(self.world.call("operator", "OperatorService/GetStatus").version)
        self.revoke("")
        wait_for("end of it", lambda: self._is_let_in("inventory"), NOTICED)

    def test_a_serial_is_shut_out_and_another_certificate_of_the_same_name_is_not(self):
        self.assertEqual(self.connect_anew("inventory").status, 200)
        serial = serial_of(pki().pair("inventory")[0].read_bytes())
        self.revoke(f'serials: ["{serial}"]')
        self.refused_soon("inventory")
        with self.assertRaises(Refusal) as caught:  # nor on a new connection
            self.connect_anew("inventory")
        self.assertEqual(caught.exception.reason, "NO_IDENTITY")
        self.assertEqual(self.world.forward("uri-and-dns", "GET", "/device/devices/7").status, 200)

    def test_a_stream_under_way_ends(self):
        """Also when its caller reads no further, so that it cannot be told."""
        for reads in (True, False):
            with self.subTest(reads=reads):
                self.world.portal.control("POST", "/reset")
                self.world.portal.fault("huge-body", mib=30)
                stream = self.world.stream("inventory", "GET", "/device/devices", timeout=60)
                self.assertEqual(next(stream).head.status, 200)
                self.revoke('identities: ["spiffe://corp.example/ns/inventory/sa/app"]')
                if not reads:
                    self.world.outcome(method="/lmbroker.v1.ForwardService/ForwardStream", reason="NO_IDENTITY")
                with self.assertRaises(grpc.RpcError) as caught:
                    for _ in stream:
                        time.sleep(0.05)
                self.assertIn(caught.exception.code(), (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED))
                self.revoke("")
                wait_for("end of it", lambda: self._is_let_in("inventory"), NOTICED)

    def test_a_bad_file_keeps_who_was_shut_out(self):
        self.revoke('identities: ["spiffe://corp.example/ns/inventory/sa/app"]')
        self.refused_soon("inventory")
        for text in ("serial: [1]", "serials: [xyz]", 'identities: ["inventory"]', "["):
            with self.subTest(text):
                self.revoke(text)
                wait_for("word of it", self.problem, NOTICED)
                self.refused_soon("inventory")
        self.assertIn('lmbroker_reloads_total{result="failed",what="revoked"}', self.world.ops("/metrics")[1])

    def _is_let_in(self, who: str) -> bool:
        try:
            return self.world.forward(who, "GET", "/device/devices/7").status == 200
        except Refusal:
            return False


class ConnectionAgeTest(BrokerTest):
    CONFIG: ClassVar[dict[str, Any]] = {"listen": {"limits": {"connection_age": "10s"}}}

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("inventory-reader", 34)

    def test_connections_come_of_age_and_no_call_is_lost(self):
        peers = set()
        end = time.monotonic() + 25
        calls = 0
        while time.monotonic() < end:
            reply = self.world.forward("inventory", "GET", "/device/devices/7")
            self.assertEqual(reply.status, 200)
            calls += 1
            if calls % 20 == 1:
                peers.add(self.world.outcome(id=reply.request_id)["peer"])
            time.sleep(0.02)
        self.assertGreaterEqual(len(peers), 3)  # of one channel


class TrustDomainsTest(BrokerTest):
    """Two SPIFFE trust domains, each with an authority of its own that is not in `client_ca`."""

    POLICY = """
callers:
  - name: a
    identities: ["spiffe://a.example/app"]
    forward: [{ portal: acme, credential: inventory-reader, methods: [GET], paths: ["/device/devices/**"] }]
  - name: b
    identities: ["spiffe://b.example/app"]
    forward: [{ portal: acme, credential: inventory-reader, methods: [GET], paths: ["/device/devices/**"] }]
  - name: operators
    identities: ["dns:ops.corp.example"]
    operator: true
"""
    folder: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="lmbroker-domains-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        for domain in ("a", "b"):
            cls.authority(domain)
        domains = {f"{domain}.example": str(cls.folder / f"{domain}.crt") for domain in ("a", "b")}
        cls.CONFIG = {"identity": {"spiffe": {"trust_domains": domains}}}
        super().setUpClass()

    @classmethod
    def prepare(cls) -> None:
        cls.world.credential("inventory-reader", 34)

    @classmethod
    def authority(cls, name: str) -> None:
        """A new one."""
        _run(
            ["openssl", "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", f"/CN={name}"]
            + ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
            + ["-keyout", str(cls.folder / f"{name}.key"), "-out", str(cls.folder / f"{name}.new")]
        )
        os.replace(cls.folder / f"{name}.new", cls.folder / f"{name}.crt")

    def channel(self, authority: str, names: str) -> grpc.Channel:
        """Of a caller whose certificate this authority issued for these names."""
        leaf = self.folder / "leaf"
        extensions = leaf.with_suffix(".ext")
        extensions.write_text(f"extendedKeyUsage=clientAuth\nsubjectAltName={names}\n", "ascii")
        _run(
            ["openssl", "req", "-new", *_NEW_KEY, "-keyout", str(leaf.with_suffix(".key"))]
            + ["-out", str(leaf.with_suffix(".csr")), "-subj", "/CN=leaf"]
        )
        _run(
            ["openssl", "x509", "-req", "-in", str(leaf.with_suffix(".csr")), "-extfile", str(extensions), "-days", "2"]
            + ["-CA", str(self.folder / f"{authority}.crt"), "-CAkey", str(self.folder / f"{authority}.key")]
            + ["-CAcreateserial", "-out", str(leaf.with_suffix(".crt"))]
        )
        pair = [leaf.with_suffix(suffix).read_bytes() for suffix in (".key", ".crt")]
        channel = grpc.secure_channel(
            self.world.broker.address, grpc.ssl_channel_credentials(pki().ca.read_bytes(), *pair),
            [("grpc.use_local_subchannel_pool", 1)],
        )  # fmt: skip
        self.addCleanup(channel.close)
        return channel

    def forward(self, channel: grpc.Channel) -> int:
        """HTTP status of a Forward."""
        self.world._channels["of a trust domain"] = channel
        return int(self.world.forward("of a trust domain", "GET", "/device/devices/7").status)

    def refused_for(self, channel: grpc.Channel) -> None:
        """No identity."""
        with self.assertRaises(Refusal) as caught:
            self.forward(channel)
        self.judge(caught.exception, "NO_IDENTITY")

    def test_each_domain_vouches_for_its_own(self):
        for domain in ("a", "b"):
            self.assertEqual(self.forward(self.channel(domain, f"URI:spiffe://{domain}.example/app")), 200)
            self.world.outcome(caller=domain, identity=f"spiffe://{domain}.example/app")

    def test_a_domain_that_names_another_is_nobody(self):
        self.refused_for(self.channel("b", "URI:spiffe://a.example/app"))
        self.refused_for(self.channel("a", "URI:spiffe://b.example/app"))
        self.refused_for(self.channel("a", "URI:spiffe://c.example/app"))

    def test_a_domain_vouches_for_no_dns_name(self):
        self.refused_for(self.channel("a", "DNS:ops.corp.example"))

    def test_the_authority_of_other_callers_vouches_for_no_domain(self):
        self.assertTrue(self.world.call("operator", "OperatorService/GetStatus").version)
        self.forward_refused("NO_IDENTITY", "inventory", "GET", "/device/devices/7")

    def test_another_bundle_counts_on_open_connections(self):
        channel = self.channel("a", "URI:spiffe://a.example/app")
        self.assertEqual(self.forward(channel), 200)
        old = {suffix: (self.folder / f"a.{suffix}").read_bytes() for suffix in ("crt", "key")}
        self.authority("a")

        def is_nobody() -> bool:
            try:
                return self.forward(channel) != 200
            except Refusal as refusal:
                self.assertEqual(refusal.reason, "NO_IDENTITY")
                return True

        wait_for("end of the old authority", is_nobody, NOTICED)
        for suffix, content in old.items():
            (self.folder / f"a.{suffix}").write_bytes(content)

        def is_back() -> bool:
            try:
                return self.forward(self.channel("a", "URI:spiffe://a.example/app")) == 200
            except Refusal:
                return False

        wait_for("return of the old authority", is_back, NOTICED)
        wait_for("the old authority again", lambda: not is_nobody(), NOTICED)
