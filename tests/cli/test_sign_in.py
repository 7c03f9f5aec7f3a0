"""Signing in, profiles, tokens, and how commands end."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from headrace_cli.failures import Status
from headrace_cli.profiles import Profile, Profiles

from tests.servers.places import free_port
from tests.system.process import PASSWORD, Client

from .shell import Shell


def test_whoever_signs_in_is_known_until_they_sign_out(newcomer: Shell) -> None:
    said = newcomer.run("login", newcomer.url, "--email", newcomer.email, given=f"{PASSWORD}\n")
    known = newcomer.json("whoami")
    token = json.loads((newcomer.home / "config" / "headrace" / "tokens.json").read_text())["default"]
    newcomer.run("logout")
    unknown = newcomer.run("whoami", status=Status.NOT_SIGNED_IN)

    assert f"Signed in to {newcomer.url} as {newcomer.email}." in said and PASSWORD not in said
    assert (known["email"], known["url"], known["scope"]) == (newcomer.email, newcomer.url, ["user"])
    assert "headrace login" in unknown
    client = Client(newcomer.client.port, {"Authorization": f"Bearer {token}"})
    assert client.get("/user").status_code == 401


def test_tokens_are_kept_where_nobody_else_reads_them(shell: Shell) -> None:
    folder = shell.home / "config" / "headrace"

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}

    assert modes == {"profiles.json": 0o600, "tokens.json": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_wrong_password_is_refused_and_nothing_is_kept(newcomer: Shell) -> None:
    said = newcomer.run("login", newcomer.url, "--email", newcomer.email, given="not it\n", status=Status.NOT_SIGNED_IN)

    assert newcomer.email in said and "not it" not in said
    assert not (newcomer.home / "config").exists()


def test_a_host_that_does_not_answer_is_status_6_and_one_line_says_which(newcomer: Shell) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    said = newcomer.run("login", url, "--email", "a@b.c", given="x\n", status=Status.UNAVAILABLE)
    told = newcomer.end("whoami", "--json", HEADRACE_URL=url)

    assert url in said and "headrace up" in said
    assert json.loads(told.stderr)["error"]["status"] == told.returncode == Status.UNAVAILABLE


def test_profiles_keep_several_hosts_apart(shell: Shell) -> None:
    secret = shell.run("token", "new", "other").splitlines()[0]

    shell.run("login", shell.url, "--profile", "work", "--token", given=f"{secret}\n")
    both = shell.json("profile", "ls")
    shell.run("profile", "use", "default")
    current = shell.json("whoami")
    named = shell.json("whoami", "--profile", "work")
    shell.run("profile", "rm", "work")
    missing = shell.run("whoami", "-p", "work", status=Status.NOT_FOUND)

    assert [(each["name"], each["current"], each["signed in"]) for each in both] == [
        ("default", False, True),
        ("work", True, True),
    ]
    assert (current["profile"], named["profile"]) == ("default", "work")
    assert "headrace login" in missing


def test_a_token_of_the_environment_goes_before_what_is_kept(newcomer: Shell) -> None:
    token = newcomer.client.headers["Authorization"].removeprefix("Bearer ")

    known = newcomer.json("whoami", HEADRACE_URL=newcomer.url, HEADRACE_TOKEN=token)

    assert known["email"] == newcomer.email


def test_a_kept_token_is_not_sent_to_another_host_than_its_own(shell: Shell) -> None:
    said = shell.run("whoami", HEADRACE_URL=shell.url.replace("127.0.0.1", "localhost"), status=Status.NOT_SIGNED_IN)

    assert "headrace login" in said


def test_personal_tokens_are_made_listed_and_ended(shell: Shell) -> None:
    made = shell.json("token", "new", "ci", "--expires", "2100-01-31T08:30:00Z")
    listed = shell.json("token", "ls")
    client = Client(shell.client.port, {"Authorization": f"Bearer {made['token']}"})
    before = client.get("/user").status_code
    shell.run("token", "rm", "ci")

    assert [(each["name"], each.get("token")) for each in listed] == [("ci", None)]
    assert (before, client.get("/user").status_code) == (200, 401)
    assert shell.json("token", "ls") == []
    shell.run("token", "rm", "ci", status=Status.NOT_FOUND)


def test_administrators_make_change_and_remove_users(admin: Shell) -> None:
    email = "ada.lovelace@example.org"

    made = admin.json("user", "new", email, given=f"{PASSWORD}\n")
    changed = admin.json("user", "set", email, "--scope", "user", "--vendor", "acme")
    admin.run("user", "password", email, given="another password\n")
    listed = admin.json("user", "ls", "--pattern", "lovelace")
    shown = admin.run("user", "show", made["id"])
    signed_in = Client(admin.client.port).post("/user/auth", json={"email": email, "password": "another password"})
    refused = admin.run("user", "rm", email, status=Status.USAGE)
    admin.run("user", "rm", email, "--yes")

    assert [each["email"] for each in listed] == [email] and email in shown
    assert changed["vendor"] == "acme"
    assert signed_in.status_code == 200
    assert "--yes" in refused
    admin.run("user", "show", email, status=Status.NOT_FOUND)


def test_whoever_is_no_administrator_is_told_so_with_status_7(shell: Shell) -> None:
    assert "administrator" in shell.run("user", "ls", status=Status.FORBIDDEN).lower()


def test_a_profile_file_that_is_broken_is_named(newcomer: Shell) -> None:
    file = newcomer.home / "config" / "headrace" / "profiles.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")

    assert str(file) in newcomer.run("whoami", status=Status.FAILED)


def test_profiles_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    kept = Profiles({"XDG_CONFIG_HOME": str(tmp_path)})

    kept.keep(Profile("one", "http://one", "a@b.c"), "token")

    assert (kept.current, kept.token("one"), kept.get("one").url) == ("one", "token", "http://one")
    assert {each.name for each in (tmp_path / "headrace").iterdir()} == {"profiles.json", "tokens.json"}
