"""Users as documents: sign-in names and tokens are part of them, so that each change of a user is one write."""

from typing import Final

from headrace_core import Json
from headrace_runtime.mongo import Document

from headrace_flow_manager import times
from headrace_flow_manager.people.model import Personal, Token, User
from headrace_flow_manager.query import Record
from headrace_flow_manager.stores.mongo_values import packed, unpacked
from headrace_flow_manager.stores.values import shown as shown_instant

USERS: Final = "users"
PERSONAL: Final = "personal"
WITHOUT_TOKENS: Final = {"tokens": 0, PERSONAL: 0}


def of(user: User, password_hash: str) -> Document:
    """The whole document of a new user without tokens."""
    return {
        "_id": user.user_id,
        "username": user.username,
        "plan": user.plan,
        "created_at": times.to_micros(user.created_at),
        "password_hash": password_hash,
        "tokens": [],
        PERSONAL: [],
        "revision": 1,
        **changing(user),
    }


def changing(user: User) -> Document:
    """The fields that a change of a user may touch."""
    return {
        "email": user.email,
        "logins": list(user.logins),
        "active": user.active,
        "scopes": list(user.scopes),
        "vendors": list(user.vendors),
        "metadata": packed(user.metadata or {}),
    }


def token_of(token: Token) -> Document:
    """A token as an element of its user."""
    return {
        "hash": token.token_hash,
        "created_at": times.to_micros(token.created_at),
        "expires_at": times.to_micros(token.expires_at),
        **_of_personal(token.personal),
        **({"impersonator": token.impersonator_id} if token.impersonator_id else {}),
    }


def _of_personal(personal: Personal | None) -> Document:
    if personal is None:
        return {}
    return {"id": personal.token_id, "name": personal.name, "scopes": list(personal.scopes)}


def user(kept: Document) -> User:
    """The user of a document."""
    return User(
        user_id=kept["_id"],
        username=kept["username"],
        email=kept["email"],
        created_at=times.from_micros(kept["created_at"]),
        active=kept["active"],
        scopes=tuple(kept["scopes"]),
        vendors=tuple(kept["vendors"]),
        plan=kept["plan"],
        metadata=unpacked(kept["metadata"]),
    )


def token(kept: Document, of: Document) -> Token:
    """A token of a user's document."""
    return Token(
        token_hash=bytes(of["hash"]),
        user_id=kept["_id"],
        created_at=times.from_micros(of["created_at"]),
        expires_at=times.from_micros(of["expires_at"]),
        personal=Personal(of["id"], of["name"], tuple(of["scopes"])) if "id" in of else None,
        impersonator_id=of.get("impersonator", ""),
    )


def shown(kept: Document) -> tuple[str, Record]:
    """The user's id and public record."""
    scopes: list[Json] = list(kept["scopes"])
    vendors: list[Json] = list(kept["vendors"])
    return kept["_id"], {
        "id": kept["_id"],
        "username": kept["username"],
        "email": kept["email"],
        "isActive": kept["active"],
        "scope": scopes,
        "vendor": vendors[0] if len(vendors) == 1 else vendors,
        "plan": kept["plan"],
        "metadata": unpacked(kept["metadata"]),
        "created": shown_instant(kept["created_at"]),
    }
