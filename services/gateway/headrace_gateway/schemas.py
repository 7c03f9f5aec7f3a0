"""JSON schemas of what goes in and out: shown in the reference, and requests are checked against them."""

from headrace_core import Json

from headrace_gateway.routing import Parameter, Schema

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
FREE_OBJECT: Schema = {"type": "object"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
_LONG_TEXT: Schema = {"type": "string", "maxLength": 1024}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def an_object(properties: dict[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """An object with at least these properties; others are let through."""
    described: dict[str, Json] = dict(properties)
    schema: Schema = {"type": "object", "properties": described}
    return {**schema, "required": list(required)} if required else schema


PASSWORD: Schema = {"type": "string", "minLength": 1, "maxLength": 1024}
NEW_PASSWORD: Schema = {"type": "string", "minLength": 8, "maxLength": 1024}
NAME_LIST: Schema = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 100}, "maxItems": 100}

CHART_FIELDS: dict[str, Schema] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 255},
    "index": {"type": "number"},
    "type": {"type": "string", "enum": ["bar", "line", "scatter", "area", "pie"]},
    "options": FREE_OBJECT,
    "query": FREE_OBJECT,
    "traces": {"type": "object", "additionalProperties": {"type": "object"}, "maxProperties": 50},
}

COMPONENTS: dict[str, Schema] = {
    "Error": an_object(
        {
            "statusCode": WHOLE,
            "error": TEXT,
            "message": TEXT,
            "code": TEXT,
            "requestId": TEXT,
            "problems": array_of(ref("Problem")),
        },
        required=("statusCode", "error", "message", "code", "requestId"),
    ),
    "Problem": an_object(
        {"where": TEXT, "message": TEXT, "fix": TEXT, "node": TEXT, "port": TEXT, "field": TEXT},
        required=("where", "message"),
    ),
    "User": an_object(
        {
            "id": TEXT,
            "username": TEXT,
            "email": TEXT,
            "isActive": YES_NO,
            "scope": array_of(TEXT),
            "plan": TEXT,
            "vendor": {"type": ["string", "array"], "items": TEXT},
            "metadata": FREE_OBJECT,
            "created": MOMENT,
        }
    ),
    "Departure": an_object(
        {
            "status": {"type": "string", "enum": ["in-progress", "completed", "failed", "cancelled"]},
            "stepsDone": WHOLE,
            "stepsTotal": WHOLE,
            "error": TEXT,
        }
    ),
    "Alias": an_object(
        {"id": TEXT, "alias": TEXT, "flowId": TEXT, "componentId": TEXT, "userId": TEXT, "mtime": MOMENT}
    ),
    "AccessRule": an_object(
        {"role": TEXT, "resource": TEXT, "action": array_of(TEXT), "attributes": array_of(TEXT)},
        required=("role", "resource", "action"),
    ),
    "Act": an_object(
        {
            "actId": TEXT,
            "at": MOMENT,
            "actorId": TEXT,
            "actor": TEXT,
            "address": TEXT,
            "requestId": TEXT,
            "action": TEXT,
            "summary": TEXT,
            "target": TEXT,
            "tenantId": {"type": ["string", "null"]},
            "before": ANYTHING,
            "given": ANYTHING,
            "after": ANYTHING,
            "status": {"type": ["integer", "null"]},
            "endedAt": MOMENT,
        },
        required=("actId", "at", "actorId", "action"),
    ),
    "PersonalToken": an_object(
        {"id": TEXT, "name": TEXT, "scope": array_of(TEXT), "created": MOMENT, "expiresAt": MOMENT}
    ),
    "Group": an_object(
        {
            "groupId": TEXT,
            "name": TEXT,
            "description": TEXT,
            "members": array_of(TEXT),
            "created": MOMENT,
            "mtime": MOMENT,
            "revision": WHOLE,
        },
        required=("groupId", "name", "members", "revision"),
    ),
    "Flow": an_object(
        {
            "flowId": TEXT,
            "userId": TEXT,
            "name": TEXT,
            "description": TEXT,
            "type": TEXT,
            "stage": {"type": "string", "enum": ["stopped", "starting", "running", "stopping"]},
            "flow": FREE_OBJECT,
            "customFields": FREE_OBJECT,
            "btime": MOMENT,
            "mtime": MOMENT,
            "started": MOMENT,
            "stopped": MOMENT,
            "version": WHOLE,
            "runningVersion": {"type": ["integer", "null"]},
            "revision": WHOLE,
        }
    ),
    "FlowChanges": an_object(
        {
            "flowId": TEXT,
            "name": {"type": ["string", "null"]},
            "description": {"type": ["string", "null"]},
            "type": {"type": ["string", "null"]},
            "flow": FREE_OBJECT,
            "customFields": {"type": ["object", "null"]},
            "logger": {"type": ["object", "null"]},
            "thumbnail": {"type": ["string", "null"]},
            "svg": {"type": ["string", "null"]},
            "sharedWith": {"type": ["array", "null"], "items": ANYTHING},
        }
    ),
    "FlowVersion": an_object({"version": WHOLE, "label": TEXT, "name": TEXT, "flow": FREE_OBJECT, "btime": MOMENT}),
    "Store": an_object({"storeId": TEXT, "name": TEXT, "userId": TEXT, "registered": MOMENT}),
    "Record": an_object(
        {
            "key": TEXT,
            "storeId": TEXT,
            "userId": TEXT,
            "value": ANYTHING,
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
        }
    ),
    "File": an_object(
        {
            "fileId": TEXT,
            "filename": TEXT,
            "length": WHOLE,
            "chunkSize": WHOLE,
            "uploadDate": MOMENT,
            "sha256": TEXT,
            "contentType": TEXT,
            "metadata": FREE_OBJECT,
        }
    ),
    "Chart": an_object(
        {
            "chartId": TEXT,
            "userId": TEXT,
            **CHART_FIELDS,
            "revision": WHOLE,
            "created": MOMENT,
            "mtime": MOMENT,
        }
    ),
    "Task": an_object(
        {
            "taskId": TEXT,
            "title": TEXT,
            "description": TEXT,
            "status": {"type": "string", "enum": ["pending", "approved", "rejected", "due"]},
            "approver": TEXT,
            "requester": TEXT,
            "decisionBy": MOMENT,
            "decisionMade": MOMENT,
            "created": MOMENT,
            "mtime": MOMENT,
            "revision": WHOLE,
            "isApprover": YES_NO,
        },
        required=("taskId", "title", "status", "approver", "requester", "revision"),
    ),
    "LogPage": an_object(
        {"hits": array_of(FREE_OBJECT), "buckets": array_of(FREE_OBJECT), "total": WHOLE, "aggregations": FREE_OBJECT},
    ),
    "Run": an_object(
        {
            "runId": TEXT,
            "flowId": TEXT,
            "flowVersion": WHOLE,
            "triggerId": TEXT,
            "correlationId": TEXT,
            "state": TEXT,
            "stepCount": WHOLE,
            "created": MOMENT,
            "updated": MOMENT,
            "due": MOMENT,
            "error": {"type": ["string", "null"]},
            "waits": array_of(FREE_OBJECT),
        }
    ),
    "RunWithSteps": {
        "allOf": [ref("Run"), an_object({"steps": array_of(FREE_OBJECT), "waits": array_of(FREE_OBJECT)})]
    },
    "SystemWebhook": an_object(
        {
            "id": TEXT,
            "url": TEXT,
            "events": array_of(TEXT),
            "description": TEXT,
            "users": array_of(TEXT),
            "active": YES_NO,
            "isConfigured": YES_NO,
            "mtime": MOMENT,
            "changedBy": {"type": ["string", "null"]},
        }
    ),
    "WebhookDelivery": an_object(
        {
            "id": {**TEXT, "description": "What the receiver sees as `webhook-id`."},
            "webhookId": TEXT,
            "event": TEXT,
            "userId": {"type": ["string", "null"]},
            "at": MOMENT,
            "state": {"type": "string", "enum": ["pending", "delivered", "failed"]},
            "nextTry": MOMENT,
            "attempts": WHOLE,
            "status": {"type": ["integer", "null"], "description": "Of the last answer."},
            "answer": {"type": ["string", "null"], "description": "Its first 1,000 characters."},
            "error": {"type": ["string", "null"]},
            "created": MOMENT,
            "ended": MOMENT,
            "body": FREE_OBJECT,
        }
    ),
    "Unprocessed": an_object(
        {
            "messageId": TEXT,
            "flowId": TEXT,
            "componentId": TEXT,
            "runId": TEXT,
            "messages": FREE_OBJECT,
            "err": FREE_OBJECT,
            "attempts": WHOLE,
            "created": MOMENT,
            "isCut": {**YES_NO, "description": "True where a long list leaves `messages` and `err` out: read it."},
        }
    ),
    "Account": an_object(
        {
            "accountId": TEXT,
            "tokenId": TEXT,
            "userId": TEXT,
            "service": TEXT,
            "type": {"type": "string", "enum": ["apiKey", "pwd", "oauth", "oauth2"]},
            "name": TEXT,
            "displayName": {"type": ["string", "null"]},
            "label": TEXT,
            "profileInfo": FREE_OBJECT,
            "icon": {"type": ["string", "null"]},
            "scope": array_of(TEXT),
            "state": {"type": "string", "enum": ["valid", "invalid"]},
            "accessTokenValid": YES_NO,
            "reason": {"type": ["string", "null"]},
            "expires": MOMENT,
            "created": MOMENT,
            "mtime": MOMENT,
            "sharedWith": array_of(FREE_OBJECT),
        },
    ),
    "Accepted": an_object({"runId": TEXT, "flowId": TEXT, "duplicate": YES_NO}, required=("runId",)),
    "Count": an_object({"count": WHOLE}, required=("count",)),
}

LIST_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "filter",
        "name:value, repeatable, also as filter[]. The value may begin with ! (not; alone: empty), ~ (RE2), > or <.",
        array_of(TEXT),
    ),
    Parameter("pattern", "Text that must occur in the name."),
    Parameter("sort", "name:1 or name:-1, repeatable.", array_of(TEXT)),
    Parameter("offset", "Items to pass over.", {"type": "integer", "minimum": 0, "default": 0}),
    Parameter("limit", "Items to return at most.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
)
PROJECTION = Parameter("projection", "Fields to show (a,b) or to leave out (-a,-b).")
ALL_TENANTS = Parameter("allTenants", "true reads across tenants; for administrators.", YES_NO)
ON_BEHALF_OF = Parameter(
    "onBehalfOf", "The id of the user whose this is, for administrators who act for them. It stands in the audit trail."
)
PAGE_PARAMETERS: tuple[Parameter, ...] = LIST_PARAMETERS[3:]
