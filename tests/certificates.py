"""Certificates of an authority of the test's own, one for each name, as files."""

from pathlib import Path

import trustme
from headrace_runtime.rpc import Identity


def write_certificates(folder: Path, *names: str) -> Path:
    """Write `ca.pem` and for each name `<name>.pem` and `<name>.key`; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in names:
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return folder


def identity_of(folder: Path, name: str) -> Identity:
    return Identity.read(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
