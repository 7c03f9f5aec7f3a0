"""Personal tokens; and, for administrators, users."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from headrace_cli.api import part
from headrace_cli.failures import Failure, Status
from headrace_cli.opened import AsJson, Opened, ProfileName, Yes, opened, secret

tokens = typer.Typer(help="Tokens for programs, instead of your password.", no_args_is_help=True)
users = typer.Typer(help="Users, for administrators.", no_args_is_help=True)
User = Annotated[str, typer.Argument(metavar="USER", help="The user's id or e-mail address.")]
REMOVAL_SECONDS = 120.0


@tokens.command("ls")
def list_tokens(profile: ProfileName = "", as_json: AsJson = False) -> None:
    """List your tokens, without their secrets.

    Example: headrace token ls
    """
    with opened(profile, as_json) as host:
        found = host.api.get("/user/tokens")
        host.out.rows(("id", "name", "scope", "created", "expiresAt"), found)


@tokens.command("new")
def new_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
    expires: Annotated[str, typer.Option(help="When it ends, such as 2027-01-31T08:30:00Z.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="A role it carries; yours by default.")] = None,
) -> None:
    """Make a token and print its secret, which is shown this once.

    Example: headrace token new ci --expires 2027-01-31T08:30:00Z
    """
    with opened(profile, as_json) as host:
        asked: dict[str, Any] = {"name": name} | ({"expiresAt": expires} if expires else {})
        made = host.api.post("/user/tokens", asked | ({"scope": scope} if scope else {}))
        if as_json:
            host.out.value(made)
            return
        host.out.note(f"{name} is made as {made['id']}. Its secret is shown this once:")
        print(made["token"])


@tokens.command("rm")
def remove_token(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id or name.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
) -> None:
    """End a token.

    Example: headrace token rm ci
    """
    with opened(profile, as_json) as host:
        found = [each for each in host.api.get("/user/tokens") if token in (each["id"], each["name"])]
        if len(found) != 1:
            said = f"{len(found)} tokens are called {token!r}." if found else f"There is no token {token!r}."
            status = Status.USAGE if found else Status.NOT_FOUND
            raise Failure(status, said, "See them: headrace token ls")
        host.api.call("DELETE", f"/user/tokens/{part(found[0]['id'])}")
        host.out.done(f"{token} has ended.", {"id": found[0]["id"]})


@users.command("ls")
def list_users(
    profile: ProfileName = "",
    as_json: AsJson = False,
    pattern: Annotated[str, typer.Option(help="Text that must occur in the address.")] = "",
) -> None:
    """List users.

    Example: headrace user ls --pattern example.org
    """
    with opened(profile, as_json) as host:
        found = [*host.api.pages("/users", **({"pattern": pattern} if pattern else {}))]
        host.out.rows(("id", "email", "scope", "vendor", "created"), found)


@users.command("show")
def show_user(user: User, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Show a user.

    Example: headrace user show ada@example.org
    """
    with opened(profile, as_json) as host:
        host.out.record(_user(host, user))


@users.command("new")
def new_user(
    email: Annotated[str, typer.Argument(help="The e-mail address.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
) -> None:
    """Make a user. The password is asked for, or is the first line of the input.

    Example: headrace user new ada@example.org < password.txt
    """
    with opened(profile, as_json) as host:
        host.api.post("/user", {"email": email, "password": secret("Password")})
        made = _user(host, email)
        host.out.done(f"{email} is made as {made['id']}.", made)


@users.command("set")
def change_user(
    user: User,
    profile: ProfileName = "",
    as_json: AsJson = False,
    scope: Annotated[list[str] | None, typer.Option(help="A role; give all that the user is to have.")] = None,
    vendor: Annotated[list[str] | None, typer.Option(help="A vendor that the user develops for; give all.")] = None,
) -> None:
    """Set a user's roles, or the vendors whose connectors they publish.

    Example: headrace user set ada@example.org --scope user --vendor acme
    """
    with opened(profile, as_json) as host:
        changes = ({"scope": scope} if scope else {}) | ({"vendor": vendor} if vendor else {})
        if not changes:
            raise Failure(Status.USAGE, "What is to change?", "Give --scope or --vendor.")
        user_id = _user(host, user)["id"]
        host.api.call("PUT", f"/users/{part(user_id)}", changes)
        host.out.done(f"{user} is changed.", _user(host, user_id))


@users.command("password")
def set_password(user: User, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Set somebody's password. It is asked for, or is the first line of the input.

    Example: headrace user password ada@example.org < password.txt
    """
    with opened(profile, as_json) as host:
        found = _user(host, user)
        host.api.post("/user/reset-password", {"email": found["email"], "password": secret("Password")})
        host.out.done(f"{found['email']} has another password.", {"id": found["id"]})


@users.command("rm")
def remove_user(user: User, profile: ProfileName = "", as_json: AsJson = False, yes: Yes = False) -> None:
    """Stop a user's flows and remove all that the user has.

    Example: headrace user rm ada@example.org --yes
    """
    with opened(profile, as_json) as host:
        found = _user(host, user)
        if not host.out.is_agreed(f"Remove {found['email']} with all flows, stores and files?", yes=yes):
            raise Failure(Status.FAILED, "Nobody was removed.")
        place = f"/users/{part(found['id'])}"
        ticket = host.api.call("DELETE", place).json()["ticket"]
        with host.out.progress("Removing"):
            path = f"{place}/delete-status/{part(ticket)}"
            told = host.api.until(path, lambda each: each["status"] != "in-progress", REMOVAL_SECONDS)
        if told["status"] != "completed":
            raise Failure(Status.FAILED, f"The removal of {found['email']} is {told['status']}.", "Try again.")
        host.out.done(f"{found['email']} is removed.", {"id": found["id"], **told})


def _user(host: Opened, given: str) -> dict[str, Any]:
    """A user by id or e-mail address. Raises Failure."""
    if "@" not in given:
        found: dict[str, Any] = host.api.get(f"/users/{part(given)}")
        return found
    for each in host.api.pages("/users", pattern=given):
        if given in (each.get("email"), each.get("username")):
            return dict(each)
    raise Failure(Status.NOT_FOUND, f"There is no user {given}.", "See them: headrace user ls")
