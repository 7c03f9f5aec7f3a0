"""Every method of the house: which services may call it, and whether asking twice does no more than asking once.

Asking again is safe where a method only reads, where the request carries an id that the servicer knows again (event,
record, timer, activation, holder, request), or where it names an end state. Only those are repeated after
UNAVAILABLE: what became of the first call is then unknown. A method that is missing here is called by nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OPERATOR = "operator"
"""Who holds a certificate of this name may call everything: people with `headrace rpc`."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row: `callers` are names of services."""

    callers: frozenset[str]
    is_repeatable: bool


def _rows(service: str, callers: str, *, again: str = "", once: str = "") -> dict[str, Method]:
    who = frozenset(callers.split())
    rows = {f"/{service}/{name}": Method(who, True) for name in again.split()}
    return rows | {f"/{service}/{name}": Method(who, False) for name in once.split()}


METHODS: Mapping[str, Method] = {
    **_rows(
        "headrace.flow.v1.FlowService",
        "gateway",
        again="GetFlow GetFlowUse ListFlows StartFlow ValidateFlow ListFlowVersions GetFlowVersion LabelFlowVersion"
        " PinFlow",
        once="CreateFlow UpdateFlow DeleteFlow CloneFlow RestoreFlowVersion",
    ),
    **_rows("headrace.flow.v1.FlowService", "gateway executor", again="StopFlow"),
    **_rows("headrace.flow.v1.FlowService", "executor", again="ListActiveFlows"),
    **_rows("headrace.flow.v1.FlowService", "gateway executor", again="ResolveFlow"),
    **_rows(
        "headrace.integration.v1.IntegrationService",
        "gateway",
        again="GetIntegrationWork PublishDraft PreviewUpdate",
        once="UpdateInstances DeleteIntegration",
    ),
    **_rows(
        "headrace.people.v1.PeopleService",
        "gateway",
        again="SignOut SignOutEverywhere Authenticate GetUser ListUsers ListPersonalTokens DeleteUser GetDeparture",
        once="SignUp SignIn SignInAs UpdateUser ChangePassword ResetPassword CreatePersonalToken RevokePersonalToken"
        " ForgetPassword RedeemCode",
    ),
    **_rows("headrace.people.v1.PeopleService", "", once="EnsureAdministrator"),
    **_rows(
        "headrace.catalog.v1.CatalogService",
        "gateway",
        again="ListComponents ListApps ListBundles ListUsers WritePublication SubmitPublication GetPublication"
        " ReadComponents",
        once="OpenPublication RemoveComponents",
    ),
    **_rows("headrace.catalog.v1.CatalogService", "gateway executor", again="GetComponent"),
    **_rows("headrace.catalog.v1.CatalogService", "executor", again="GetBundle FindPlugins"),
    **_rows(
        "headrace.store.v1.StoreService",
        "gateway executor",
        again="GetStore ListStores GetRecord PutRecord ListRecords Listen Unlisten",
        once="CreateStore RenameStore DeleteStore MoveRecord DeleteRecords",
    ),
    **_rows(
        "headrace.file.v1.FileService",
        "gateway executor",
        again="WriteFile GetFile ReadFile ListFiles",
        once="OpenFile FinishFile DeleteFile",
    ),
    **_rows("headrace.file.v1.FileService", "gateway", once="DeleteFiles"),
    **_rows("headrace.setting.v1.SettingService", "gateway executor", again="GetModifiers"),
    **_rows("headrace.setting.v1.SettingService", "gateway", again="PutModifiers DeleteModifiers"),
    **_rows(
        "headrace.setting.v1.SettingService",
        "gateway",
        again="GetAccessRules PutAccessRules ListServiceConfigs GetServiceConfig PutServiceConfig ListConfig PutConfig"
        " ListOrigins PutOrigins PreviewAccessRules",
        once="DeleteServiceConfig DeleteConfig DeleteOrigins",
    ),
    **_rows("headrace.setting.v1.SettingService", "gateway", again="ListQuotas", once="PutQuota ResetQuota"),
    **_rows("headrace.setting.v1.SettingService", "gateway executor", again="GetQuota"),
    **_rows(
        "headrace.alias.v1.AliasService",
        "gateway",
        again="UpdateAlias GetAlias ListAliases ResolveAlias",
        once="CreateAlias DeleteAlias",
    ),
    **_rows(
        "headrace.hook.v1.HookService",
        "gateway",
        again="ListHooks GetHook UpdateHook ListDeliveries GetDelivery",
        once="CreateHook RenewSecret DeleteHook TestHook DeliverAgain",
    ),
    **_rows("headrace.hook.v1.HookService", "executor", again="Announce"),
    **_rows(
        "headrace.chart.v1.ChartService",
        "gateway",
        again="GetChart ListCharts",
        once="CreateChart UpdateChart DeleteChart",
    ),
    **_rows(
        "headrace.group.v1.GroupService",
        "gateway",
        again="GetGroup ListGroups JoinGroup LeaveGroup",
        once="CreateGroup UpdateGroup DeleteGroup",
    ),
    **_rows("headrace.process.v1.ProcessService", "gateway", again="DescribeProcess HoldProcess"),
    **_rows("headrace.audit.v1.AuditService", "gateway", again="BeginAct EndAct ListActs ExportActs GetAct"),
    **_rows(
        "headrace.task.v1.TaskService",
        "gateway",
        again="ListTasks",
        once="UpdateTask DeleteTask AddTaskHook RemoveTaskHook",
    ),
    **_rows("headrace.task.v1.TaskService", "gateway executor", again="GetTask", once="CreateTask DecideTask"),
    **_rows("headrace.task.v1.TaskService", "executor", once="MailTask"),
    **_rows(
        "headrace.account.v1.AccountService",
        "gateway",
        again="GetAccount ListAccounts GetComponentAccount RenameAccount ShareAccount TestAccount ListAccountUses"
        " ListFlowAccounts AssignAccount UnassignAccount DescribeAuth GetTicket",
        once="CreateAccount DeleteAccount OpenTicket BeginConnection EnterConnection FillConnection FinishConnection",
    ),
    **_rows("headrace.account.v1.AccountService", "executor", again="GetCredentials ReportRejected ListStandings"),
    **_rows("headrace.execution.v1.ExecutionService", "gateway flow-manager", again="Accept"),
    **_rows(
        "headrace.execution.v1.ExecutionService", "flow-manager", again="DescribeAuthModule", once="CallAuthModule"
    ),
    **_rows("headrace.execution.v1.ExecutionService", "scheduler", again="FireTimers RestoreTimers"),
    **_rows(
        "headrace.execution.v1.ExecutionService",
        "flow-manager",
        again="ActivateFlow DeactivateFlow ForgetFlow ForgetTenant RefreshPlugin",
    ),
    **_rows("headrace.execution.v1.ExecutionService", "gateway flow-manager", again="ListRuns CancelRun"),
    **_rows(
        "headrace.execution.v1.ExecutionService",
        "gateway",
        again="GetRun MigrateRuns ListUnprocessed GetUnprocessed CountMessages Watch SurveyRuns",
        once="DeleteUnprocessed RetryUnprocessed SettleUnprocessed DecideStep ReplayRun TryFlow CallComponent"
        " RunModifier CallPlugin",
    ),
    **_rows(
        "headrace.schedule.v1.ScheduleService",
        "executor",
        again="PutTimers RemoveTimers AcquireLock ExtendLock ReleaseLock AcquireQuota ReportQuotaRefusal",
    ),
    **_rows("headrace.schedule.v1.ScheduleService", "executor gateway", again="ListTimers"),
    **_rows(
        "headrace.runner.v1.RunnerService",
        "executor",
        again="DescribeComponent DescribeFolder ScheduleNode TransformValue CancelCall Beat",
        once="AcceptListener CallAuth CallRoute Invoke InvokeBatch RunJob",
    ),
    **_rows("headrace.runner.v1.HostService", "runner", again="ReportReady", once="Ask"),
    **_rows("headrace.log.v1.LogService", "executor flow-manager", again="WriteRecords"),
    **_rows("headrace.log.v1.LogService", "flow-manager", again="ForgetTenant"),
    **_rows("headrace.log.v1.LogService", "gateway", again="QueryRecords GetRecord Tail"),
}


def may_call(caller: str, method: str) -> bool:
    """Whether the service of this name may call the method."""
    found = METHODS.get(method)
    return caller == OPERATOR or (found is not None and caller in found.callers)


def repeatable() -> list[dict[str, str]]:
    """The methods that may be asked again, as gRPC's service config names them."""
    names = [path.strip("/").split("/") for path, method in METHODS.items() if method.is_repeatable]
    return [{"service": service, "method": name} for service, name in names]
