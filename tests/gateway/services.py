"""Small services behind the gateway, in memory, answering the same contracts as the real ones."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from headrace.account.v1 import account_service_pb2 as account_pb
from headrace.account.v1 import account_service_pb2_grpc as account_rpc
from headrace.alias.v1 import alias_service_pb2 as alias
from headrace.alias.v1 import alias_service_pb2_grpc as alias_rpc
from headrace.audit.v1 import audit_service_pb2 as audit
from headrace.audit.v1 import audit_service_pb2_grpc as audit_rpc
from headrace.catalog.v1 import catalog_service_pb2 as catalog
from headrace.catalog.v1 import catalog_service_pb2_grpc as catalog_rpc
from headrace.chart.v1 import chart_service_pb2 as chart
from headrace.chart.v1 import chart_service_pb2_grpc as chart_rpc
from headrace.execution.v1 import execution_pb2 as execution
from headrace.execution.v1 import execution_service_pb2 as executions
from headrace.execution.v1 import execution_service_pb2_grpc as execution_rpc
from headrace.file.v1 import file_service_pb2 as files
from headrace.file.v1 import file_service_pb2_grpc as file_rpc
from headrace.flow.v1 import flow_pb2 as flow
from headrace.flow.v1 import flow_service_pb2 as flows
from headrace.flow.v1 import flow_service_pb2_grpc as flow_rpc
from headrace.group.v1 import group_service_pb2 as group
from headrace.group.v1 import group_service_pb2_grpc as group_rpc
from headrace.integration.v1 import integration_service_pb2 as integrations
from headrace.integration.v1 import integration_service_pb2_grpc as integration_rpc
from headrace.log.v1 import log_service_pb2 as log
from headrace.log.v1 import log_service_pb2_grpc as log_rpc
from headrace.people.v1 import people_pb2 as people
from headrace.people.v1 import people_service_pb2 as peoples
from headrace.people.v1 import people_service_pb2_grpc as people_rpc
from headrace.query.v1 import query_pb2
from headrace.schedule.v1 import schedule_service_pb2 as schedule
from headrace.schedule.v1 import schedule_service_pb2_grpc as schedule_rpc
from headrace.setting.v1 import setting_service_pb2 as settings
from headrace.setting.v1 import setting_service_pb2_grpc as setting_rpc
from headrace.store.v1 import store_service_pb2 as stores
from headrace.store.v1 import store_service_pb2_grpc as store_rpc
from headrace.task.v1 import task_service_pb2 as task
from headrace.task.v1 import task_service_pb2_grpc as task_rpc
from headrace_core import errors, ids
from headrace_runtime.rpc import LocalServer

USER = people.User(
    user_id="a" * 24, username="ann", email="ann@example.com", active=True, scopes=["user"], metadata=b"{}"
)
OTHER = people.User(user_id="b" * 24, username="bob", active=True, scopes=["user"], metadata=b"{}")
ADMIN = people.User(
    user_id="c" * 24, username="ada", active=True, scopes=["user", "admin"], vendors=["acme"], metadata=b"{}"
)


@dataclass
class People(people_rpc.PeopleServiceServicer):
    """Three people with fixed tokens; the password of each is `password`."""

    tokens: dict[str, people.User] = field(
        default_factory=lambda: {"user-token": USER, "other-token": OTHER, "admin-token": ADMIN}
    )
    users: dict[str, people.User] = field(default_factory=lambda: {each.user_id: each for each in (USER, OTHER, ADMIN)})
    asked: int = 0
    personal: dict[str, dict[str, people.PersonalToken]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    queries: list[query_pb2.ListQuery] = field(default_factory=list)

    async def Authenticate(self, request: peoples.AuthenticateRequest, context: object) -> peoples.AuthenticateResponse:
        self.asked += 1
        if request.token not in self.tokens:
            raise errors.Unauthenticated()
        return peoples.AuthenticateResponse(user=self.tokens[request.token])

    async def SignIn(self, request: peoples.SignInRequest, context: object) -> peoples.SignInResponse:
        self.addresses.append(request.address)
        for user in self.users.values():
            if request.login in (user.email, user.username) and request.password == "password":
                return peoples.SignInResponse(user=user, token=f"{user.username}-fresh")
        raise errors.Unauthenticated()

    async def SignUp(self, request: peoples.SignUpRequest, context: object) -> peoples.SignUpResponse:
        name = request.username or request.email
        if any(name == user.username for user in self.users.values()):
            raise errors.AlreadyExists(f"The name {name} is taken.")
        user = people.User(user_id=ids.new_user_id(), username=name, email=request.email, active=True)
        self.users[user.user_id] = user
        return peoples.SignUpResponse(user=user, token="new-token")

    async def SignOut(self, request: peoples.SignOutRequest, context: object) -> peoples.SignOutResponse:
        self.tokens.pop(request.token, None)
        return peoples.SignOutResponse()

    async def SignOutEverywhere(
        self, request: peoples.SignOutEverywhereRequest, context: object
    ) -> peoples.SignOutEverywhereResponse:
        ended = [token for token, user in self.tokens.items() if user.user_id == request.user_id]
        for token in ended:
            del self.tokens[token]
        return peoples.SignOutEverywhereResponse(ended=len(ended))

    async def GetUser(self, request: peoples.GetUserRequest, context: object) -> peoples.GetUserResponse:
        if request.user_id not in self.users:
            raise errors.NotFound("user", request.user_id)
        return peoples.GetUserResponse(user=self.users[request.user_id])

    async def ListUsers(self, request: peoples.ListUsersRequest, context: object) -> peoples.ListUsersResponse:
        self.queries.append(request.query)
        return peoples.ListUsersResponse(users=self.users.values(), total=len(self.users))

    async def UpdateUser(self, request: peoples.UpdateUserRequest, context: object) -> peoples.UpdateUserResponse:
        user = people.User()
        asked = peoples.GetUserRequest(user_id=request.user_id)
        user.CopyFrom((await self.GetUser(asked, context)).user)
        if request.replace_scopes:
            del user.scopes[:]
            user.scopes.extend(request.scopes)
        if request.replace_vendors:
            del user.vendors[:]
            user.vendors.extend(request.vendors)
        if request.HasField("metadata"):
            user.metadata = request.metadata
        self.users[user.user_id] = user
        return peoples.UpdateUserResponse(user=user)

    async def ChangePassword(
        self, request: peoples.ChangePasswordRequest, context: object
    ) -> peoples.ChangePasswordResponse:
        if request.old_password != "password":
            raise errors.Unauthenticated()
        return peoples.ChangePasswordResponse()

    async def CreatePersonalToken(
        self, request: peoples.CreatePersonalTokenRequest, context: object
    ) -> peoples.CreatePersonalTokenResponse:
        made = people.PersonalToken(token_id=ids.new_id(), name=request.name, scopes=request.scopes)
        self.personal.setdefault(request.user_id, {})[made.token_id] = made
        return peoples.CreatePersonalTokenResponse(token=made, secret="secret")

    async def ListPersonalTokens(
        self, request: peoples.ListPersonalTokensRequest, context: object
    ) -> peoples.ListPersonalTokensResponse:
        return peoples.ListPersonalTokensResponse(tokens=self.personal.get(request.user_id, {}).values())

    async def RevokePersonalToken(
        self, request: peoples.RevokePersonalTokenRequest, context: object
    ) -> peoples.RevokePersonalTokenResponse:
        if self.personal.get(request.user_id, {}).pop(request.token_id, None) is None:
            raise errors.NotFound("token", request.token_id)
        return peoples.RevokePersonalTokenResponse()

    async def ForgetPassword(
        self, request: peoples.ForgetPasswordRequest, context: object
    ) -> peoples.ForgetPasswordResponse:
        raise errors.Unsupported("No mail goes out.")

    async def RedeemCode(self, request: peoples.RedeemCodeRequest, context: object) -> peoples.RedeemCodeResponse:
        raise errors.Unauthenticated("The code is unknown.")

    async def DeleteUser(self, request: peoples.DeleteUserRequest, context: object) -> peoples.DeleteUserResponse:
        await self.GetUser(peoples.GetUserRequest(user_id=request.user_id), context)
        return peoples.DeleteUserResponse(departure=people.Departure(ticket="t", user_id=request.user_id))

    async def GetDeparture(self, request: peoples.GetDepartureRequest, context: object) -> peoples.GetDepartureResponse:
        raise errors.NotFound("ticket", request.ticket)

    async def ResetPassword(
        self, request: peoples.ResetPasswordRequest, context: object
    ) -> peoples.ResetPasswordResponse:
        if not any(request.login in (user.email, user.username) for user in self.users.values()):
            raise errors.NotFound("user", request.login)
        return peoples.ResetPasswordResponse()


@dataclass
class Flows(flow_rpc.FlowServiceServicer):
    """Flows of all tenants by (tenant, id), and their versions by id, oldest first."""

    kept: dict[tuple[str, str], flow.Flow] = field(default_factory=dict)
    versions: dict[str, list[flow.FlowVersion]] = field(default_factory=dict)
    queries: list[query_pb2.ListQuery] = field(default_factory=list)
    clones: list[flows.CloneFlowRequest] = field(default_factory=list)
    failure: Exception | None = None

    def _get(self, request: Any) -> flow.Flow:
        if self.failure is not None:
            raise self.failure
        found = self.kept.get((request.scope.tenant_id, request.flow_id))
        if found is None and request.scope.all_tenants:
            found = next((each for (_, name), each in self.kept.items() if name == request.flow_id), None)
        if found is None:
            raise errors.NotFound("flow", request.flow_id)
        return found

    def _keep_version(self, kept: flow.Flow) -> None:
        descriptor = orjson.dumps(orjson.loads(kept.record).get("flow", {}))
        version = flow.FlowVersion(flow_id=kept.flow_id, version=kept.version, descriptor_json=descriptor)
        self.versions.setdefault(kept.flow_id, []).append(version)

    def _version(self, request: Any) -> flow.FlowVersion:
        versions = self.versions[self._get(request).flow_id]
        if request.version > len(versions):
            raise errors.NotFound("flow version", str(request.version))
        return versions[(request.version or len(versions)) - 1]

    async def CreateFlow(self, request: flows.CreateFlowRequest, context: object) -> flows.CreateFlowResponse:
        made = flow.Flow(
            flow_id=request.flow_id or ids.new_id(),
            tenant_id=request.scope.tenant_id,
            stage=flow.FLOW_STAGE_STOPPED,
            version=1,
            revision=1,
            record=request.record,
        )
        made.created_at.GetCurrentTime()
        self.kept[made.tenant_id, made.flow_id] = made
        self._keep_version(made)
        return flows.CreateFlowResponse(flow=made)

    async def PinFlow(self, request: flows.PinFlowRequest, context: object) -> flows.PinFlowResponse:
        return flows.PinFlowResponse(flow=self._get(request))

    async def GetFlow(self, request: flows.GetFlowRequest, context: object) -> flows.GetFlowResponse:
        return flows.GetFlowResponse(flow=self._get(request))

    async def ResolveFlow(self, request: flows.ResolveFlowRequest, context: object) -> flows.ResolveFlowResponse:
        found = next((each for each in self.kept.items() if each[0][1] == request.flow_id), None)
        if found is None:
            raise errors.NotFound("flow", request.flow_id)
        return flows.ResolveFlowResponse(tenant_id=found[0][0], version=self.versions[request.flow_id][-1])

    async def GetFlowUse(self, request: flows.GetFlowUseRequest, context: object) -> flows.GetFlowUseResponse:
        return flows.GetFlowUseResponse(
            running_flows=1, running_apps=["headrace.utils.http"], used_apps=["acme.crm", "headrace.utils.http"]
        )

    async def ListFlows(self, request: flows.ListFlowsRequest, context: object) -> flows.ListFlowsResponse:
        self.queries.append(request.query)
        mine = [
            each
            for (tenant, _), each in self.kept.items()
            if request.scope.all_tenants or tenant == request.scope.tenant_id
        ]
        return flows.ListFlowsResponse(flows=[] if request.count_only else mine, total=len(mine))

    async def UpdateFlow(self, request: flows.UpdateFlowRequest, context: object) -> flows.UpdateFlowResponse:
        key = (request.scope.tenant_id, request.flow_id)
        if key not in self.kept and request.create_if_missing:
            create = flows.CreateFlowRequest(scope=request.scope, flow_id=request.flow_id, record=request.changes)
            made = await self.CreateFlow(create, context)
            return flows.UpdateFlowResponse(flow=made.flow, created=True)
        changed = flow.Flow()
        changed.CopyFrom(self._get(request))
        if request.expected_revision not in (0, changed.revision):
            raise errors.RevisionConflict("Somebody saved in between. Read the flow again.")
        if changed.stage == flow.FLOW_STAGE_RUNNING and not request.force:
            raise errors.Conflict("The flow runs. Stop it, or force the change.")
        changed.record = orjson.dumps({**orjson.loads(changed.record), **orjson.loads(request.changes)})
        changed.revision += 1
        if b'"flow"' in request.changes:
            changed.version += 1
            self._keep_version(changed)
        self.kept[key] = changed
        return flows.UpdateFlowResponse(flow=changed)

    async def DeleteFlow(self, request: flows.DeleteFlowRequest, context: object) -> flows.DeleteFlowResponse:
        found = self._get(request)
        if request.expected_revision not in (0, found.revision):
            raise errors.RevisionConflict("Somebody saved in between. Read the flow again.")
        del self.kept[found.tenant_id, found.flow_id]
        return flows.DeleteFlowResponse()

    async def CloneFlow(self, request: flows.CloneFlowRequest, context: object) -> flows.CloneFlowResponse:
        found = self._get(request)
        self.clones.append(request)
        record = orjson.loads(found.record)
        record["name"] = request.prefix + record.get("name", "")
        kept = {name: value for name, value in record.items() if name not in request.without}
        kept = {name: value for name, value in kept.items() if not request.only or name in request.only}
        create = flows.CreateFlowRequest(scope=request.scope, record=orjson.dumps(kept))
        return flows.CloneFlowResponse(flow=(await self.CreateFlow(create, context)).flow)

    async def StartFlow(self, request: flows.StartFlowRequest, context: object) -> flows.StartFlowResponse:
        found = self._get(request)
        if b'"broken"' in found.record:
            problem = errors.Problem("flow.broken.type", "There is no such type.", node="broken", field="type")
            raise errors.ValidationFailed([problem])
        found.stage = flow.FLOW_STAGE_STARTING if request.background else flow.FLOW_STAGE_RUNNING
        found.transition_id = ids.new_id()
        return flows.StartFlowResponse(flow=found)

    async def StopFlow(self, request: flows.StopFlowRequest, context: object) -> flows.StopFlowResponse:
        found = self._get(request)
        found.stage = flow.FLOW_STAGE_STOPPED
        return flows.StopFlowResponse(flow=found)

    async def ValidateFlow(self, request: flows.ValidateFlowRequest, context: object) -> flows.ValidateFlowResponse:
        self._get(request)
        return flows.ValidateFlowResponse(
            problems=[
                flow.Problem(where="flow.x", message="No.", node_id="x"),
                flow.Problem(where="flow.y", message="Hm.", warning=True),
            ]
        )

    async def ListFlowVersions(
        self, request: flows.ListFlowVersionsRequest, context: object
    ) -> flows.ListFlowVersionsResponse:
        versions = self.versions[self._get(request).flow_id]
        page = versions[::-1][request.offset :][: request.limit]
        return flows.ListFlowVersionsResponse(versions=page, total=len(versions))

    async def GetFlowVersion(
        self, request: flows.GetFlowVersionRequest, context: object
    ) -> flows.GetFlowVersionResponse:
        return flows.GetFlowVersionResponse(version=self._version(request))

    async def LabelFlowVersion(
        self, request: flows.LabelFlowVersionRequest, context: object
    ) -> flows.LabelFlowVersionResponse:
        version = self._version(request)
        if request.only_if_unlabelled and version.label not in ("", request.label):
            raise errors.Conflict("It has another label.")
        version.label = request.label
        return flows.LabelFlowVersionResponse(version=version)

    async def RestoreFlowVersion(
        self, request: flows.RestoreFlowVersionRequest, context: object
    ) -> flows.RestoreFlowVersionResponse:
        changes = orjson.dumps({"flow": orjson.loads(self._version(request).descriptor_json)})
        update = flows.UpdateFlowRequest(
            scope=request.scope,
            flow_id=request.flow_id,
            changes=changes,
            force=request.force,
            expected_revision=request.expected_revision,
        )
        return flows.RestoreFlowVersionResponse(flow=(await self.UpdateFlow(update, context)).flow)


@dataclass
class Integrations(integration_rpc.IntegrationServiceServicer):
    """Notes orders; the work of the ticket `ticket` failed at one of three."""

    ordered: list[Any] = field(default_factory=list)

    async def UpdateInstances(
        self, request: integrations.UpdateInstancesRequest, context: object
    ) -> integrations.UpdateInstancesResponse:
        self.ordered.append(request)
        return integrations.UpdateInstancesResponse(work=integrations.IntegrationWork(ticket="ticket"))

    async def PreviewUpdate(
        self, request: integrations.PreviewUpdateRequest, context: object
    ) -> integrations.PreviewUpdateResponse:
        self.ordered.append(request)
        change = integrations.ComponentUpdate(
            component_id="mail", type="acme.mail.Send", change=integrations.COMPONENT_CHANGE_CHANGED, kept=["config/to"]
        )
        running = flow.FLOW_STAGE_RUNNING
        broken = integrations.InstanceUpdate(flow_id="g", stage=running, template_version=1, error="it does not fit")
        same = integrations.InstanceUpdate(flow_id="h", template_version=2, components=[change])
        grown = integrations.InstanceUpdate(flow_id="i", template_version=1, links_added=1)
        return integrations.PreviewUpdateResponse(version=2, instances=[broken, same, grown], total=3)

    async def DeleteIntegration(
        self, request: integrations.DeleteIntegrationRequest, context: object
    ) -> integrations.DeleteIntegrationResponse:
        self.ordered.append(request)
        return integrations.DeleteIntegrationResponse(work=integrations.IntegrationWork(ticket="ticket"))

    async def PublishDraft(
        self, request: integrations.PublishDraftRequest, context: object
    ) -> integrations.PublishDraftResponse:
        if request.flow_id != "draft":
            raise errors.NotFound("flow", request.flow_id)
        is_first = not any(isinstance(each, integrations.PublishDraftRequest) for each in self.ordered)
        self.ordered.append(request)
        template = flow.Flow(flow_id="template", version=1, revision=1, record=b"{}")
        return integrations.PublishDraftResponse(template=template, created=is_first, changed=is_first)

    async def GetIntegrationWork(
        self, request: integrations.GetIntegrationWorkRequest, context: object
    ) -> integrations.GetIntegrationWorkResponse:
        if request.ticket != "ticket":
            raise errors.NotFound("ticket", request.ticket)
        work = integrations.IntegrationWork(
            ticket="ticket",
            flow_id="f",
            state=integrations.WORK_STATE_FAILED,
            steps_total=3,
            steps_done=3,
            steps_failed=1,
            steps_waiting=1,
            error="g: it does not fit",
        )
        return integrations.GetIntegrationWorkResponse(work=work)


@dataclass
class Catalog(catalog_rpc.CatalogServiceServicer):
    """One component at first, one app, one bundle."""

    manifests: dict[str, bytes] = field(default_factory=lambda: {"headrace.utils.http.Webhook": b'{"name": "Webhook"}'})

    async def ListComponents(
        self, request: catalog.ListComponentsRequest, context: object
    ) -> catalog.ListComponentsResponse:
        found = {name: each for name, each in self.manifests.items() if name.startswith(request.selector)}
        components = [catalog.Component(type=name, manifest=each) for name, each in found.items()]
        return catalog.ListComponentsResponse(components=components)

    async def GetComponent(self, request: catalog.GetComponentRequest, context: object) -> catalog.GetComponentResponse:
        raise errors.NotFound("component", request.type)

    async def ListApps(self, request: catalog.ListAppsRequest, context: object) -> catalog.ListAppsResponse:
        return catalog.ListAppsResponse(
            apps=[catalog.App(app_id="headrace.utils", description_json=b'{"label": "Utils"}')]
        )

    async def ListBundles(self, request: catalog.ListBundlesRequest, context: object) -> catalog.ListBundlesResponse:
        return catalog.ListBundlesResponse(bundles=[catalog.Bundle(name="headrace.utils", version="1.2.3")])

    archives: dict[str, bytes] = field(default_factory=dict)
    """What is uploaded, by ticket."""
    refusal: list[catalog.Finding] = field(default_factory=list)
    """What is found in every archive that is handed in."""

    async def OpenPublication(
        self, request: catalog.OpenPublicationRequest, context: object
    ) -> catalog.OpenPublicationResponse:
        ticket = f"t{len(self.archives)}"
        self.archives[ticket] = b""
        return catalog.OpenPublicationResponse(ticket=ticket)

    async def WritePublication(
        self, request: catalog.WritePublicationRequest, context: object
    ) -> catalog.WritePublicationResponse:
        assert len(self.archives[request.ticket]) == request.offset
        self.archives[request.ticket] += request.data
        return catalog.WritePublicationResponse()

    async def SubmitPublication(
        self, request: catalog.SubmitPublicationRequest, context: object
    ) -> catalog.SubmitPublicationResponse:
        return catalog.SubmitPublicationResponse()

    async def GetPublication(
        self, request: catalog.GetPublicationRequest, context: object
    ) -> catalog.GetPublicationResponse:
        if request.ticket not in self.archives:
            raise errors.NotFound("ticket", request.ticket)
        error = "Nothing was published." if self.refusal else ""
        found = catalog.Publication(ticket=request.ticket, finished=True, error=error, findings=self.refusal)
        found.finished_at.FromSeconds(1)
        return catalog.GetPublicationResponse(publication=found)

    async def RemoveComponents(
        self, request: catalog.RemoveComponentsRequest, context: object
    ) -> catalog.RemoveComponentsResponse:
        if request.selector not in self.manifests:
            raise errors.NotFound("published component", request.selector)
        if not request.force:
            return catalog.RemoveComponentsResponse(
                flows=[catalog.FlowUse(flow_id=f"f{number}", name=f"Flow {number}") for number in range(22)],
                flows_of_others=3,
            )
        return catalog.RemoveComponentsResponse(types=[request.selector])

    async def ReadComponents(
        self, request: catalog.ReadComponentsRequest, context: object
    ) -> AsyncIterator[catalog.ReadComponentsResponse]:
        if request.selector not in self.manifests:
            raise errors.NotFound("published component", request.selector)
        for part in (b"PK", b"rest"):
            yield catalog.ReadComponentsResponse(data=part)

    async def GetBundle(
        self, request: catalog.GetBundleRequest, context: object
    ) -> AsyncIterator[catalog.GetBundleResponse]:
        yield catalog.GetBundleResponse(data=b"PK")


@dataclass
class Settings(setting_rpc.SettingServiceServicer):
    """The modifiers document."""

    document: bytes = b'{"categories": {}, "modifiers": {}}'
    rules: list[settings.AccessRule] = field(default_factory=list)
    origins: dict[str, list[str]] | None = field(default_factory=dict)  # None: nobody can be asked

    async def GetModifiers(
        self, request: settings.GetModifiersRequest, context: object
    ) -> settings.GetModifiersResponse:
        return settings.GetModifiersResponse(document=self.document)

    async def PutModifiers(
        self, request: settings.PutModifiersRequest, context: object
    ) -> settings.PutModifiersResponse:
        self.document = request.document
        return settings.PutModifiersResponse(document=self.document)

    async def DeleteModifiers(
        self, request: settings.DeleteModifiersRequest, context: object
    ) -> settings.DeleteModifiersResponse:
        self.document = b"{}"
        return settings.DeleteModifiersResponse()

    async def GetAccessRules(
        self, request: settings.GetAccessRulesRequest, context: object
    ) -> settings.GetAccessRulesResponse:
        return settings.GetAccessRulesResponse(rules=self.rules)

    async def ListQuotas(self, request: settings.ListQuotasRequest, context: object) -> settings.ListQuotasResponse:
        return settings.ListQuotasResponse(quotas=[settings.Quota(name="acme:crm", revision=1)])

    async def ResetQuota(self, request: settings.ResetQuotaRequest, context: object) -> settings.ResetQuotaResponse:
        raise errors.NotFound("quota", request.name)

    async def ListServiceConfigs(
        self, request: settings.ListServiceConfigsRequest, context: object
    ) -> settings.ListServiceConfigsResponse:
        return settings.ListServiceConfigsResponse()

    async def GetServiceConfig(
        self, request: settings.GetServiceConfigRequest, context: object
    ) -> settings.GetServiceConfigResponse:
        raise errors.NotFound("configuration", request.service_id)

    async def DeleteServiceConfig(
        self, request: settings.DeleteServiceConfigRequest, context: object
    ) -> settings.DeleteServiceConfigResponse:
        raise errors.NotFound("configuration", request.service_id)

    async def ListConfig(self, request: settings.ListConfigRequest, context: object) -> settings.ListConfigResponse:
        return settings.ListConfigResponse()

    async def DeleteConfig(
        self, request: settings.DeleteConfigRequest, context: object
    ) -> settings.DeleteConfigResponse:
        raise errors.NotFound("configuration", request.key)

    async def ListOrigins(self, request: settings.ListOriginsRequest, context: object) -> settings.ListOriginsResponse:
        if self.origins is None:
            raise errors.Unavailable("The flow manager is away.")
        listed = [settings.VendorOrigins(vendor=vendor, origins=each) for vendor, each in self.origins.items()]
        return settings.ListOriginsResponse(vendors=listed)

    async def DeleteOrigins(
        self, request: settings.DeleteOriginsRequest, context: object
    ) -> settings.DeleteOriginsResponse:
        raise errors.NotFound("list of origins of vendor", request.vendor)


@dataclass
class Stores(store_rpc.StoreServiceServicer):
    """Stores by id, with records by key."""

    kept: dict[str, stores.Store] = field(default_factory=dict)
    records: dict[tuple[str, str], stores.Record] = field(default_factory=dict)

    def _store(self, request: Any) -> stores.Store:
        found = self.kept.get(request.store_id)
        if found is None or found.tenant_id != request.scope.tenant_id:
            raise errors.NotFound("store", request.store_id)
        return found

    def _record(self, request: Any) -> stores.Record:
        self._store(request)
        if (request.store_id, request.key) not in self.records:
            raise errors.NotFound("record", request.key)
        return self.records[request.store_id, request.key]

    async def CreateStore(self, request: stores.CreateStoreRequest, context: object) -> stores.CreateStoreResponse:
        store = stores.Store(store_id=ids.new_user_id(), name=request.name, tenant_id=request.scope.tenant_id)
        self.kept[store.store_id] = store
        return stores.CreateStoreResponse(store=store)

    async def GetStore(self, request: stores.GetStoreRequest, context: object) -> stores.GetStoreResponse:
        return stores.GetStoreResponse(store=self._store(request))

    async def ListStores(self, request: stores.ListStoresRequest, context: object) -> stores.ListStoresResponse:
        mine = [each for each in self.kept.values() if each.tenant_id == request.scope.tenant_id]
        return stores.ListStoresResponse(stores=mine)

    async def RenameStore(self, request: stores.RenameStoreRequest, context: object) -> stores.RenameStoreResponse:
        store = self._store(request)
        old_name, store.name = store.name, request.name
        return stores.RenameStoreResponse(store=store, old_name=old_name)

    async def DeleteStore(self, request: stores.DeleteStoreRequest, context: object) -> stores.DeleteStoreResponse:
        del self.kept[self._store(request).store_id]
        return stores.DeleteStoreResponse()

    async def GetRecord(self, request: stores.GetRecordRequest, context: object) -> stores.GetRecordResponse:
        return stores.GetRecordResponse(record=self._record(request))

    async def PutRecord(self, request: stores.PutRecordRequest, context: object) -> stores.PutRecordResponse:
        self._store(request)
        record = stores.Record(store_id=request.store_id, key=request.key, value=request.value)
        self.records[request.store_id, request.key] = record
        return stores.PutRecordResponse(record=record)

    async def MoveRecord(self, request: stores.MoveRecordRequest, context: object) -> stores.MoveRecordResponse:
        record = self._record(request)
        del self.records[request.store_id, request.key]
        moved = stores.Record(
            store_id=request.new_store_id or request.store_id,
            key=request.new_key or request.key,
            value=record.value,
        )
        self.records[moved.store_id, moved.key] = moved
        return stores.MoveRecordResponse(record=moved)

    async def DeleteRecords(
        self, request: stores.DeleteRecordsRequest, context: object
    ) -> stores.DeleteRecordsResponse:
        self._store(request)
        gone = [key for key in self.records if key[0] == request.store_id and (request.all or key[1] in request.keys)]
        for key in gone:
            del self.records[key]
        return stores.DeleteRecordsResponse(deleted=len(gone))

    async def ListRecords(self, request: stores.ListRecordsRequest, context: object) -> stores.ListRecordsResponse:
        self._store(request)
        found = [each for (store_id, _), each in self.records.items() if store_id == request.store_id]
        found = [each for each in found if request.query.pattern in each.key]
        page = found[request.query.offset : request.query.offset + request.query.limit]
        return stores.ListRecordsResponse(records=[] if request.count_only else page, total=len(found))


@dataclass
class Files(file_rpc.FileServiceServicer):
    """Files with their content; an unfinished upload of a file goes on."""

    kept: dict[str, files.File] = field(default_factory=dict)
    content: dict[str, bytearray] = field(default_factory=dict)
    uploads: dict[str, files.OpenFileRequest] = field(default_factory=dict)

    async def OpenFile(self, request: files.OpenFileRequest, context: object) -> files.OpenFileResponse:
        file_id = request.file_id or ids.new_id()
        upload_id = f"upload-{file_id}"
        if upload_id not in self.uploads:
            self.uploads[upload_id] = request
            self.content[upload_id] = bytearray()
        return files.OpenFileResponse(file_id=file_id, upload_id=upload_id)

    async def WriteFile(self, request: files.WriteFileRequest, context: object) -> files.WriteFileResponse:
        held = self.content[request.upload_id]
        held[request.offset : request.offset + len(request.data)] = request.data
        return files.WriteFileResponse()

    async def FinishFile(self, request: files.FinishFileRequest, context: object) -> files.FinishFileResponse:
        opened = self.uploads.pop(request.upload_id)
        file_id = request.upload_id.removeprefix("upload-")
        self.content[file_id] = self.content.pop(request.upload_id)
        self.kept[file_id] = files.File(
            file_id=file_id,
            filename=opened.filename,
            content_type=opened.content_type,
            size_bytes=len(self.content[file_id]),
            sha256="0" * 64,
            tenant_id=request.scope.tenant_id,
        )
        return files.FinishFileResponse(file=self.kept[file_id])

    def _file(self, request: Any) -> files.File:
        found = self.kept.get(request.file_id)
        if found is None or found.tenant_id != request.scope.tenant_id:
            raise errors.NotFound("file", request.file_id)
        return found

    async def GetFile(self, request: files.GetFileRequest, context: object) -> files.GetFileResponse:
        return files.GetFileResponse(file=self._file(request))

    async def ReadFile(self, request: files.ReadFileRequest, context: object) -> files.ReadFileResponse:
        self._file(request)
        held = self.content[request.file_id]
        return files.ReadFileResponse(data=bytes(held[request.offset : request.offset + request.length]))

    async def ListFiles(self, request: files.ListFilesRequest, context: object) -> files.ListFilesResponse:
        mine = [each for each in self.kept.values() if each.tenant_id == request.scope.tenant_id]
        return files.ListFilesResponse(files=mine, total=len(mine))

    async def DeleteFile(self, request: files.DeleteFileRequest, context: object) -> files.DeleteFileResponse:
        self._file(request)
        del self.kept[request.file_id]
        return files.DeleteFileResponse()

    async def DeleteFiles(self, request: files.DeleteFilesRequest, context: object) -> files.DeleteFilesResponse:
        """One of them a call, whatever the filter says."""
        mine = [each.file_id for each in self.kept.values() if each.tenant_id == request.scope.tenant_id]
        for file_id in mine[:1]:
            del self.kept[file_id]
        return files.DeleteFilesResponse(deleted=len(mine[:1]), remaining=len(mine[1:]))


@dataclass
class Executor(execution_rpc.ExecutionServiceServicer):
    """Accepts events; what a node answers is in its name: echo, teapot, evil, implicit, silent, refused."""

    batches: list[list[execution.Event]] = field(default_factory=list)
    seen: dict[tuple[str, str, str], str] = field(default_factory=dict)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    may_commit: asyncio.Event = field(default_factory=asyncio.Event)
    failure: errors.HeadraceError | None = None
    trials: list[executions.TryFlowRequest] = field(default_factory=list)
    counts: list[executions.CountMessagesRequest] = field(default_factory=list)
    migrations: list[executions.MigrateRunsRequest] = field(default_factory=list)
    unprocessed: set[str] = field(default_factory=lambda: {"m1"})
    plugin_calls: list[executions.CallPluginRequest] = field(default_factory=list)
    watching: asyncio.Event = field(default_factory=asyncio.Event)
    unwatched: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_commit.set()

    @property
    def events(self) -> list[execution.Event]:
        return [event for batch in self.batches for event in batch]

    async def RunModifier(
        self, request: executions.RunModifierRequest, context: object
    ) -> executions.RunModifierResponse:
        return executions.RunModifierResponse(value=b"null", failure=f"there is no modifier {request.name!r}")

    async def Accept(
        self, request: executions.AcceptRequest, context: object
    ) -> AsyncIterator[executions.AcceptResponse]:
        self.batches.append(list(request.events))
        self.called.set()
        if self.failure is not None:
            raise self.failure
        await self.may_commit.wait()
        acceptances = [self._accept(event) for event in request.events]
        yield executions.AcceptResponse(acceptances=acceptances)
        given = [self._answer(event) for event in request.events if event.wants_answer]
        answers = [each for each in given if each is not None]
        if answers:
            yield executions.AcceptResponse(answers=answers)
        if any(event.node_id == "silent" and event.wants_answer for event in request.events):
            await asyncio.Event().wait()

    def _accept(self, event: execution.Event) -> execution.Acceptance:
        if event.node_id == "refused":
            refusal = execution.Refusal(code="not_found", message="There is no such flow.")
            return execution.Acceptance(index=event.index, refusal=refusal)
        key = (event.flow_id, event.node_id, event.event_id or ids.new_id())
        known = key in self.seen
        return execution.Acceptance(
            index=event.index, run_id=self.seen.setdefault(key, ids.derive_id(*key)), duplicate=known
        )

    def _answer(self, event: execution.Event) -> execution.Answer | None:
        match event.node_id:
            case "echo":
                return execution.Answer(index=event.index, status=200, headers=b"{}", body=event.content)
            case "teapot":
                headers = b'{"Content-Type": "text/plain", "X-Tea": "green"}'
                return execution.Answer(index=event.index, status=418, headers=headers, body=b"short and stout")
            case "evil":
                headers = orjson.dumps(
                    {
                        "Transfer-Encoding": "chunked",
                        "Content-Length": "1",
                        "X-Split": "a\r\nSet-Cookie: b=c",
                        "Bad Name": "x",
                        "Set-Cookie": "a=b",
                        "Access-Control-Allow-Origin": "*",
                        "X-Good": "yes",
                    }
                )
                return execution.Answer(index=event.index, status=204, headers=headers, body=b"<script>")
            case "implicit":
                return execution.Answer(index=event.index, status=200, implicit=True)
            case "taken":
                return execution.Answer(index=event.index, status=202, implicit=True)
        return None

    def _run(self, request: Any) -> execution.Run:
        if request.run_id != "run-1":
            raise errors.NotFound("run", request.run_id)
        return execution.Run(
            run_id="run-1", flow_id="f", tenant_id=request.scope.tenant_id, state=execution.RUN_STATE_WAITING
        )

    async def GetRun(self, request: executions.GetRunRequest, context: object) -> executions.GetRunResponse:
        output = execution.Output(message_id="o", port="out", content=b'{"a": 1}')
        step = execution.Step(step_id="s", node_id="n", input=b'{"b": 2}', outputs=[output], outcome="done")
        wait = execution.Wait(step_id="s", node_id="n", kind="retry", reason="The site answered 503.")
        return executions.GetRunResponse(run=self._run(request), steps=[step], waits=[wait])

    async def ListRuns(self, request: executions.ListRunsRequest, context: object) -> executions.ListRunsResponse:
        run = execution.Run(run_id="run-1", state=request.state or execution.RUN_STATE_DONE)
        return executions.ListRunsResponse(runs=[run], total=1)

    async def CancelRun(self, request: executions.CancelRunRequest, context: object) -> executions.CancelRunResponse:
        return executions.CancelRunResponse(run=self._run(request))

    async def MigrateRuns(
        self, request: executions.MigrateRunsRequest, context: object
    ) -> executions.MigrateRunsResponse:
        self.migrations.append(request)
        runs = [executions.RunMigration(run_id="run-1", from_version=1, moved=True)]
        if not request.run_ids:
            runs.append(executions.RunMigration(run_id="run-2", from_version=1, reasons=["Its trigger is gone."]))
        return executions.MigrateRunsResponse(runs=runs, total=len(runs))

    async def ListUnprocessed(
        self, request: executions.ListUnprocessedRequest, context: object
    ) -> executions.ListUnprocessedResponse:
        found = [execution.UnprocessedMessage(message_id=each) for each in sorted(self.unprocessed)]
        return executions.ListUnprocessedResponse(messages=found, total=len(found))

    async def GetUnprocessed(
        self, request: executions.GetUnprocessedRequest, context: object
    ) -> executions.GetUnprocessedResponse:
        if request.message_id not in self.unprocessed:
            raise errors.NotFound("unprocessed message", request.message_id)
        return executions.GetUnprocessedResponse(
            message=execution.UnprocessedMessage(message_id=request.message_id, error=b'{"message": "no"}')
        )

    async def DeleteUnprocessed(
        self, request: executions.DeleteUnprocessedRequest, context: object
    ) -> executions.DeleteUnprocessedResponse:
        gone = self.unprocessed & set(request.message_ids)
        self.unprocessed -= gone
        return executions.DeleteUnprocessedResponse(deleted=len(gone))

    async def RetryUnprocessed(
        self, request: executions.RetryUnprocessedRequest, context: object
    ) -> executions.RetryUnprocessedResponse:
        return executions.RetryUnprocessedResponse(retried=len(self.unprocessed & set(request.message_ids)))

    async def DecideStep(self, request: executions.DecideStepRequest, context: object) -> executions.DecideStepResponse:
        if request.step_id not in self.unprocessed:
            raise errors.NotFound("step in doubt", request.step_id)
        return executions.DecideStepResponse()

    async def CountMessages(
        self, request: executions.CountMessagesRequest, context: object
    ) -> executions.CountMessagesResponse:
        self.counts.append(request)
        day = executions.DayCount(count=3, size_bytes=120)
        day.day.FromJsonString("2026-01-31T00:00:00Z")
        return executions.CountMessagesResponse(days=[day])

    async def TryFlow(
        self, request: executions.TryFlowRequest, context: object
    ) -> AsyncIterator[executions.TryFlowResponse]:
        self.trials.append(request)
        if request.node_id == "closed":
            raise errors.BadRequest("Nothing can be sent there.")
        output = {"port": "out", "content": {"a": 1}}
        for happening in (
            {"type": "begin", "runId": "run-1"},
            {"type": "step", "componentId": "n1", "stepId": "s", "attempts": 1, "outputs": [output], "error": None},
            {"type": "step", "componentId": "n2", "attempts": 1, "outputs": [], "error": "no", "outcome": "retry"},
            {"type": "run", "state": "waiting"},
            {"type": "end", "runId": "run-1", "state": "timeout"},
        ):
            yield executions.TryFlowResponse(happening=orjson.dumps(happening))

    async def CallPlugin(self, request: executions.CallPluginRequest, context: object) -> executions.CallPluginResponse:
        if request.service != "acme.mail":
            raise errors.NotFound("plugin", request.service)
        self.plugin_calls.append(request)
        headers = {"content-type": "text/html", "set-cookie": "a=b", "x-mine": "yes", "content-length": "9999"}
        return executions.CallPluginResponse(status=201, headers=headers, body=request.body or b"<b>fine</b>")

    async def Watch(self, request: executions.WatchRequest, context: object) -> AsyncIterator[executions.WatchResponse]:
        self.watching.set()
        try:
            yield executions.WatchResponse(happenings=[b'{"type": "run", "runId": "run-1"}'])
            yield executions.WatchResponse(dropped=3)
            await asyncio.Event().wait()
        finally:
            self.unwatched.set()


@dataclass
class Logs(log_rpc.LogServiceServicer):
    """One record."""

    queries: list[log.QueryRecordsRequest] = field(default_factory=list)

    async def QueryRecords(self, request: log.QueryRecordsRequest, context: object) -> log.QueryRecordsResponse:
        self.queries.append(request)
        record = log.LogRecord(record_id="r1", tenant_id=request.scope.tenant_id, fields=b'{"msg": "hello"}')
        record.at.FromJsonString("2026-01-02T03:04:05Z")
        bucket = log.Bucket(count=1)
        getattr(bucket, "from").FromJsonString("2026-01-02T03:00:00Z")
        return log.QueryRecordsResponse(records=[record], buckets=[bucket], total=1)

    async def GetRecord(self, request: log.GetRecordRequest, context: object) -> log.GetRecordResponse:
        if request.record_id != "r1":
            raise errors.NotFound("log record", request.record_id)
        return log.GetRecordResponse(record=log.LogRecord(record_id="r1", fields=b'{"msg": "hello"}'))

    async def Tail(self, request: log.TailRequest, context: object) -> AsyncIterator[log.TailResponse]:
        yield log.TailResponse()
        yield log.TailResponse(records=[log.LogRecord(record_id="r1", fields=b'{"msg": "line\\nbreak"}')])
        await asyncio.Event().wait()


@dataclass
class Aliases(alias_rpc.AliasServiceServicer):
    """One alias, `known/path`, of the flow `f`."""

    resolved: list[str] = field(default_factory=list)

    async def ListAliases(self, request: alias.ListAliasesRequest, context: object) -> alias.ListAliasesResponse:
        return alias.ListAliasesResponse()

    async def GetAlias(self, request: alias.GetAliasRequest, context: object) -> alias.GetAliasResponse:
        raise errors.NotFound("alias", request.alias_id)

    async def DeleteAlias(self, request: alias.DeleteAliasRequest, context: object) -> alias.DeleteAliasResponse:
        raise errors.NotFound("alias", request.alias_id)

    async def ResolveAlias(self, request: alias.ResolveAliasRequest, context: object) -> alias.ResolveAliasResponse:
        self.resolved.append(request.path)
        if request.path != "known/path":
            raise errors.NotFound("alias", request.path)
        return alias.ResolveAliasResponse(flow_id="f", component_id="c")


@dataclass
class Charts(chart_rpc.ChartServiceServicer):
    """Charts of all tenants by (tenant, id)."""

    kept: dict[tuple[str, str], chart.Chart] = field(default_factory=dict)

    def _get(self, request: Any) -> chart.Chart:
        found = self.kept.get((request.scope.tenant_id, request.chart_id))
        if found is None:
            raise errors.NotFound("chart", request.chart_id)
        return found

    async def CreateChart(self, request: chart.CreateChartRequest, context: object) -> chart.CreateChartResponse:
        tenant = request.scope.tenant_id
        made = chart.Chart(chart_id=ids.new_id(), tenant_id=tenant, document=request.document, revision=1)
        self.kept[tenant, made.chart_id] = made
        return chart.CreateChartResponse(chart=made)

    async def GetChart(self, request: chart.GetChartRequest, context: object) -> chart.GetChartResponse:
        return chart.GetChartResponse(chart=self._get(request))

    async def ListCharts(self, request: chart.ListChartsRequest, context: object) -> chart.ListChartsResponse:
        own = [each for (tenant, _), each in self.kept.items() if tenant == request.scope.tenant_id]
        return chart.ListChartsResponse(charts=own, total=len(own))

    async def UpdateChart(self, request: chart.UpdateChartRequest, context: object) -> chart.UpdateChartResponse:
        found = self._get(request)
        if request.expected_revision not in (0, found.revision):
            raise errors.RevisionConflict("Saved in between.")
        found.document = orjson.dumps({**orjson.loads(found.document), **orjson.loads(request.changes)})
        found.revision += 1
        return chart.UpdateChartResponse(chart=found)

    async def DeleteChart(self, request: chart.DeleteChartRequest, context: object) -> chart.DeleteChartResponse:
        self._get(request)
        del self.kept[request.scope.tenant_id, request.chart_id]
        return chart.DeleteChartResponse()


class Schedules(schedule_rpc.ScheduleServiceServicer):
    """One timer of each kind."""

    async def ListTimers(self, request: schedule.ListTimersRequest, context: object) -> schedule.ListTimersResponse:
        tick = schedule.Timer(
            timer_id="t1", tenant_id=USER.user_id, flow_id="f", node_id="n", port="tick", schedule=b'{"every": 60}'
        )
        tick.next_at.FromJsonString("2026-01-31T00:00:00Z")
        wake = schedule.Timer(timer_id="t2", tenant_id=USER.user_id, run_id="run-1", schedule=b"{}")
        later = [each for each in (tick, wake) if each.timer_id > request.after_timer_id]
        return schedule.ListTimersResponse(timers=later[: request.limit])


@dataclass
class Audit(audit_rpc.AuditServiceServicer):
    """Acts by id, the newest first."""

    kept: dict[str, audit.Act] = field(default_factory=dict)

    async def BeginAct(self, request: audit.BeginActRequest, context: object) -> audit.BeginActResponse:
        self.kept[request.act.act_id] = request.act
        return audit.BeginActResponse()

    async def EndAct(self, request: audit.EndActRequest, context: object) -> audit.EndActResponse:
        act = self.kept[request.act_id]
        act.status, act.after = request.status, request.after
        return audit.EndActResponse()

    async def ListActs(self, request: audit.ListActsRequest, context: object) -> audit.ListActsResponse:
        return audit.ListActsResponse(acts=reversed(self.kept.values()), total=len(self.kept))

    async def GetAct(self, request: audit.GetActRequest, context: object) -> audit.GetActResponse:
        if request.act_id not in self.kept:
            raise errors.NotFound("act", request.act_id)
        return audit.GetActResponse(act=self.kept[request.act_id])


@dataclass
class Groups(group_rpc.GroupServiceServicer):
    """Groups by id."""

    kept: dict[str, group.Group] = field(default_factory=dict)

    def _get(self, group_id: str) -> group.Group:
        if group_id not in self.kept:
            raise errors.NotFound("group", group_id)
        return self.kept[group_id]

    async def CreateGroup(self, request: group.CreateGroupRequest, context: object) -> group.CreateGroupResponse:
        made = group.Group(
            group_id=request.group_id or ids.new_id(), name=request.name, members=request.members, revision=1
        )
        self.kept[made.group_id] = made
        return group.CreateGroupResponse(group=made)

    async def GetGroup(self, request: group.GetGroupRequest, context: object) -> group.GetGroupResponse:
        return group.GetGroupResponse(group=self._get(request.group_id))

    async def ListGroups(self, request: group.ListGroupsRequest, context: object) -> group.ListGroupsResponse:
        return group.ListGroupsResponse(groups=self.kept.values(), total=len(self.kept))

    async def UpdateGroup(self, request: group.UpdateGroupRequest, context: object) -> group.UpdateGroupResponse:
        found = self._get(request.group_id)
        found.name = request.name or found.name
        found.revision += 1
        return group.UpdateGroupResponse(group=found)

    async def DeleteGroup(self, request: group.DeleteGroupRequest, context: object) -> group.DeleteGroupResponse:
        self._get(request.group_id)
        del self.kept[request.group_id]
        return group.DeleteGroupResponse()

    async def JoinGroup(self, request: group.JoinGroupRequest, context: object) -> group.JoinGroupResponse:
        self._get(request.group_id).members.append(request.user_id)
        return group.JoinGroupResponse(group=self._get(request.group_id))

    async def LeaveGroup(self, request: group.LeaveGroupRequest, context: object) -> group.LeaveGroupResponse:
        found = self._get(request.group_id)
        rest = [each for each in found.members if each != request.user_id]
        del found.members[:]
        found.members.extend(rest)
        return group.LeaveGroupResponse(group=found)


class Accounts(account_rpc.AccountServiceServicer):
    """The flow manager's accounts: no component needs one."""

    async def ListFlowAccounts(self, request: Any, context: Any) -> account_pb.ListFlowAccountsResponse:
        return account_pb.ListFlowAccountsResponse()


