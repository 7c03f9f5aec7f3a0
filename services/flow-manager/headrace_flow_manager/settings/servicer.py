"""headrace.setting.v1: decode, call, encode."""

from headrace.setting.v1 import setting_service_pb2 as pb
from headrace.setting.v1 import setting_service_pb2_grpc as grpc_pb
from headrace_core.access import Rule
from headrace_core.quotas import QuotaRule
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.servicer import json_bytes, scope_of, timestamp
from headrace_flow_manager.settings.access import AccessRules, Preview
from headrace_flow_manager.settings.origins import Origins, VendorOrigins
from headrace_flow_manager.settings.quotas import Quota, Quotas
from headrace_flow_manager.settings.sealed import SealedSettings
from headrace_flow_manager.settings.service import SettingService
from headrace_flow_manager.tags import tag_of


class SettingServicer(grpc_pb.SettingServiceServicer):
    """Answers headrace.setting.v1.SettingService."""

    def __init__(
        self,
        settings: SettingService,
        sealed: SealedSettings,
        access: AccessRules,
        origins: Origins,
        quotas: Quotas,
        preview: Preview,
    ) -> None:
        self._settings = settings
        self._quotas = quotas
        self._access = access
        self._sealed = sealed
        self._origins = origins
        self._preview = preview

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_SettingServiceServicer_to_server(self, server)

    async def GetModifiers(self, request: pb.GetModifiersRequest, context: object) -> pb.GetModifiersResponse:
        kept = await self._settings.modifiers()
        return pb.GetModifiersResponse(document=json_bytes(kept), tag=tag_of(dict(kept)))

    async def PutModifiers(self, request: pb.PutModifiersRequest, context: object) -> pb.PutModifiersResponse:
        document = json_text.decode_object(request.document, "modifiers document")
        saved = await self._settings.put_modifiers(scope_of(request.scope).actor_id, document, request.expected_tag)
        return pb.PutModifiersResponse(document=json_bytes(saved), tag=tag_of(dict(saved)))

    async def DeleteModifiers(self, request: pb.DeleteModifiersRequest, context: object) -> pb.DeleteModifiersResponse:
        scope_of(request.scope)
        await self._settings.delete_modifiers(request.expected_tag)
        return pb.DeleteModifiersResponse()

    async def GetAccessRules(self, request: pb.GetAccessRulesRequest, context: object) -> pb.GetAccessRulesResponse:
        rules, tag = await self._access.tagged(request.type)
        shown = [
            pb.AccessRule(role=each.role, resource=each.resource, actions=each.actions, attributes=each.attributes)
            for each in rules
        ]
        return pb.GetAccessRulesResponse(rules=shown, tag=tag)

    async def PutAccessRules(self, request: pb.PutAccessRulesRequest, context: object) -> pb.PutAccessRulesResponse:
        rules = list(map(_rule, request.rules))
        tag = await self._access.put(scope_of(request.scope).actor_id, request.type, rules, request.expected_tag)
        return pb.PutAccessRulesResponse(tag=tag)

    async def ListQuotas(self, request: pb.ListQuotasRequest, context: object) -> pb.ListQuotasResponse:
        scope_of(request.scope)
        return pb.ListQuotasResponse(quotas=map(_quota, await self._quotas.all()))

    async def GetQuota(self, request: pb.GetQuotaRequest, context: object) -> pb.GetQuotaResponse:
        return pb.GetQuotaResponse(quota=_quota(await self._quotas.get(request.name)))

    async def PutQuota(self, request: pb.PutQuotaRequest, context: object) -> pb.PutQuotaResponse:
        actor = scope_of(request.scope).actor_id
        quota = await self._quotas.put(actor, request.name, request.source, request.expected_revision)
        return pb.PutQuotaResponse(quota=_quota(quota))

    async def ResetQuota(self, request: pb.ResetQuotaRequest, context: object) -> pb.ResetQuotaResponse:
        actor = scope_of(request.scope).actor_id
        return pb.ResetQuotaResponse(
            quota=_quota(await self._quotas.reset(actor, request.name, request.expected_revision))
        )

    async def PreviewAccessRules(
        self, request: pb.PreviewAccessRulesRequest, context: object
    ) -> pb.PreviewAccessRulesResponse:
        scope_of(request.scope)
        found, more = await self._preview(list(map(_rule, request.rules)))
        flows = [
            pb.WithheldFlow(flow_id=each.flow_id, tenant_id=each.tenant_id, name=each.name, components=each.components)
            for each in found
        ]
        return pb.PreviewAccessRulesResponse(flows=flows, more=more)

    async def ListServiceConfigs(
        self, request: pb.ListServiceConfigsRequest, context: object
    ) -> pb.ListServiceConfigsResponse:
        scope_of(request.scope)
        return pb.ListServiceConfigsResponse(documents=map(json_bytes, await self._sealed.services()))

    async def GetServiceConfig(
        self, request: pb.GetServiceConfigRequest, context: object
    ) -> pb.GetServiceConfigResponse:
        scope_of(request.scope)
        found, tag = await self._sealed.service(request.service_id)
        return pb.GetServiceConfigResponse(document=json_bytes(found), tag=tag)

    async def PutServiceConfig(
        self, request: pb.PutServiceConfigRequest, context: object
    ) -> pb.PutServiceConfigResponse:
        values = json_text.decode_object(request.document, "service configuration")
        saved, tag = await self._sealed.put_service(
            scope_of(request.scope).actor_id, request.service_id, values, request.expected_tag
        )
        return pb.PutServiceConfigResponse(document=json_bytes(saved), tag=tag)

    async def DeleteServiceConfig(
        self, request: pb.DeleteServiceConfigRequest, context: object
    ) -> pb.DeleteServiceConfigResponse:
        scope_of(request.scope)
        await self._sealed.delete_service(request.service_id, request.expected_tag)
        return pb.DeleteServiceConfigResponse()

    async def ListConfig(self, request: pb.ListConfigRequest, context: object) -> pb.ListConfigResponse:
        scope_of(request.scope)
        items = [pb.ConfigItem(key=key, value=json_bytes(value)) for key, value in await self._sealed.all()]
        return pb.ListConfigResponse(items=items)

    async def PutConfig(self, request: pb.PutConfigRequest, context: object) -> pb.PutConfigResponse:
        value = json_text.decode(request.item.value, "value")
        await self._sealed.put(scope_of(request.scope).actor_id, request.item.key, value)
        return pb.PutConfigResponse()

    async def DeleteConfig(self, request: pb.DeleteConfigRequest, context: object) -> pb.DeleteConfigResponse:
        scope_of(request.scope)
        await self._sealed.delete(request.key)
        return pb.DeleteConfigResponse()

    async def ListOrigins(self, request: pb.ListOriginsRequest, context: object) -> pb.ListOriginsResponse:
        return pb.ListOriginsResponse(vendors=map(_vendor, await self._origins.all()))

    async def PutOrigins(self, request: pb.PutOriginsRequest, context: object) -> pb.PutOriginsResponse:
        given = request.vendor
        actor = scope_of(request.scope).actor_id
        saved = await self._origins.put(actor, given.vendor, list(given.origins), request.expected_tag)
        return pb.PutOriginsResponse(vendor=_vendor(saved))

    async def DeleteOrigins(self, request: pb.DeleteOriginsRequest, context: object) -> pb.DeleteOriginsResponse:
        scope_of(request.scope)
        await self._origins.delete(request.vendor, request.expected_tag)
        return pb.DeleteOriginsResponse()


def _vendor(kept: VendorOrigins) -> pb.VendorOrigins:
    return pb.VendorOrigins(vendor=kept.vendor, origins=kept.origins, tag=kept.tag)


def _quota(quota: Quota) -> pb.Quota:
    return pb.Quota(
        name=quota.name,
        source=quota.source,
        default_source=quota.default_source,
        is_custom=quota.custom_source is not None,
        revision=quota.revision,
        changed_by=quota.changed_by,
        changed_at=timestamp(quota.changed_at),
        rules=map(_quota_rule, quota.rules),
    )


def _quota_rule(rule: QuotaRule) -> pb.QuotaRule:
    shown = pb.QuotaRule(limit=rule.limit, resources=rule.resources, scope=rule.scope)
    if rule.window:
        shown.window.FromTimedelta(rule.window)
    return shown


def _rule(given: pb.AccessRule) -> Rule:
    return Rule(given.role, given.resource, tuple(given.actions), tuple(given.attributes))
