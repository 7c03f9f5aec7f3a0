"""A world with a file in it, and the calls of a node."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from headrace_core import Json
from headrace_sdk import CancelError, Component, JsonObject
from headrace_sdk.testing import Outcome, World, run_component


@dataclass
class Desk:
    """Files, and the nodes that work on them."""

    world: World = field(default_factory=World)

    async def file(self, content: str | bytes, name: str = "pets.csv") -> str:
        written = content.encode() if isinstance(content, str) else content
        return (await self.world.files.save(name, written, "text/csv")).file_id

    def bytes_of(self, file_id: str) -> bytes:
        return self.world.files.contents[file_id]

    def text_of(self, file_id: str) -> str:
        return self.bytes_of(file_id).decode()

    async def run(
        self, component: type[Component], properties: JsonObject | None = None, /, **content: Json
    ) -> Outcome:
        return await run_component(component, content=content, properties=properties, world=self.world)

    async def step(self, name: str, component: type[Component], /, **content: Json) -> Outcome:
        """Run the step of that name; what has the name of an earlier one is its repetition."""
        return await run_component(component, content=content, world=self.world, step_id=name)

    async def cut_short(self, name: str, component: type[Component], /, **content: Json) -> None:
        """Run a step that dies when it has done everything but to send and commit."""
        with pytest.raises(CancelError, match="no out-port"):
            await run_component(component, content=content, world=self.world, step_id=name, out_ports=["elsewhere"])

    async def sent(self, component: type[Component], properties: JsonObject | None = None, /, **content: Json) -> Json:
        """What the node's only message holds."""
        [(_, value)] = (await self.run(component, properties, **content)).outputs
        return value

    async def edited(
        self, component: type[Component], before: str, properties: JsonObject | None = None, /, **content: Json
    ) -> str:
        """What becomes of a file that holds `before`; its id is all that is sent."""
        target = await self.file(before)
        outcome = await self.run(component, properties, fileId=target, **content)
        assert outcome.outputs == [("fileId", {"fileId": target})]
        return self.text_of(target)


@pytest.fixture
def desk() -> Desk:
    return Desk()
