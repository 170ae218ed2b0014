"""The certificates and accounts of a cluster that lives for an hour on one machine."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LIFE = datetime.timedelta(days=1)


@dataclass
class Authority:
    """Vouches for everybody in the cluster. Its certificate and the keys lie in `folder`."""

    folder: Path
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca.write_bytes(self._certificate(self._key, "authority", "", ()))

    @property
    def ca(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.crt"

    def issue(self, name: str, *, group: str = "", addresses: Sequence[str] = ()) -> tuple[Path, Path]:
        """A certificate and its key, for user `name` of `group`, or for a server at these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, own = (self.folder / f"{name.replace(':', '-')}.{end}" for end in ("crt", "key"))
        certificate.write_bytes(self._certificate(key, name, group, addresses))
        _keep(key, own)
        return certificate, own

    def kubeconfig(self, server: str, name: str, *, group: str = "") -> Path:
        """A file with which a client calls `server` as user `name` of `group`."""
        certificate, key = self.issue(name, group=group)
        path = certificate.with_suffix(".kubeconfig")
        path.touch(mode=0o600)
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "proof", "cluster": {"server": server, "certificate-authority-data": _encoded(self.ca)}}
            ],
            "users": [
                {
                    "name": name,
                    "user": {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)},
                }
            ],
            "contexts": [{"name": "proof", "context": {"cluster": "proof", "user": name}}],
            "current-context": "proof",
        }
        path.write_text(json.dumps(whole), encoding="utf-8")
        return path

    def account_keys(self) -> tuple[Path, Path]:
        """The key that service accounts' tokens are signed with, and the public one."""
        key = ec.generate_private_key(ec.SECP256R1())
        private, public = self.folder / "accounts.key", self.folder / "accounts.pub"
        _keep(key, private)
        public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        return private, public

    def _certificate(self, key: ec.EllipticCurvePrivateKey, name: str, group: str, addresses: Sequence[str]) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name, group))
            .issuer_name(_named("authority", ""))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=key is self._key, path_length=None), critical=True)
        )
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_address, addresses))), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _address(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _named(name: str, group: str) -> x509.Name:
    named = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]
    return x509.Name([*named, *([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, group)] if group else [])])


def _keep(key: ec.EllipticCurvePrivateKey, path: Path) -> None:
    path.touch(mode=0o600)
    # As openssl writes it: the API server does not read service accounts' keys in any other form.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
