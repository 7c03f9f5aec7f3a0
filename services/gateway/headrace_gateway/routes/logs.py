"""The log, for people to search."""

from dataclasses import replace

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.clients.logs import LogQuery
from headrace_gateway.errors import one_problem
from headrace_gateway.queries import SortKey
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import ALL_TENANTS, FREE_OBJECT, TEXT, YES_NO, array_of, ref

_MAX_LIST = 100


async def find_records(call: Call) -> Response:
    found = await call.clients.logs.find(call.reading_scope, _log_query(call))
    found.pop("aggregations")
    return answer(found)


async def find_records_by_post(call: Call) -> Response:
    given = await call.object_or_empty()
    if len(given) > 1:
        raise one_problem("aggregations", "It is there twice.", "Give either aggs or aggregations.")
    asked = replace(_log_query(call), aggregations=given.get("aggs", given.get("aggregations")))
    return answer(await call.clients.logs.find(call.reading_scope, asked))


async def get_record(call: Call) -> Response:
    return answer(await call.clients.logs.get(call.reading_scope, call.value("id")))


def _log_query(call: Call) -> LogQuery:
    port_type = call.text("portType")
    if port_type not in {"", "in", "out"}:
        raise one_problem("portType", f"{port_type[:40]!r} is no kind of port.", "Give in or out.")
    return LogQuery(
        query=call.text("query"),
        flow_ids=_listed(call, "flowId"),
        port_type=port_type,
        size=call.number("size", 50, minimum=0, maximum=1000),
        offset=call.number("from", 0),
        sort=[_sort_key(text) for text in _listed(call, "sort")],
        includes=_listed(call, "includes"),
        excludes=_listed(call, "excludes"),
        search_after=[_key_value(text) for text in call.parameters.get("searchAfter", [])],
        trace=call.flag("trace"),
    )


def _listed(call: Call, name: str) -> list[str]:
    """The values of a repeatable parameter, which may also hold several with commas between."""
    texts = [*call.parameters.get(name, []), *call.parameters.get(f"{name}[]", [])]
    names = [part for text in texts for part in text.split(",") if part]
    if len(names) > _MAX_LIST:
        raise one_problem(name, f"At most {_MAX_LIST} values are taken.")
    return names


def _sort_key(text: str) -> SortKey:
    field, _, direction = text.partition(":")
    if not field or direction.lower() not in {"", "asc", "desc"}:
        raise one_problem("sort", f"{text[:100]!r} is no order.", "Write field or field:desc.")
    return SortKey(field, direction.lower() == "desc")


def _key_value(text: str) -> Json:
    """A value of the last record, as the URL has it; null is of a record that lacks the field."""
    return None if text == "null" else text


_PARAMETERS = (
    Parameter("query", "Query in the Lucene subset, for instance severity:error AND gridTimestamp:[a TO b]."),
    Parameter("flowId", "Only of these flows; repeatable.", array_of(TEXT)),
    Parameter("portType", "in or out.", {"type": "string", "enum": ["in", "out"]}),
    Parameter("size", "Records to return at most.", {"type": "integer", "maximum": 1000, "default": 50}),
    Parameter("from", "Records to pass over.", {"type": "integer", "default": 0}),
    Parameter("sort", "field or field:desc; repeatable.", array_of(TEXT)),
    Parameter("includes", "Fields to return; repeatable.", array_of(TEXT)),
    Parameter("excludes", "Fields to leave out; repeatable.", array_of(TEXT)),
    Parameter("searchAfter", "Sort values of the last record seen; repeatable.", array_of(TEXT)),
    Parameter("trace", "true also returns trace records.", YES_NO),
    ALL_TENANTS,
)

_AGGREGATIONS: Schema = {
    "type": "object",
    "properties": {"aggs": {"type": "object"}, "aggregations": {"type": "object"}},
    "additionalProperties": False,
}

ROUTES = (
    Route(
        method="GET",
        path="/logs",
        handler=find_records,
        policy=Policy.USER,
        tag="Logs",
        summary="Search the log",
        parameters=_PARAMETERS,
        answers=(Answer(200, "Records and a histogram.", ref("LogPage")),),
        errors=(400, 403),
    ),
    Route(
        method="POST",
        path="/logs",
        handler=find_records_by_post,
        policy=Policy.USER,
        tag="Logs",
        summary="Search the log, by POST",
        description="As GET, and aggregations of everything that matches, in Elasticsearch's syntax: terms, histogram, "
        "date_histogram, range, filter and filters, each with others inside, and avg, sum, min, max, value_count, "
        "cardinality and percentiles. They are exact, over at most 100,000 records.",
        parameters=_PARAMETERS,
        request=_AGGREGATIONS,
        answers=(Answer(200, "Records, a histogram and what was aggregated.", ref("LogPage")),),
        errors=(400, 403),
    ),
    *(
        Route(
            method="GET",
            path=path,
            handler=get_record,
            policy=Policy.USER,
            tag="Logs",
            summary="Read a log record",
            parameters=(ALL_TENANTS,),
            answers=(Answer(200, "The record.", FREE_OBJECT),),
            errors=(403, 404),
        )
        for path in ("/log/{index}/{id}", "/logs/{index}/{id}")
    ),
)
