"""Mail goes out by a real server, and what the server says is told in words of the house."""

import pytest
from headrace_core.errors import BadRequest, Unavailable, ValidationFailed
from headrace_runtime.mail import MailSettings, SmtpMail, open_mail

from tests.mailbox import open_mailbox


async def test_a_mail_arrives_as_it_was_written() -> None:
    async with open_mailbox() as mailbox:
        mail = SmtpMail(MailSettings(url=mailbox.url, sender="us@example.com"))

        await mail.send("ann@example.com", "Grüße", "Line one\n.\näöü\n")

        letter = mailbox.letters.get_nowait()
        assert (letter["From"], letter["To"], letter["Subject"]) == ("us@example.com", "ann@example.com", "Grüße")
        assert letter.get_content().replace("\r\n", "\n") == "Line one\n.\näöü\n"


async def test_no_header_comes_in_by_an_address() -> None:
    async with open_mailbox() as mailbox:
        with pytest.raises(BadRequest):
            await SmtpMail(MailSettings(url=mailbox.url)).send("a@b.c\nBcc: x@y.z", "s", "t")

        assert mailbox.letters.empty()


async def test_a_refusal_is_for_good_and_an_absence_is_not() -> None:
    async with open_mailbox() as mailbox:
        mail = SmtpMail(MailSettings(url=mailbox.url))
        mailbox.refuses = True
        with pytest.raises(BadRequest):
            await mail.send("a@b.c", "s", "t")

    with pytest.raises(Unavailable):
        await mail.send("a@b.c", "s", "t")


@pytest.mark.parametrize("url", ["mailbox", "http://a:25", "smtp://", "smtp://a:0", "smtp://a:port"])
def test_an_address_of_a_server_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ValidationFailed, match="HEADRACE_SMTP_URL"):
        SmtpMail(MailSettings(url=url))


def test_without_a_server_there_is_no_mail() -> None:
    assert open_mail(MailSettings()) is None
