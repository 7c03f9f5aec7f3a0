"""File the result of a test."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_list, as_object, as_text, parse_json


class ProcessE2EResults(Component):
    """Stores what After All sent under the name of the test, among the passed or the failed ones and nowhere else.

    Headrace has no mail service: what a recipient should know goes to the log.
    """

    async def receive(self, context: Context) -> None:
        content = as_object(context.content)
        test_case, result = _text(content, "testCase"), content.get("result")
        problem = _problem_of(parse_json(result, "The result"))
        passed, failed = _store(context, "successStoreId"), _store(context, "failedStoreId")
        here, elsewhere = (failed, passed) if problem else (passed, failed)
        await context.store.set(here, test_case, result)
        await context.store.remove(elsewhere, test_case)
        if problem:
            context.log(_report(test_case, problem, as_text(content.get("recipients"))), "error")


def _problem_of(result: Json) -> str:
    """What went wrong, in one sentence; nothing when the test passed."""
    if isinstance(result, dict) and result.get("message") == "timed out":
        links = ", ".join(as_text(link) for link in as_list(result.get("timedOutLinks")))
        return f"It timed out waiting for {links}."
    asserts = [each for each in as_list(result) if isinstance(each, dict) and each.get("componentId")]
    errors = [as_text(error) for each in asserts for error in as_list(each.get("error"))]
    return f"{len(errors)} checks failed: {'; '.join(errors)}." if errors else ""


def _report(test_case: str, problem: str, recipients: str) -> JsonObject:
    return {"testCase": test_case, "problem": problem, "recipients": recipients, "mailed": False}


def _text(content: JsonObject, name: str) -> str:
    text = as_text(content.get(name)).strip()
    if not text:
        raise CancelError(f"The field {name} is empty: fill it in.")
    return text


def _store(context: Context, name: str) -> str:
    store_id = as_text(context.properties.get(name))
    if not store_id:
        raise CancelError(f"No data store is chosen for {name}: choose one.")
    return store_id
