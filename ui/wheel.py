"""Puts the built user interface into the wheel, where there is a build. Editable installs serve `ui/dist` as it is."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class UserInterface(BuildHookInterface[Any]):
    """Hatchling's hook; it finds the class by its base."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        built = Path(self.root) / "ui" / "dist"
        if version == "standard" and (built / "index.html").is_file():
            build_data["force_include"][str(built)] = "headrace_gateway/ui_dist"
