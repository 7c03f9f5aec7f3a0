"""How much is going on: messages that components took, flows that run, apps that are used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.executions import DayCount
from headrace_gateway.clients.wire import iso
from headrace_gateway.errors import one_problem
from headrace_gateway.identity import Scope
from headrace_gateway.routing import Answer, Parameter, Policy, Route
from headrace_gateway.schemas import MOMENT, TEXT, WHOLE, an_object, array_of

USUAL = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days in UTC, the last one included."""

    first: date
    last: date

    @property
    def begin(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last, time(23, 59, 59, 999_000), UTC)


async def show_own(call: Call) -> Response:
    days = _days(call)
    counts = await call.clients.executions.message_counts(call.scope, first=days.begin, last=days.end)
    use = await call.clients.flows.use(call.scope)
    messages: dict[str, Json] = {
        "from": iso(days.begin),
        "to": iso(days.end),
        "count": sum(each.count for each in counts),
        "userId": call.caller.user_id,
    }
    return answer(
        {
            "messageCounts": messages,
            "runningFlows": {"count": use.running_flows},
            "activeConnectors": {"count": len(use.running_apps)},
            "usedApps": list(use.used_apps),
        }
    )


async def show_messages(call: Call) -> Response:
    days, user_id, me = _days(call), call.text("userId"), call.caller.user_id
    if user_id:
        await call.clients.people.get(user_id)
    scope = Scope(user_id, me) if user_id else Scope(me, me, all_tenants=True)
    counts = await call.clients.executions.message_counts(scope, first=days.begin, last=days.end)
    stats: list[Json] = [{"date": each.day.isoformat(), "count": each.count, "size": each.size} for each in counts]
    return answer({**_totals(counts), "stats": stats})


async def show_flow(call: Call) -> Response:
    caller, flow_id = call.caller, call.value("id")
    scope = Scope(caller.user_id, caller.user_id, all_tenants=True) if caller.is_admin else call.scope
    flow = await call.clients.flows.get(scope, flow_id)
    if flow["userId"] != caller.user_id and not caller.is_admin:
        raise errors.Forbidden("What a flow does is counted for its owner.")
    first, last = queries.moment(call.parameters, "from"), queries.moment(call.parameters, "to")
    _check_order(first, last)
    return answer(_totals(await call.clients.executions.message_counts(scope, flow_id=flow_id, first=first, last=last)))


def _totals(counts: Sequence[DayCount]) -> dict[str, Json]:
    return {"totalCount": sum(each.count for each in counts), "totalSize": sum(each.size for each in counts)}


def _days(call: Call) -> Days:
    """The days that are asked for; the last thirty where nothing is said."""
    last = queries.moment(call.parameters, "to") or call.clock.now()
    first = queries.moment(call.parameters, "from") or max(last - USUAL, queries.EPOCH)
    _check_order(first, last)
    return Days(first.date(), last.date())


def _check_order(first: datetime | None, last: datetime | None) -> None:
    if first is not None and last is not None and first > last:
        raise one_problem("from", f"It is {iso(first)}, and to is {iso(last)}.", "Let from be before to.")


_FROM = Parameter("from", "First day, in UTC: a date, a time or milliseconds since 1970. 30 days before `to` else.")
_TO = Parameter("to", "Last day, in UTC, whole. Today else.")
_TOTALS = {"totalCount": WHOLE, "totalSize": WHOLE}
_COUNT = an_object({"count": WHOLE}, required=("count",))

ROUTES = (
    Route(
        method="GET",
        path="/telemetry",
        handler=show_own,
        policy=Policy.USER,
        tag="Telemetry",
        summary="What is going on in your flows",
        description="A message is what one component took in at once; it counts when the step is on record, once, "
        "whatever is logged. Days are whole, in UTC. `usedApps` are the ids of apps in all flows, `activeConnectors` "
        "how many of them are in flows that run.",
        parameters=(_FROM, _TO),
        answers=(
            Answer(
                200,
                "The counts.",
                an_object(
                    {
                        "messageCounts": an_object({"from": MOMENT, "to": MOMENT, "count": WHOLE, "userId": TEXT}),
                        "runningFlows": _COUNT,
                        "activeConnectors": _COUNT,
                        "usedApps": array_of(TEXT),
                    },
                    required=("messageCounts", "runningFlows", "activeConnectors", "usedApps"),
                ),
            ),
        ),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/telemetry/messages",
        handler=show_messages,
        policy=Policy.ADMIN,
        tag="Telemetry",
        summary="Messages by day",
        description="Of one user or of everybody. `size` is bytes of content, as compact JSON.",
        parameters=(Parameter("userId", "Only this user's; everybody's else."), _FROM, _TO),
        answers=(
            Answer(
                200,
                "Days that have messages, earliest first, and their sums.",
                an_object(
                    {**_TOTALS, "stats": array_of(an_object({"date": TEXT, "count": WHOLE, "size": WHOLE}))},
                    required=("totalCount", "totalSize", "stats"),
                ),
            ),
        ),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/telemetry/flows/{id}",
        handler=show_flow,
        policy=Policy.USER,
        tag="Telemetry",
        summary="Messages of a flow",
        description="For its owner and administrators; since the flow was made where no days are named.",
        parameters=(
            Parameter("from", "First day, in UTC; the flow's first else."),
            Parameter("to", "Last day, in UTC; today else."),
        ),
        answers=(Answer(200, "The sums.", an_object({**_TOTALS}, required=("totalCount", "totalSize"))),),
        errors=(400, 403, 404),
    ),
)