@dataclass
class Tasks(task_rpc.TaskServiceServicer):
    """Tasks by id; everybody who is somebody is the approver of their own."""

    kept: dict[str, tuple[str, task.Task]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)

    def _get(self, request: Any) -> task.Task:
        self.asked.append(request)
        viewer = request.viewer
        if not viewer.HasField("scope") and not viewer.secret:
            raise errors.Unauthenticated()
        tenant, found = self.kept.get(request.task_id, ("", None))
        if found is None or (viewer.secret != "s" and tenant != viewer.scope.tenant_id):
            raise errors.NotFound("task", request.task_id)
        return found

    async def CreateTask(self, request: task.CreateTaskRequest, context: object) -> task.CreateTaskResponse:
        given = orjson.loads(request.document)
        made = task.Task(
            task_id=ids.new_id(),
            title=given["title"],
            approver=given["approver"],
            requester=given["requester"],
            status=task.TASK_STATUS_PENDING,
            revision=1,
        )
        self.kept[made.task_id] = (request.scope.tenant_id, made)
        return task.CreateTaskResponse(task=made, secrets=task.TaskSecrets(approver="s", requester="r"))

    async def GetTask(self, request: task.GetTaskRequest, context: object) -> task.GetTaskResponse:
        return task.GetTaskResponse(task=self._get(request))

    async def ListTasks(self, request: task.ListTasksRequest, context: object) -> task.ListTasksResponse:
        self.asked.append(request)
        viewer = request.viewer
        if not viewer.HasField("scope") and not viewer.secret:
            raise errors.Unauthenticated()
        own = [each for tenant, each in self.kept.values() if tenant == viewer.scope.tenant_id]
        return task.ListTasksResponse(tasks=own, total=len(own))

    async def UpdateTask(self, request: task.UpdateTaskRequest, context: object) -> task.UpdateTaskResponse:
        found = self._get(request)
        found.title = orjson.loads(request.changes).get("title", found.title)
        return task.UpdateTaskResponse(task=found)

    async def DecideTask(self, request: task.DecideTaskRequest, context: object) -> task.DecideTaskResponse:
        found = self._get(request)
        if found.status != task.TASK_STATUS_PENDING:
            raise errors.Conflict("A task is decided once.")
        found.status = task.TASK_STATUS_APPROVED if request.approves else task.TASK_STATUS_REJECTED
        return task.DecideTaskResponse(task=found)

    async def DeleteTask(self, request: task.DeleteTaskRequest, context: object) -> task.DeleteTaskResponse:
        if self.kept.get(request.task_id, ("",))[0] != request.scope.tenant_id:
            raise errors.NotFound("task", request.task_id)
        del self.kept[request.task_id]
        return task.DeleteTaskResponse()

    async def AddTaskHook(self, request: task.AddTaskHookRequest, context: object) -> task.AddTaskHookResponse:
        self.asked.append(request)
        hook = task.TaskHook(hook_id="h", task_id=request.task_id, url=request.url, state=task.TASK_HOOK_STATE_PENDING)
        return task.AddTaskHookResponse(hook=hook)

    async def RemoveTaskHook(self, request: task.RemoveTaskHookRequest, context: object) -> task.RemoveTaskHookResponse:
        return task.RemoveTaskHookResponse()


