"""Certificates for a run of the suite: those of deploy/certificates.sh, and callers of every other kind."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Client certificates beside those that deploy/certificates.sh makes: who they say that they are.
_ALTERNATIVE_NAMES = {
    "two-uris": "URI:spiffe://corp.example/ns/inventory/sa/app,URI:spiffe://corp.example/ns/other/sa/app",
    "two-callers": "DNS:writer.corp.example,DNS:manager.corp.example",
    "wildcard": "DNS:*.corp.example",
    "uri-and-dns": "URI:spiffe://corp.example/ns/inventory/sa/app,DNS:ops.corp.example",
    "email": "email:ops@corp.example",
}


class Pki:
    """A folder of PEM files. `certificate` and `key` make what is not there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _run([str(ROOT / "deploy/certificates.sh"), str(folder)])

    @property
    def ca(self) -> Path:
        """The authority that the broker and its callers trust."""
        return self.folder / "ca.crt"

    def pair(self, who: str) -> tuple[Path, Path]:
        """Certificate and key of a caller: a name of the table above, `bare-cn`, `expired`, `other-ca`, or NAME for
        dns:NAME.corp.example."""
        certificate, key = self.folder / f"{who}.crt", self.folder / f"{who}.key"
        if not certificate.exists():
            if who == "other-ca":
                self._self_signed(certificate, key, "DNS:ops.corp.example")
            else:
                self._issue(certificate, key, who)
        return certificate, key

    def _issue(self, certificate: Path, key: Path, who: str) -> None:
        extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=clientAuth"]
        if who != "bare-cn":
            extensions.append("subjectAltName=" + _ALTERNATIVE_NAMES.get(who, f"DNS:{who}.corp.example"))
        request, extension_file = self.folder / f"{who}.csr", self.folder / f"{who}.ext"
        extension_file.write_text("\n".join(extensions), "ascii")
        _run(
            ["openssl", "req", "-new", *_NEW_KEY, "-keyout", str(key), "-out", str(request)]
            + ["-subj", "/CN=ops.corp.example"]
        )
        days = "0" if who == "expired" else "2"
        _run(
            ["openssl", "x509", "-req", "-in", str(request), "-extfile", str(extension_file), "-days", days]
            + ["-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial"]
            + ["-out", str(certificate)]
        )

    @staticmethod
    def _self_signed(certificate: Path, key: Path, names: str) -> None:
        _run(
            ["openssl", "req", "-x509", *_NEW_KEY, "-days", "2", "-subj", "/CN=elsewhere"]
            + ["-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(certificate)]
        )


_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


@functools.cache
def pki() -> Pki:
    """The one of this run; gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="lmbroker-pki-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Pki(folder)
