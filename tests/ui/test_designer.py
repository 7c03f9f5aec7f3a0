"""A person in a browser: `ui/test/browser` plays it against a platform of its own; screenshots are kept."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import PATIENCE_SECONDS, ROOT
from .standing import browse, standing

pytestmark = pytest.mark.timeout(PATIENCE_SECONDS + 60)

PLAYED = sorted(
    {path.name.removesuffix(".test.ts") for path in (ROOT / "ui/test/browser").glob("*.test.ts")} - {"backoffice"}
)
"""What is played against a platform of its own; the Backoffice needs one that others use."""
SHOTS = ROOT / ".artifacts" / "ui"
LOADER_BYTES, CORE_BYTES, KIT_BYTES, DESIGNER_BYTES, CODE_BYTES = (each * 1024 for each in (3, 14, 40, 110, 130))
WIDGET_BYTES, COMPAT_BYTES, WIDGETS = 25 * 1024, 8 * 1024, 14
IMPORTED = re.compile(r"""(?:from|import)\s*[`"']\./([\w.-]+)[`"']""")
WIDGET = re.compile(r"""tag:[`"'](hr-[\w-]+)[`"'],load:.{0,20}?import\([`"']\./([\w.-]+)[`"']""")


@pytest.mark.parametrize("played", PLAYED)
async def test_a_browser_plays(played: str, chromium: Path, build: Path, node: str, tmp_path: Path) -> None:
    async with standing(build, tmp_path) as environ:
        told = {**environ, "HEADRACE_SHOTS": str(SHOTS), "CHROMIUM": str(chromium)}
        code, said = await browse(node, told, PATIENCE_SECONDS, played)

    assert code == 0, said[-6000:]


def test_what_a_page_loads_stays_within_its_budget(build: Path) -> None:
    """The loader; the designer and all that it needs; other widgets beyond what they share; the editor of code."""
    chunks = Chunks(build / "sdk")
    core = chunks.of("headrace.mjs")
    widgets = chunks.widgets(core)
    own = {tag: chunks.bytes(chunks.of(name) - core - chunks.shared) for tag, name in widgets.items()}
    code = sum(size for name, size in chunks.sizes.items() if name.startswith("code-"))

    assert chunks.sizes["headrace.js"] <= LOADER_BYTES
    assert chunks.bytes(core) <= CORE_BYTES
    assert chunks.bytes(chunks.shared) <= KIT_BYTES
    assert chunks.sizes["compat.js"] <= COMPAT_BYTES
    assert 0 < code <= CODE_BYTES
    assert chunks.bytes(core | chunks.of(widgets["hr-designer"])) <= DESIGNER_BYTES
    assert len(widgets) == WIDGETS
    assert {tag: size for tag, size in own.items() if tag != "hr-designer" and size > WIDGET_BYTES} == {}, own


def test_the_package_has_types(build: Path, node: str, tmp_path: Path) -> None:
    """The example in TypeScript compiles strictly against the build, as it would after `npm install`."""
    package = tmp_path / "node_modules" / "@headrace" / "sdk"
    package.parent.mkdir(parents=True)
    package.symlink_to(build / "sdk")
    example = tmp_path / "example.ts"
    example.write_text((ROOT / "docs/embedding/examples/typescript.ts").read_text())
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    compiler = ROOT / "ui/node_modules/typescript/bin/tsc"

    done = subprocess.run([node, str(compiler), *options, str(example)], capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout) == (0, "")


class Chunks:
    """The files of a build, compressed, and which of them come with which."""

    def __init__(self, folder: Path) -> None:
        files = [path for path in folder.iterdir() if path.suffix in {".js", ".mjs"}]
        self.sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in files}
        self._texts = {path.name: path.read_text() for path in files}
        self.shared = {name for name in self.sizes if name.startswith("kit")}

    def of(self, name: str) -> set[str]:
        """A file and all that it imports before it runs."""
        found, left = set[str](), [name]
        while left:
            each = left.pop()
            if each in self._texts and each not in found:
                found.add(each)
                left += IMPORTED.findall(self._texts[each])
        return found

    def widgets(self, core: set[str]) -> dict[str, str]:
        """The file of each widget's inside, by its element."""
        return dict(WIDGET.findall("".join(self._texts[name] for name in sorted(core))))

    def bytes(self, names: set[str]) -> int:
        return sum(self.sizes[name] for name in names)
