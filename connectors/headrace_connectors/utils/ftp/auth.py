"""Accounts at servers of files: where the server is, and how it is signed in to."""

from headrace_sdk.auth import AuthContext

from headrace_connectors.utils.ftp.servers import Login, login_of, signed_in

type = "apiKey"


async def validate(context: AuthContext) -> bool:
    """Sign in, and look at the first directory."""
    async with signed_in(context.tcp, _login(context)) as server:
        await server.list("")
    return True


def profile(context: AuthContext) -> dict[str, object]:
    """What tells the account from others."""
    login = _login(context)
    return {"protocol": login.protocol, "name": f"{login.username}@{login.host}"}


def name(context: AuthContext) -> str:
    return str(profile(context)["name"])


def _login(context: AuthContext) -> Login:
    return login_of(dict(context))


definition = {
    "auth": {
        "protocol": {
            "type": "select",
            "name": "Protocol",
            "tooltip": "FTP alone sends the password and all files so that everybody on the way can read them.",
            "defaultValue": "ftps",
            "options": [
                {"label": "FTP over TLS (explicit)", "value": "ftps"},
                {"label": "FTP over TLS (implicit)", "value": "ftps-implicit"},
                {"label": "SFTP", "value": "sftp"},
                {"label": "FTP", "value": "ftp"},
            ],
        },
        "host": {"type": "text", "name": "Host", "tooltip": "Name or address of the server."},
        "port": {"type": "text", "name": "Port", "tooltip": "Empty: the usual one.", "required": False},
        "username": {"type": "text", "name": "User name", "tooltip": "As the server knows it."},
        "password": {
            "type": "password",
            "name": "Password",
            "tooltip": "Empty where a private key opens the account.",
            "required": False,
        },
        "privateKey": {
            "type": "textarea",
            "name": "Private key",
            "tooltip": "SFTP: the text of a key file without passphrase.",
            "required": False,
        },
        "hostKey": {
            "type": "text",
            "name": "Host key",
            "tooltip": "SFTP: the server's fingerprint, SHA256:…. When it is wrong, what the server shows is told.",
            "required": False,
        },
        "certificate": {
            "type": "textarea",
            "name": "Certificate",
            "tooltip": "FTP over TLS: of the authority (PEM), where it is none that everybody knows.",
            "required": False,
        },
    },
    "validate": validate,
    "requestProfileInfo": profile,
    "accountNameFromProfileInfo": name,
}