@dataclass
class Services:
    """All of them, on one local server."""

    people: People = field(default_factory=People)
    flows: Flows = field(default_factory=Flows)
    integrations: Integrations = field(default_factory=Integrations)
    stores: Stores = field(default_factory=Stores)
    files: Files = field(default_factory=Files)
    executor: Executor = field(default_factory=Executor)
    logs: Logs = field(default_factory=Logs)
    settings: Settings = field(default_factory=Settings)
    catalog: Catalog = field(default_factory=Catalog)
    aliases: Aliases = field(default_factory=Aliases)  # type: ignore[abstract]  # what no test asks is not acted
    groups: Groups = field(default_factory=Groups)
    audit: Audit = field(default_factory=Audit)
    tasks: Tasks = field(default_factory=Tasks)
    server: LocalServer = field(default_factory=LocalServer)

    def __post_init__(self) -> None:
        people_rpc.add_PeopleServiceServicer_to_server(self.people, self.server)
        flow_rpc.add_FlowServiceServicer_to_server(self.flows, self.server)
        integration_rpc.add_IntegrationServiceServicer_to_server(self.integrations, self.server)
        store_rpc.add_StoreServiceServicer_to_server(self.stores, self.server)
        file_rpc.add_FileServiceServicer_to_server(self.files, self.server)
        execution_rpc.add_ExecutionServiceServicer_to_server(self.executor, self.server)
        log_rpc.add_LogServiceServicer_to_server(self.logs, self.server)
        setting_rpc.add_SettingServiceServicer_to_server(self.settings, self.server)
        catalog_rpc.add_CatalogServiceServicer_to_server(self.catalog, self.server)
        alias_rpc.add_AliasServiceServicer_to_server(self.aliases, self.server)
        chart_rpc.add_ChartServiceServicer_to_server(Charts(), self.server)
        group_rpc.add_GroupServiceServicer_to_server(self.groups, self.server)
        audit_rpc.add_AuditServiceServicer_to_server(self.audit, self.server)
        task_rpc.add_TaskServiceServicer_to_server(self.tasks, self.server)
        accounts = Accounts()  # type: ignore[abstract]  # what no test asks is not acted
        account_rpc.add_AccountServiceServicer_to_server(accounts, self.server)
        schedule_rpc.add_ScheduleServiceServicer_to_server(Schedules(), self.server)
