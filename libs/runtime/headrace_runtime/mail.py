"""Mail by a server that the settings name."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import SplitResult, unquote, urlsplit

from headrace_core.errors import BadRequest, Problem, Unavailable, ValidationFailed

from headrace_runtime.settings import setting

TIMEOUT_SECONDS = 20.0

_PORTS = {"smtp": 25, "smtps": 465}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Where mail goes out."""

    url: str = setting(
        "",
        env="HEADRACE_SMTP_URL",
        help="Mail server, as smtp://user:password@host:587 or smtps://; without it no mail is sent.",
        secret=True,
    )
    sender: str = setting("headrace@localhost", env="HEADRACE_MAIL_FROM", help="Address that mail comes from.")


class SmtpMail:
    """Sends mail by one server, a connection for each."""

    def __init__(self, settings: MailSettings) -> None:
        """Raises ValidationFailed when the address of the server is none; nothing is asked of it yet."""
        self._server = _checked(settings.url)
        self._sender = settings.sender

    async def send(self, to: str, subject: str, text: str) -> None:
        """Return when the server has taken the mail. Raises Unavailable, or BadRequest when it refuses for good."""
        message = self._written(to, subject, text)
        try:
            await asyncio.to_thread(self._send, message, to)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise BadRequest(f"The mail server refuses the mail: {type(error).__name__}.") from None
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"The mail server cannot be used: {error}.") from None

    def _written(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        try:
            message["From"], message["To"], message["Subject"] = self._sender, to, subject
        except (ValueError, LookupError):  # the parser of addresses says either of an odd one
            raise BadRequest("No mail can be sent to this address.") from None
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="headrace")
        message.set_content(text)
        return message

    def _send(self, message: EmailMessage, to: str) -> None:
        with self._connected() as smtp:
            smtp.send_message(message, to_addrs=[to])

    def _connected(self) -> smtplib.SMTP:
        host, port = self._server.hostname or "", self._server.port or _PORTS[self._server.scheme]
        trusted = ssl.create_default_context()
        if self._server.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=trusted)
        else:
            smtp = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        try:
            self._greet(smtp, host, trusted)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _greet(self, smtp: smtplib.SMTP, host: str, trusted: ssl.SSLContext) -> None:
        is_safe = self._server.scheme == "smtps" or host in _LOOPBACK
        smtp.ehlo()
        if self._server.scheme == "smtp" and smtp.has_extn("starttls"):
            smtp.starttls(context=trusted)
            smtp.ehlo()
            is_safe = True
        if self._server.username:
            if not is_safe:
                raise smtplib.SMTPException("it offers no TLS, and the password is not sent without")
            smtp.login(unquote(self._server.username), unquote(self._server.password or ""))


def open_mail(settings: MailSettings) -> SmtpMail | None:
    """The mail of the settings; None where no server is named. Raises ValidationFailed."""
    return SmtpMail(settings) if settings.url else None


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        is_address = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        fix = "Write it as smtp://user:password@host:587."
        raise ValidationFailed([Problem("HEADRACE_SMTP_URL", "It is no address of a mail server.", fix)])
    return parts
