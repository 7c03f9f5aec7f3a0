"""The manifest of a component (`component.json`), as frozen values.

`parse_manifest` takes the public format, closed but for what lives inside ports, and Headrace's own additions:
`effect`, `idempotency`, `hosts` and `join`. The schemas inside are compiled where they are used,
by `headrace_core.schemas`.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Literal

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.flow import kind_of, normalize_type

Effect = Literal["pure", "read", "idempotent", "unsafe"]
EFFECTS: tuple[Effect, ...] = ("pure", "read", "idempotent", "unsafe")

DEFAULT_MAX_WAIT = timedelta(seconds=10)
LONGEST_MAX_WAIT = timedelta(milliseconds=120_000)

_NAME = re.compile(r"\w+(\.\w+){2,3}", re.ASCII)  # public connectors have some names without a module
_SERVICE = re.compile(r"[\w.-]+(:[\w.-]+){1,2}", re.ASCII)
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")

KINDS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "label": (str,),
    "description": (str,),
    "icon": (str,),
    "marker": (str,),
    "shape": (str,),
    "author": (str,),
    "version": (str,),
    "private": (bool,),
    "tick": (bool,),
    "webhook": (bool,),
    "webhookAsync": (bool,),
    "trigger": (bool,),
    "continuityScope": (bool, dict, str),
    "inPorts": (list,),
    "outPorts": (list,),
    "properties": (dict,),
    "auth": (dict,),
    "authConfig": (dict, str),
    "config": (dict, str),
    "quota": (dict,),
    "state": (dict,),
    "dependencies": (dict,),
    "firePatterns": (list,),
    "localization": (dict,),
    "effect": (str,),
    "idempotency": (str, dict),
    "hosts": (list,),
    "join": (str,),
}
"""Every key of a manifest, and what its value may be."""

_KIND_NAMES: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class InPort:
    """Where messages come in. `schema` None accepts everything."""

    name: str
    schema: Json = None
    inspector: Mapping[str, Json] = field(default_factory=dict)
    source: Mapping[str, Json] | None = None
    max_connections: int | None = None

    @property
    def inputs(self) -> Mapping[str, Json]:
        """The form fields of the inspector."""
        return _object(self.inspector.get("inputs"))


@dataclass(frozen=True, slots=True)
class OutPort:
    """Where messages leave. A port with a `source` gets its options from a call to a component."""

    name: str
    options: tuple[Mapping[str, Json], ...] = ()
    schema: Json = None
    source: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class AuthNeed:
    """The account that a component asks for."""

    service: str
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """The quota that a component's calls are counted against. No manager: nothing is counted."""

    manager: str = ""
    resources: tuple[str, ...] = ()
    scope: Mapping[str, Json] = field(default_factory=dict)
    max_wait: timedelta = DEFAULT_MAX_WAIT
    concurrency: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What a component says about itself. `name` is as published, `type` is the canonical form of it."""

    name: str
    raw: Mapping[str, Json] = field(repr=False)
    in_ports: tuple[InPort, ...] = ()
    out_ports: tuple[OutPort, ...] = ()
    auth: AuthNeed | None = None
    quota: QuotaUse | None = None
    fire_patterns: tuple[Json, ...] = ()
    hosts: tuple[str, ...] = ()
    effect: Effect = "unsafe"
    joins_links: bool = False

    @property
    def type(self) -> str:
        """The canonical component type."""
        return normalize_type(self.name)

    @property
    def label(self) -> str:
        """The name that people see: the label, or the last part of the name."""
        return str(self.raw.get("label") or self.name.rpartition(".")[2])

    @property
    def version(self) -> str:
        """The component's version; 1.0.0 where it names none."""
        return str(self.raw.get("version", "1.0.0"))

    @property
    def is_private(self) -> bool:
        """Hidden from the designer; may still be called statically."""
        return self.raw.get("private") is True

    @property
    def ticks(self) -> bool:
        """Whether the engine polls it."""
        return self.raw.get("tick") is True

    @property
    def has_webhook(self) -> bool:
        """Whether it has an address that others can call."""
        return self.raw.get("webhook") is True

    @property
    def is_trigger(self) -> bool:
        """Whether runs begin here: it says so, or nothing can come in."""
        return self.raw.get("trigger") is True or not self.in_ports

    @property
    def keeps_state(self) -> bool:
        """Whether its state outlives a stop of the flow."""
        return _object(self.raw.get("state")).get("persistent") is True

    @property
    def properties_schema(self) -> Json:
        """The JSON Schema of the design-time settings, or None."""
        return _object(self.raw.get("properties")).get("schema")

    @property
    def properties_inspector(self) -> Mapping[str, Json]:
        """The form of the design-time settings."""
        return _object(_object(self.raw.get("properties")).get("inspector"))

    @property
    def has_dynamic_out_ports(self) -> bool:
        """Whether its out-ports are found out by a call, so that any name may turn out to be one."""
        return isinstance(self.raw.get("outPorts"), list) and any(
            isinstance(port, dict) and "source" in port and "name" not in port for port in _list(self.raw["outPorts"])
        )

    @property
    def idempotency(self) -> Json:
        """How the outside can be asked whether a step happened: as the manifest says it, or None."""
        return self.raw.get("idempotency")

    @cached_property
    def _ports_in(self) -> Mapping[str, InPort]:
        return {port.name: port for port in self.in_ports}

    @cached_property
    def _ports_out(self) -> Mapping[str, OutPort]:
        return {port.name: port for port in self.out_ports}

    def in_port(self, name: str) -> InPort | None:
        """The in-port of that name, or None."""
        return self._ports_in.get(name)

    def out_port(self, name: str) -> OutPort | None:
        """The out-port of that name, or None."""
        return self._ports_out.get(name)

    @cached_property
    def default_properties(self) -> Mapping[str, Json]:
        """The settings that hold where the user chose nothing. The form's default wins over the schema's."""
        return _defaults(self.properties_schema, _object(self.properties_inspector.get("inputs")))

    def default_inputs(self, in_port: str) -> Mapping[str, Json]:
        """The values that the form of an in-port starts with."""
        port = self.in_port(in_port)
        return _defaults(port.schema, port.inputs) if port else {}

    def overridden(self, override: Json) -> "Manifest":
        """This manifest with a node's own `manifest` laid over it, key by key.

        What decides about rights and safety stays as published: see `PROTECTED`. Raises ValidationFailed when the
        result is no manifest.
        """
        if not isinstance(override, dict):
            return self
        changes = {key: value for key, value in override.items() if key not in PROTECTED}
        return parse_manifest({**self.raw, **changes}) if changes else self


