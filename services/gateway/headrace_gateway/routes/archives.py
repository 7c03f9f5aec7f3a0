"""Everything a tenant owns, out and in again."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import unquote

import orjson
from headrace_core import Json, errors
from starlette.responses import Response, StreamingResponse

from headrace_gateway.archives import layout, sealing, verdicts
from headrace_gateway.archives.desk import Patience, spooled
from headrace_gateway.archives.exporting import Export, Wanted
from headrace_gateway.archives.importing import bring_back
from headrace_gateway.archives.reading import Archive, open_archive
from headrace_gateway.archives.work import Terms, Work
from headrace_gateway.bodies import media_type, too_large
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import UnsupportedMedia, one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.routing import Answer, Limit, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import FREE_OBJECT, TEXT, YES_NO, an_object, array_of


async def export_all(call: Call) -> Response:
    given = await call.object_or_empty()
    include = given.get("include")
    kinds = [str(each) for each in include] if isinstance(include, list) else [*layout.OWNED]
    if layout.INSTALLATION in kinds and not call.caller.is_admin:
        raise errors.Forbidden("What belongs to the installation is exported by administrators.")
    scope = await _scope(call, str(given.get("userId", "")))
    wanted = Wanted(scope, kinds, str(given.get("passPhrase", "")))
    pieces = _pieces(call, wanted)
    first = await anext(pieces)
    now = call.clock.now()
    headers = {"Content-Disposition": f'attachment; filename="headrace-{now:%Y%m%d-%H%M%S}.zip"'}
    return StreamingResponse(_rest(first, pieces), headers=headers, media_type=layout.MEDIA_TYPE)


async def import_all(call: Call) -> Response:
    scope = await _scope(call, call.text("userId"))
    dry_run, on_conflict = call.flag("dryRun"), _policy(call)
    pass_phrase = unquote(call.header("pass-phrase"))
    if media_type(call.header("content-type")) not in {"", layout.MEDIA_TYPE, "application/octet-stream"}:
        raise UnsupportedMedia("Send the archive itself, as application/octet-stream or application/zip.")
    limit = call.settings.import_bytes
    declared = call.header("content-length")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    patience = Patience(limit, call.settings.body_timeout.total_seconds())
    with call.gateway.archives.importing():
        async with spooled(call.request.receive, patience) as file:
            archive = await open_archive(file, limit * layout.MAX_EXPANSION)
            terms = Terms(
                scope=scope,
                on_conflict=on_conflict,
                dry_run=dry_run,
                is_admin=call.caller.is_admin,
                may_use=lambda descriptor: call.gateway.guard.check_flow(call.caller, descriptor),
                is_free_path=call.gateway.aliases.is_free,
            )
            secrets = await _secrets(call, archive, pass_phrase)
            report = await bring_back(Work(call.clients, archive, secrets, terms))
    if not dry_run:
        call.gateway.aliases.forget()
        call.gateway.guard.forget()
        call.gateway.origins.forget()
    return answer({"dryRun": dry_run, "onConflict": on_conflict, **report.shown()})


async def _scope(call: Call, user_id: str) -> Scope:
    """Whose things: the caller's, or for administrators anybody's. Raises Forbidden and NotFound."""
    if user_id in ("", call.caller.user_id):
        return call.scope
    if not call.caller.is_admin:
        raise errors.Forbidden("Only administrators export and import for others.")
    user = await call.clients.people.get(user_id)
    return Scope(str(user["id"]), call.caller.user_id)


async def _pieces(call: Call, wanted: Wanted) -> AsyncIterator[bytes]:
    export = Export(call.clients, call.gateway.archives.sealer, wanted, call.clock.now())
    with call.gateway.archives.exporting():
        async for piece in export.pieces():
            yield piece


async def _rest(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The first piece, made before the answer began so that what is wrong at once has a status, and the others."""
    async with aclosing(pieces):  # type: ignore[type-var] # a generator
        yield first
        async for piece in pieces:
            yield piece


def _policy(call: Call) -> verdicts.OnConflict:
    given = call.text("onConflict", "skip")
    for policy in verdicts.POLICIES:
        if policy == given:
            return policy
    raise one_problem("onConflict", f"{given[:40]!r} is none.", f"Give one of {', '.join(verdicts.POLICIES)}.")


