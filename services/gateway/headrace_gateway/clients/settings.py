"""What administrators set for services and the installation."""

import orjson
from headrace.setting.v1 import setting_service_pb2 as pb
from headrace.setting.v1.setting_service_pb2_grpc import SettingServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.access import Rule
from headrace_gateway.clients.wire import json_object, json_value, moment, scope_to_proto
from headrace_gateway.identity import Scope


class SettingClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = SettingServiceStub(channel)
        self._timeout = timeout_seconds

    async def rules(self, kind: str) -> list[Rule]:
        """The rules of a type. Raises NotFound for a type that is none."""
        rules, _ = await self.tagged_rules(kind)
        return rules

    async def tagged_rules(self, kind: str) -> tuple[list[Rule], str]:
        """The rules of a type and their tag. Raises NotFound for a type that is none."""
        answer = await self._stub.GetAccessRules(pb.GetAccessRulesRequest(type=kind), timeout=self._timeout)
        rules = [Rule(each.role, each.resource, tuple(each.actions), tuple(each.attributes)) for each in answer.rules]
        return rules, answer.tag

    async def put_rules(self, scope: Scope, kind: str, rules: list[Rule], expected_tag: str = "") -> str:
        """Replace the rules of a type; their tag. Raises NotFound, ValidationFailed and RevisionConflict."""
        request = pb.PutAccessRulesRequest(
            scope=scope_to_proto(scope), type=kind, rules=map(_rule, rules), expected_tag=expected_tag
        )
        return (await self._stub.PutAccessRules(request, timeout=self._timeout)).tag

    async def quotas(self, scope: Scope) -> list[dict[str, Json]]:
        """Every quota that is known, by name."""
        answer = await self._stub.ListQuotas(pb.ListQuotasRequest(scope=scope_to_proto(scope)), timeout=self._timeout)
        return [_quota(each) for each in answer.quotas]

    async def put_quota(self, scope: Scope, name: str, source: str, expected_revision: int) -> dict[str, Json]:
        """Let a source hold; the quota as it is now. Raises ValidationFailed, RevisionConflict."""
        request = pb.PutQuotaRequest(
            scope=scope_to_proto(scope), name=name, source=source, expected_revision=expected_revision
        )
        return _quota((await self._stub.PutQuota(request, timeout=self._timeout)).quota)

    async def reset_quota(self, scope: Scope, name: str, expected_revision: int) -> dict[str, Json]:
        """Go back to the default; the quota as it is now. Raises NotFound, RevisionConflict."""
        request = pb.ResetQuotaRequest(scope=scope_to_proto(scope), name=name, expected_revision=expected_revision)
        return _quota((await self._stub.ResetQuota(request, timeout=self._timeout)).quota)

    async def preview_rules(self, scope: Scope, rules: list[Rule]) -> tuple[list[dict[str, Json]], bool]:
        """The running flows that these rules about components would stop, some at most; whether there are more.

        Raises ValidationFailed.
        """
        request = pb.PreviewAccessRulesRequest(scope=scope_to_proto(scope), rules=map(_rule, rules))
        answer = await self._stub.PreviewAccessRules(request, timeout=self._timeout)
        flows: list[dict[str, Json]] = [
            {
                "flowId": each.flow_id,
                "userId": each.tenant_id,
                "name": each.name,
                "components": list[Json](each.components),
            }
            for each in answer.flows
        ]
        return flows, answer.more

    async def services(self, scope: Scope) -> list[dict[str, Json]]:
        """The configurations of all services."""
        request = pb.ListServiceConfigsRequest(scope=scope_to_proto(scope))
        answer = await self._stub.ListServiceConfigs(request, timeout=self._timeout)
        return [json_object(each) for each in answer.documents]

    async def service(self, scope: Scope, service_id: str) -> tuple[dict[str, Json], str]:
        """One of them, and its tag. Raises NotFound."""
        request = pb.GetServiceConfigRequest(scope=scope_to_proto(scope), service_id=service_id)
        answer = await self._stub.GetServiceConfig(request, timeout=self._timeout)
        return json_object(answer.document), answer.tag

    async def put_service(
        self, scope: Scope, service_id: str, values: dict[str, Json], expected_tag: str = ""
    ) -> tuple[dict[str, Json], str]:
        """Replace one; as it is now, and its tag.

        Raises ValidationFailed, Unsupported where no secret can be kept, and RevisionConflict.
        """
        request = pb.PutServiceConfigRequest(
            scope=scope_to_proto(scope),
            service_id=service_id,
            document=orjson.dumps(values),
            expected_tag=expected_tag,
        )
        answer = await self._stub.PutServiceConfig(request, timeout=self._timeout)
        return json_object(answer.document), answer.tag

    async def delete_service(self, scope: Scope, service_id: str, expected_tag: str = "") -> None:
        """Forget one. Raises NotFound, RevisionConflict."""
        request = pb.DeleteServiceConfigRequest(
            scope=scope_to_proto(scope), service_id=service_id, expected_tag=expected_tag
        )
        await self._stub.DeleteServiceConfig(request, timeout=self._timeout)

    async def config(self, scope: Scope) -> list[dict[str, Json]]:
        """All keys with their values."""
        answer = await self._stub.ListConfig(pb.ListConfigRequest(scope=scope_to_proto(scope)), timeout=self._timeout)
        return [{"key": each.key, "value": json_value(each.value)} for each in answer.items]

    async def put_config(self, scope: Scope, key: str, value: Json) -> None:
        """Set one key. Raises ValidationFailed, Unsupported where no secret can be kept."""
        item = pb.ConfigItem(key=key, value=orjson.dumps(value))
        await self._stub.PutConfig(pb.PutConfigRequest(scope=scope_to_proto(scope), item=item), timeout=self._timeout)

    async def delete_config(self, scope: Scope, key: str) -> None:
        """Forget one key. Raises NotFound."""
        request = pb.DeleteConfigRequest(scope=scope_to_proto(scope), key=key)
        await self._stub.DeleteConfig(request, timeout=self._timeout)

    async def origins(self) -> dict[str, list[str]]:
        """The origins of every vendor that has some."""
        answer = await self._stub.ListOrigins(pb.ListOriginsRequest(), timeout=self._timeout)
        return {each.vendor: list(each.origins) for each in answer.vendors}

    async def origins_of(self, vendor: str) -> tuple[list[str], str] | None:
        """The origins of a vendor and their tag, or None where it has none."""
        answer = await self._stub.ListOrigins(pb.ListOriginsRequest(), timeout=self._timeout)
        return next(((list(each.origins), each.tag) for each in answer.vendors if each.vendor == vendor), None)

    async def put_origins(self, scope: Scope, vendor: str, origins: list[str], expected_tag: str = "") -> str:
        """Replace the origins of a vendor; their tag.

        Raises ValidationFailed, Conflict where there are too many vendors, and RevisionConflict.
        """
        request = pb.PutOriginsRequest(
            scope=scope_to_proto(scope),
            vendor=pb.VendorOrigins(vendor=vendor, origins=origins),
            expected_tag=expected_tag,
        )
        return (await self._stub.PutOrigins(request, timeout=self._timeout)).vendor.tag

    async def delete_origins(self, scope: Scope, vendor: str, expected_tag: str = "") -> None:
        """Forget the origins of a vendor. Raises NotFound, RevisionConflict."""
        request = pb.DeleteOriginsRequest(scope=scope_to_proto(scope), vendor=vendor, expected_tag=expected_tag)
        await self._stub.DeleteOrigins(request, timeout=self._timeout)


def _quota(quota: pb.Quota) -> dict[str, Json]:
    return {
        "id": quota.name,
        "name": quota.name,
        "source": quota.source,
        "defaultSource": quota.default_source,
        "isCustom": quota.is_custom,
        "revision": quota.revision,
        "changedBy": quota.changed_by or None,
        "mtime": moment(quota, "changed_at"),
    }


def _rule(rule: Rule) -> pb.AccessRule:
    return pb.AccessRule(role=rule.role, resource=rule.resource, actions=rule.actions, attributes=rule.attributes)