PROTECTED = frozenset(
    {"name", "private", "auth", "authConfig", "config", "quota", "state", "effect", "idempotency", "hosts", "join"}
)
"""Keys that a node's override cannot change: they decide whose secrets a component sees and what a retry may repeat."""


def parse_manifest(value: Json) -> Manifest:
    """Read a manifest. Raises ValidationFailed with every problem found."""
    if not isinstance(value, dict):
        said = f"A manifest is an object, and this is {kind_of(value)}."
        raise ValidationFailed([Problem("manifest", said, 'Write {"name": "vendor.service.module.Component", …}.')])
    reader = _Reader(value)
    manifest = reader.manifest()
    if reader.problems:
        raise ValidationFailed(reader.problems, f"The manifest {reader.name or 'without a name'}: {reader.summary()}")
    return manifest


class _Reader:
    """Reads one manifest and keeps every problem it meets on the way."""

    def __init__(self, value: dict[str, Json]) -> None:
        self.value = value
        self.problems: list[Problem] = []
        name = value.get("name")
        self.name = name if isinstance(name, str) else ""

    def add(self, path: str, message: str, fix: str = "", port: str = "") -> None:
        self.problems.append(Problem(f"manifest.{path}", message, fix, port=port, field=path))

    def summary(self) -> str:
        rest = len(self.problems) - 1
        return str(self.problems[0]) + (f" (and {rest} more)" if rest else "")

    def manifest(self) -> Manifest:
        self.keys()
        return Manifest(
            name=self.name,
            raw=self.value,
            in_ports=self.in_ports(),
            out_ports=self.out_ports(),
            auth=self.auth(),
            quota=self.quota(),
            fire_patterns=self.fire_patterns(),
            hosts=self.hosts(),
            effect=self.effect(),
            joins_links=self.joins_links(),
        )

    def keys(self) -> None:
        example = "Write vendor.service.module.Component."
        if "name" not in self.value:
            self.add("name", "The manifest has no name.", example)
        elif isinstance(self.value["name"], str) and not _NAME.fullmatch(self.name):
            self.add("name", f"{self.name[:200]!r} is not three or four words with dots between them.", example)
        for key, value in self.value.items():
            kinds = KINDS.get(key)
            if kinds is None:
                self.add(key[:200], "A manifest has no such key.", _nearest(key, list(KINDS)))
            elif not isinstance(value, kinds):
                wanted = " or ".join(_KIND_NAMES[kind] for kind in kinds)
                self.add(key, f"It is {kind_of(value)}.", f"Write {wanted}.")

    def object_at(self, holder: Mapping[str, Json], key: str, path: str, port: str = "") -> Mapping[str, Json] | None:
        found = holder.get(key)
        if found is None or isinstance(found, dict):
            return found
        self.add(path, f"It is {kind_of(found)}.", "Write an object.", port=port)
        return None

    def ports(self, key: str) -> list[tuple[str, str, Mapping[str, Json]]]:
        """(path, name, object) of each port; a port written as text is an object with that name."""
        found: list[tuple[str, str, Mapping[str, Json]]] = []
        seen: set[str] = set()
        for index, port in enumerate(_list(self.value.get(key))):
            path = f"{key}[{index}]"
            as_object = {"name": port} if isinstance(port, str) else port
            if not isinstance(as_object, dict):
                self.add(path, f"A port is text or an object, and this is {kind_of(port)}.", 'Write {"name": "…"}.')
                continue
            name = as_object.get("name")
            if name is None and key == "outPorts" and isinstance(as_object.get("source"), dict):
                continue
            if not isinstance(name, str) or not name:
                self.add(f"{path}.name", "The port has no name.", 'Write {"name": "in"} or the like.')
                continue
            if name in seen:
                self.add(f"{path}.name", f"There are two ports {name!r}.", "Rename one of them.", port=name)
            seen.add(name)
            found.append((path, name, as_object))
        return found

    def schema_at(self, port: Mapping[str, Json], path: str, name: str) -> Json:
        schema = port.get("schema")
        if schema is None or isinstance(schema, dict | bool):
            return schema
        self.add(f"{path}.schema", f"It is {kind_of(schema)}.", "Write a JSON Schema, an object.", port=name)
        return None

    def in_ports(self) -> tuple[InPort, ...]:
        return tuple(
            InPort(
                name=name,
                schema=self.schema_at(port, path, name),
                inspector=self.object_at(port, "inspector", f"{path}.inspector", name) or {},
                source=self.object_at(port, "source", f"{path}.source", name),
                max_connections=self.max_connections(port, path, name),
            )
            for path, name, port in self.ports("inPorts")
        )

    def max_connections(self, port: Mapping[str, Json], path: str, name: str) -> int | None:
        found = port.get("maxConnections")
        if found is None or (isinstance(found, int) and not isinstance(found, bool) and found >= 1):
            return found
        if found != -1:  # -1 is how the format says "any number"
            self.add(f"{path}.maxConnections", f"It is {found!s:.40}.", "Write a whole number from 1.", port=name)
        return None

    def out_ports(self) -> tuple[OutPort, ...]:
        return tuple(
            OutPort(
                name=name,
                options=self.options(port, path, name),
                schema=self.schema_at(port, path, name),
                source=self.object_at(port, "source", f"{path}.source", name),
            )
            for path, name, port in self.ports("outPorts")
        )

    def options(self, port: Mapping[str, Json], path: str, name: str) -> tuple[Mapping[str, Json], ...]:
        options = port.get("options")
        if options is None:
            return ()
        if not isinstance(options, list):
            self.add(f"{path}.options", f"It is {kind_of(options)}.", "Write a list.", port=name)
            return ()
        kept: list[Mapping[str, Json]] = []
        for index, option in enumerate(options):
            if isinstance(option, str):
                kept.append({"label": option, "value": option})
            elif isinstance(option, dict):
                kept.append(option)
            else:
                said = f"An option is an object, and this is {kind_of(option)}."
                self.add(f"{path}.options[{index}]", said, 'Write {"label": "…", "value": "…"}.', port=name)
        return tuple(kept)

    def auth(self) -> AuthNeed | None:
        auth = _object(self.value.get("auth"))
        if not auth:
            return None
        service = auth.get("service")
        if not isinstance(service, str) or not _SERVICE.fullmatch(service):
            fix = "Write vendor:service or vendor:service:module."
            self.add("auth.service", "The service whose account is needed is not named.", fix)
            return None
        return AuthNeed(service, self.texts(auth.get("scope"), "auth.scope"))

    def texts(self, value: Json, path: str) -> tuple[str, ...]:
        """A list of texts; a single text counts as a list of one."""
        listed = [value] if isinstance(value, str) else value
        if listed is None:
            return ()
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            self.add(path, "It is not a list of texts.", 'Write ["…"].')
            return ()
        return tuple(str(each) for each in listed)

    def quota(self) -> QuotaUse | None:
        quota = _object(self.value.get("quota"))
        if not quota:
            return None
        manager = quota.get("manager", "")
        if not isinstance(manager, str):
            self.add("quota.manager", f"It is {kind_of(manager)}.", "Write vendor:service.")
        return QuotaUse(
            manager=manager if isinstance(manager, str) else "",
            resources=self.texts(quota.get("resources"), "quota.resources"),
            scope=self.object_at(quota, "scope", "quota.scope") or {},
            max_wait=self.max_wait(quota.get("maxWait")),
            concurrency=self.concurrency(quota.get("concurrency")),
        )

    def max_wait(self, value: Json) -> timedelta:
        if value is None:
            return DEFAULT_MAX_WAIT
        wait = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value
        if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= 10**9:
            self.add("quota.maxWait", f"It is {value!s:.40}.", "Write milliseconds, below 120000.")
            return DEFAULT_MAX_WAIT
        return min(timedelta(milliseconds=wait), LONGEST_MAX_WAIT)

    def concurrency(self, value: Json) -> int | None:
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
            return value
        self.add("quota.concurrency", f"It is {value!s:.40}.", "Write a whole number from 1.")
        return None

    def fire_patterns(self) -> tuple[Json, ...]:
        """One pattern as written, or each of several alternatives."""
        patterns = _list(self.value.get("firePatterns"))
        alternatives = patterns if all(isinstance(each, list) for each in patterns) else [patterns]
        for index, pattern in enumerate(alternatives):
            if not all(symbol in ("0", "1", "*", "M", "A", 0, 1) for symbol in _list(pattern)):
                fix = "Each symbol is one of 0, 1, *, M and A, one for each in-port."
                self.add(f"firePatterns[{index}]", "There is an unknown symbol.", fix)
        return tuple(alternatives)

    def hosts(self) -> tuple[str, ...]:
        hosts = self.texts(self.value.get("hosts"), "hosts")
        for host in hosts:
            if not _HOST.fullmatch(host):
                fix = "Write a host name in lower case, for instance api.example.com or *.example.com."
                self.add("hosts", f"{host[:200]!r} is no host.", fix)
        return hosts

    def effect(self) -> Effect:
        found = self.value.get("effect", "unsafe")
        for effect in EFFECTS:
            if found == effect:
                return effect
        if isinstance(found, str):
            self.add("effect", f"{found[:40]!r} is no effect.", f"Choose one of {', '.join(EFFECTS)}.")
        return "unsafe"

    def joins_links(self) -> bool:
        found = self.value.get("join")
        if isinstance(found, str) and found != "links":
            self.add("join", f"{found[:40]!r} is no way to join.", 'Write "links", or leave it out.')
        return found == "links"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Remove it."


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _defaults(schema: Json, inputs: Mapping[str, Json]) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for name, described in _object(_object(schema).get("properties")).items():
        if isinstance(described, dict) and "default" in described:
            found[name] = described["default"]
    for name, described in inputs.items():
        for key in ("default", "defaultValue"):
            if isinstance(described, dict) and key in described:
                found[name] = described[key]
    return found
