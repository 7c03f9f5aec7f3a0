"""Who forgot the password gets a code by mail, once, and nobody learns whose addresses these are."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.people.v1 import people_service_pb2 as pb
from headrace_core.errors import RateLimited, Unauthenticated, Unsupported, ValidationFailed
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_runtime.mail import MailSettings, SmtpMail

from tests.contracts.flow_manager import OpenStores
from tests.mailbox import Mailbox, open_mailbox

from .house import House, open_house
from .test_people import sign_in, sign_up, whose

NEW = "battery staple"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with open_mailbox() as opened:
        yield opened


@pytest.fixture
async def mailing(open_stores: OpenStores, tmp_path: Path, mailbox: Mailbox) -> AsyncIterator[House]:
    """A flow manager that sends mail."""
    mail = SmtpMail(MailSettings(url=mailbox.url))
    settings = FlowManagerSettings(attempts_per_login=3, reset_url="https://app.example.com/reset?code={code}")
    async with open_stores(tmp_path) as stores, open_house(stores, settings, mail=mail) as house:
        await house.app.start()
        yield house


async def ask(house: House, email: str) -> None:
    await house.people.ForgetPassword(pb.ForgetPasswordRequest(email=email, address="192.0.2.1"))


async def redeem(house: House, code: str, password: str = NEW) -> Any:
    return await house.people.RedeemCode(pb.RedeemCodeRequest(code=code, password=password, address="192.0.2.1"))


async def code_in(mailbox: Mailbox) -> str:
    async with asyncio.timeout(10):
        letter = await mailbox.letters.get()
    found = re.search(r"https://app\.example\.com/reset\?code=(\S+)", letter.get_content())
    assert found is not None and letter["To"] == "ann@example.com"
    return found[1]


async def test_a_code_that_was_mailed_sets_a_new_password_once(mailing: House, mailbox: Mailbox) -> None:
    ann = await sign_up(mailing, "ann", "ann@example.com")
    await ask(mailing, "Ann@Example.com")
    code = await code_in(mailbox)

    with pytest.raises(ValidationFailed):
        await redeem(mailing, code, "short")
    assert (await redeem(mailing, code)).user_id == ann.user.user_id

    assert (await sign_in(mailing, password=NEW)).user == ann.user
    for attempt in (sign_in(mailing), whose(mailing, ann.token), redeem(mailing, code)):
        with pytest.raises(Unauthenticated):
            await attempt


async def test_a_code_lasts_an_hour_and_the_newest_alone_counts(mailing: House, mailbox: Mailbox) -> None:
    await sign_up(mailing, "ann", "ann@example.com")
    codes = []
    for _ in range(2):
        await ask(mailing, "ann@example.com")
        codes.append(await code_in(mailbox))

    with pytest.raises(Unauthenticated):
        await redeem(mailing, codes[0])
    mailing.clock.advance(timedelta(hours=1).total_seconds())
    with pytest.raises(Unauthenticated):
        await redeem(mailing, codes[1])


async def test_an_address_that_is_nobodys_is_answered_the_same_and_gets_no_mail(
    mailing: House, mailbox: Mailbox
) -> None:
    await sign_up(mailing, "ann", "ann@example.com")

    await ask(mailing, "nobody@example.com")
    await ask(mailing, "ann")  # a name to sign in with is no address
    await ask(mailing, "ann@example.com")

    await code_in(mailbox)  # mails go out in order: the first is the one to ann
    assert mailbox.letters.empty()


async def test_asking_too_often_is_refused_whosever_address_it_is(mailing: House) -> None:
    await sign_up(mailing, "ann", "ann@example.com")
    for email in ("ann@example.com", "nobody@example.com"):
        for _ in range(3):
            await ask(mailing, email)
        with pytest.raises(RateLimited):
            await ask(mailing, email)


async def test_a_mail_that_is_refused_stops_no_other(mailing: House, mailbox: Mailbox) -> None:
    await sign_up(mailing, "bob", "bob@example.com")
    await sign_up(mailing, "ann", "ann@example.com")
    mailbox.refuses = True
    await ask(mailing, "bob@example.com")
    async with asyncio.timeout(10):
        await mailbox.refused.wait()
    mailbox.refuses = False

    await ask(mailing, "ann@example.com")

    await code_in(mailbox)


async def test_without_a_mail_server_it_is_said_that_none_is_set_up(house: House) -> None:
    with pytest.raises(Unsupported, match="HEADRACE_SMTP_URL"):
        await ask(house, "ann@example.com")
