"""Who is who between the services: each process has a certificate of one authority, in the name of its service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
from headrace_core.errors import Problem, ValidationFailed


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, and the authority that everybody's certificates come from; all in PEM."""

    authority: bytes
    certificate: bytes
    key: bytes

    @classmethod
    def read(cls, authority: Path, certificate: Path, key: Path) -> Self:
        """Read the three files. Raises ValidationFailed that names those which cannot be read."""
        contents, problems = [], []
        for path in (authority, certificate, key):
            try:
                contents.append(path.read_bytes())
            except OSError as error:
                problems.append(Problem(str(path), f"cannot be read: {error.strerror}.", "Check path and permissions."))
        if problems:
            raise ValidationFailed(problems)
        return cls(*contents)

    def server_credentials(self) -> grpc.ServerCredentials:
        """For a server that talks to holders of certificates only."""
        pair = [(self.key, self.certificate)]
        return grpc.ssl_server_credentials(pair, self.authority, require_client_auth=True)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For a channel that shows our certificate and checks the other side's."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def names_of(auth_context: Mapping[str, Iterable[bytes]]) -> frozenset[str]:
    """The names that the caller's certificate stands for; none where it showed none."""
    return frozenset(name.decode("utf-8", "replace") for name in auth_context.get("x509_subject_alternative_name", ()))