async def _secrets(call: Call, archive: Archive, pass_phrase: str) -> list[dict[str, Json]] | None:
    """The secrets of the archive, opened; None where there are none or no pass phrase was given. Raises Forbidden."""
    how = archive.manifest.secrets
    if how is None or not pass_phrase:
        return None
    sealed, bound = archive.secrets(), archive.manifest_bytes
    plain = orjson.loads(await call.gateway.archives.sealer.unseal(sealed, pass_phrase, how, bound))
    return [each for each in plain if isinstance(each, dict)] if isinstance(plain, list) else []


_BINARY: Schema = {"type": "string", "format": "binary"}
_USER = Parameter("userId", "Whose; administrators name anybody, others themselves at most.")
_VERDICTS: Schema = {
    "type": "string",
    "enum": ["created", "renamed", "replaced", "completed", "unchanged", "skipped", "failed", "leftOut"],
}
_ITEM = an_object(
    {"kind": TEXT, "id": TEXT, "verdict": _VERDICTS, "newId": TEXT, "name": TEXT, "why": TEXT, "records": FREE_OBJECT},
    required=("kind", "id", "verdict"),
)

ROUTES = (
    Route(
        method="POST",
        path="/export",
        handler=export_all,
        policy=Policy.USER,
        tag="Archives",
        summary="Export everything one owns",
        description=(
            "A zip of JSON lines and contents with a manifest of sums: flows with their versions, data stores with "
            "their records, charts, aliases, files and settings. Tokens, runs and logs are not in it. Administrators "
            "may name a user, and include `installation`: modifiers, access rules, origins and, under the pass phrase, "
            "configuration. Secrets are sealed under the pass phrase, and left out without one; the manifest says so."
        ),
        request=an_object(
            {
                "passPhrase": {
                    "type": "string",
                    "minLength": sealing.MIN_PASS_PHRASE,
                    "maxLength": sealing.MAX_PASS_PHRASE,
                },
                "include": {
                    "type": "array",
                    "items": {"type": "string", "enum": [*layout.KINDS]},
                    "minItems": 1,
                    "maxItems": len(layout.KINDS),
                },
                "userId": {"type": "string", "maxLength": 64},
            }
        ),
        answers=(Answer(200, "The archive.", _BINARY, layout.MEDIA_TYPE),),
        errors=(400, 404),
    ),
    Route(
        method="POST",
        path="/import",
        handler=import_all,
        policy=Policy.USER,
        tag="Archives",
        summary="Import an archive",
        description=(
            "Every byte is checked before anything is written. What is here already and says the same stays as it is, "
            "so importing again changes nothing, and finishes what was interrupted; nothing is deleted. Things keep "
            "their ids; one whose id somebody else has gets another, and links follow. Flows come in stopped."
        ),
        parameters=(
            Parameter("dryRun", "true says what would become of each thing, and writes nothing.", YES_NO),
            Parameter(
                "onConflict",
                "What becomes of what is here and differs: it stays, is replaced, or the other comes beside it.",
                {"type": "string", "enum": [*verdicts.POLICIES], "default": "skip"},
            ),
            _USER,
            Parameter("pass-phrase", "What the secrets were sealed under, percent-encoded.", TEXT, place="header"),
        ),
        request=_BINARY,
        request_media_type="application/octet-stream",
        answers=(
            Answer(
                200,
                "What became of each thing, the new ids by the old ones, and which flows ran where they come from.",
                an_object(
                    {
                        "dryRun": YES_NO,
                        "onConflict": TEXT,
                        "counts": FREE_OBJECT,
                        "ids": FREE_OBJECT,
                        "wereRunning": array_of(TEXT),
                        "secrets": {"type": "string", "enum": ["none", "imported", "leftOut"]},
                        "items": array_of(_ITEM),
                    },
                    required=("dryRun", "counts", "ids", "secrets", "items"),
                ),
            ),
        ),
        errors=(400, 403, 404),
        limit=Limit.IMPORT,
    ),
)
