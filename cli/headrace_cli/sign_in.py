"""Signing in to hosts, and which of them is meant."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated

import typer

from headrace_cli.api import Api
from headrace_cli.failures import Failure, Status
from headrace_cli.opened import AsJson, ProfileName, failing, opened, secret
from headrace_cli.profiles import DEFAULT, DEFAULT_URL, Profile, Profiles

profiles = typer.Typer(help="Hosts that you use, by name.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The profile.")]


def login(
    url: Annotated[str, typer.Argument(help="The host.")] = "",
    email: Annotated[str, typer.Option(help="Who you are there.")] = "",
    profile: ProfileName = "",
    by_token: Annotated[bool, typer.Option("--token", help="Read a token instead of a password.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in to a host, and use it from now on. The password is asked for, or is the first line of the input.

    Examples:

        headrace login http://127.0.0.1:2200 --email admin@headrace.local

        headrace login https://flows.example.org --profile work --token < token.txt
    """
    with failing(as_json) as out:
        kept = Profiles(os.environ)
        name = profile or (DEFAULT if url else kept.current)
        known = {each.name: each for each in kept.all()}.get(name, Profile(name, DEFAULT_URL))
        address = (url or os.environ.get("HEADRACE_URL") or known.url).rstrip("/")
        who = email or known.email
        if not by_token and not who:
            raise Failure(Status.USAGE, "Who are you there?", "Give --email, or --token for a token.")
        given = secret("Token" if by_token else "Password")
        token = given if by_token else _token(address, who, given)
        with Api(address, token) as api:
            user = api.get("/user")
        kept.keep(Profile(name, address, str(user["email"])), token)
        out.done(f"Signed in to {address} as {user['email']}.", {"profile": name, "url": address, "user": user})


def logout(profile: ProfileName = "", as_json: AsJson = False) -> None:
    """End the token that you signed in with, and forget it.

    Example: headrace logout --profile work
    """
    with opened(profile, as_json) as host:
        # A token that has ended by itself is no reason to stay.
        with contextlib.suppress(Failure):
            host.api.post("/user/sign-out")
        Profiles(os.environ).forget_token(host.profile.name)
        host.out.done(f"Signed out of {host.profile.url}.", {"profile": host.profile.name, "url": host.profile.url})


def whoami(profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Show who is signed in, and where.

    Example: headrace whoami --json
    """
    with opened(profile, as_json) as host:
        user = host.api.get("/user")
        shown = {"email": user["email"], "id": user["id"], "scope": user.get("scope"), "vendor": user.get("vendor")}
        host.out.record({"profile": host.profile.name, "url": host.profile.url, **shown})


@profiles.command("ls")
def list_profiles(as_json: AsJson = False) -> None:
    """List the profiles.

    Example: headrace profile ls
    """
    with failing(as_json) as out:
        kept = Profiles(os.environ)
        rows = [
            {
                "name": each.name,
                "url": each.url,
                "email": each.email,
                "current": each.name == kept.current,
                "signed in": bool(kept.token(each.name)),
            }
            for each in kept.all()
        ]
        out.rows(("name", "url", "email", "current", "signed in"), rows)


@profiles.command("use")
def use_profile(name: Name, as_json: AsJson = False) -> None:
    """Use a profile where none is named.

    Example: headrace profile use work
    """
    with failing(as_json) as out:
        Profiles(os.environ).use(name)
        out.done(f"Commands go to {name} from now on.", {"profile": name})


@profiles.command("rm")
def remove_profile(name: Name, as_json: AsJson = False) -> None:
    """Forget a profile and its token. The token stays good: sign out first to end it.

    Example: headrace profile rm work
    """
    with failing(as_json) as out:
        Profiles(os.environ).forget(name)
        out.done(f"{name} is forgotten.", {"profile": name})


def _token(url: str, email: str, password: str) -> str:
    with Api(url, "") as api:
        try:
            return str(api.post("/user/auth", {"email": email, "password": password})["token"])
        except Failure as failure:
            if failure.status in (Status.NOT_SIGNED_IN, Status.FORBIDDEN):
                said = f"{url} does not let {email} in with this password."
                raise Failure(Status.NOT_SIGNED_IN, said, "Check both, and the URL.") from None
            raise
