"""npm packages of a bundle are had once, when it is published; who runs it needs nobody for them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from headrace_core import bundles
from headrace_core.errors import BadRequest
from headrace_executor.model import RunState
from headrace_executor.ports import PublishedComponent
from headrace_executor.runners.bundles import Bundles
from headrace_flow_manager.catalog import packages
from headrace_flow_manager.npm import Npm
from headrace_runtime import packages_archive

from tests.executor.platform import HandedFlows, platform
from tests.executor.test_runners import QUICK, put, run, sent

from .house import House, open_house
from .registry import registry
from .test_publishing import developer, publish, read

ROOT = "zoo/words/core/Say"
TYPE = "zoo.words.core.Say"
MANIFEST = {"name": TYPE, "inPorts": ["in"], "outPorts": ["out"]}
CODE = """
const fs = require('fs');
const word = require('left-word');
module.exports = {
    async receive(context) {
        const scripts = fs.existsSync(require.resolve('left-word').replace('index.js', 'installed-by-a-script'));
        await context.sendJson({ word: word(), lodash: require('lodash'), scripts }, 'out');
    }
};
"""
PACKAGES = {
    "left-word@1.2.3": {
        "index.js": "module.exports = () => 'left ' + require('./other');",
        "other.js": "module.exports = 1;",
        "index.d.ts": "left out",
        "README.md": "left out",
    },
    "lodash@4.17.21": {"index.js": "module.exports = 'undeclared';"},
}


def connector(**dependencies: str) -> dict[str, bytes]:
    return {
        "zoo/words/package.json": json.dumps({"name": "zoo.words", "dependencies": dependencies}).encode(),
        f"{ROOT}/component.json": json.dumps(MANIFEST).encode(),
        f"{ROOT}/Say.js": CODE.encode(),
    }


class Source:
    """Bundles as the flow manager gives them out."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        async for piece in self._house.app.publishing.bundle(bundle_id):
            yield piece


async def content_of(house: House) -> str:
    return (await house.app.publishing._store.published()).contents["zoo.words"]


async def test_packages_are_installed_at_publishing_and_there_when_the_component_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path, packages=Npm()) as house:
        ann = await developer(house, "dev", "zoo")
        with registry(PACKAGES, monkeypatch) as shop:
            told = await publish(house, ann, connector(**{"left-word": "^1.0.0"}))
            assert not told.error, told
            asked = len(shop.asked)
            changed = {**connector(**{"left-word": "^1.0.0"}), f"{ROOT}/Say.js": CODE.encode() + b"// other"}
            assert not (await publish(house, ann, changed)).error
            assert len(shop.asked) == asked, "the same packages are not asked for again"
        flows, folder = HandedFlows(), tmp_path / "executor"
        folder.mkdir()
        put(flows, PublishedComponent(TYPE, MANIFEST, await content_of(house), ROOT, "javascript"))
        async with platform(folder, flows, shelf=Source(house), runners=QUICK) as here:  # the registry is gone
            detail = await run(here)
        given_back = await read(house, ann, "zoo.words")

    assert detail.run.state is RunState.DONE, detail.steps
    assert sent(detail) == [{"word": "left 1", "lodash": "undeclared", "scripts": False}]
    assert sorted(given_back) == sorted(connector()), "an author gets back what an author wrote"


@pytest.mark.parametrize(
    ("dependencies", "said"),
    [
        ({"no-such-package": "1.0.0"}, "404"),
        ({"left-word": "^9.0.0"}, "No matching version"),
        ({"left-word": "file:../../.."}, "no version of a registered package"),
        ({"left-word": "git+ssh://somewhere/else"}, "no version of a registered package"),
        ({"left-word": "http://10.0.0.1/a.tgz"}, "no version of a registered package"),
        ({"../left": "1.0.0"}, "no version of a registered package"),
    ],
)
async def test_a_ticket_says_which_packages_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dependencies: dict[str, str], said: str
) -> None:
    async with open_house(tmp_path, packages=Npm()) as house:
        ann = await developer(house, "dev", "zoo")
        with registry(PACKAGES, monkeypatch) as shop:
            told = await publish(house, ann, connector(**dependencies))

    assert [each.file for each in told.findings] == ["zoo/words/package.json"]
    assert said in told.findings[0].message
    assert told.findings[0].data_path == f".dependencies.{next(iter(dependencies))}"
    assert shop.url not in told.findings[0].message
    assert not told.types


async def test_a_repository_at_github_is_had_as_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry on this machine stands for GitHub: what npm fetches has the path that GitHub gives to archives."""
    with registry(PACKAGES, monkeypatch) as shop:
        shop.archives["zoo/left-word/tar.gz/v1"] = shop.archives["left-word"]
        async with open_house(tmp_path, packages=Npm(archives=shop.url)) as house:
            ann = await developer(house, "dev", "zoo")
            told = await publish(house, ann, connector(**{"left-word": "https://github.com/zoo/left-word.git#v1"}))
            files = await Bundles(tmp_path / "kept", Source(house), 2**30).folder(await content_of(house))

    assert not told.error, told
    assert "/zoo/left-word/tar.gz/v1" in shop.asked
    assert (files / "zoo/words/node_modules/left-word/index.js").read_text() == PACKAGES["left-word@1.2.3"]["index.js"]


def test_repositories_are_known_by_all_their_spellings() -> None:
    for spelled in ("https://github.com/a/b.git#c", "git+https://github.com/a/b#c", "github:a/b#c"):
        assert packages.github(spelled) == ("a", "b", "c")
    assert packages.github("https://github.com/a/b.js") == ("a", "b.js", "HEAD")
    for other in ("https://example.com/a/b", "github:a/../b", "https://github.com/a/b/c", "git@github.com:a/b"):
        assert packages.github(other) is None


async def test_without_npm_a_ticket_says_what_to_install(tmp_path: Path) -> None:
    async with open_house(tmp_path, packages=Npm(str(tmp_path / "npm"))) as house:
        ann = await developer(house, "dev", "zoo")
        told = await publish(house, ann, connector(**{"left-word": "^1.0.0"}))

    assert "install Node.js" in told.findings[0].message


async def test_an_author_cannot_name_the_packages_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = {f"zoo/words/{bundles.PACKAGES}": b'{"wanted": "", "content": "' + b"a" * 64 + b'"}'}
    async with open_house(tmp_path, packages=Npm()) as house:
        ann = await developer(house, "dev", "zoo")
        with registry(PACKAGES, monkeypatch):
            await publish(house, ann, {**connector(**{"left-word": "1.2.3"}), **forged})
        files = await Bundles(tmp_path / "kept", Source(house), 2**30).folder(await content_of(house))

        assert b"a" * 64 not in (files / f"zoo/words/{bundles.PACKAGES}").read_bytes()


async def test_packages_go_with_the_last_bundle_that_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house(tmp_path, packages=Npm()) as house:
        ann = await developer(house, "dev", "zoo")
        with registry(PACKAGES, monkeypatch):
            await publish(house, ann, connector(**{"left-word": "1.2.3"}))
        store = house.app.publishing._store
        kept = {each.content_id for each in await store.marks()}
        await house.app.publishing.prune()
        house.clock.advance(timedelta(hours=2))
        await house.app.publishing.prune()
        assert {each.content_id for each in await store.marks()} == kept, "both are used"

        await house.app.publishing.remove(ann, "zoo.words")
        await house.app.publishing.prune()
        house.clock.advance(timedelta(hours=2))
        await house.app.publishing.prune()

        assert len(kept) == 2
        assert not await store.marks()


def test_only_what_is_loaded_undeclared_is_added_from_the_base() -> None:
    files = {
        "zoo/a/package.json": b'{"dependencies": {"axios": "0.1.0"}}',
        "zoo/a/lib.js": b"require('axios'); require('lodash/get'); require('./moment'); require('x'); require('fs');",
        "zoo/a/m/C/C.js": b"const uuid = await import('uuid');",
    }

    assert packages.wanted_by(files) == {
        "zoo/a": {"axios": "0.1.0", "lodash": packages.BASE["lodash"], "uuid": packages.BASE["uuid"]}
    }
    assert packages.wanted_by({**files, "zoo/a/lib.js": b"", "zoo/a/m/C/C.js": b""}) == {"zoo/a": {"axios": "0.1.0"}}
    assert packages.wanted_by({"zoo/a/package.json": files["zoo/a/package.json"]}) == {}, "there is no JavaScript"


def test_an_archive_of_packages_writes_nowhere_else(tmp_path: Path) -> None:
    for name, kind in (("../out", tarfile.REGTYPE), ("/tmp/out", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc"
            archive.addfile(entry, io.BytesIO())
        inside = tmp_path / "inside"
        inside.mkdir(exist_ok=True)
        try:
            packages_archive.unpack(packed.getvalue(), inside)
        except BadRequest:
            continue
        assert name == "/tmp/out", "the leading slash is taken away"
    assert [each.name for each in tmp_path.iterdir()] == ["inside"]


async def test_packages_are_had_once_though_others_publish_meanwhile(tmp_path: Path) -> None:
    """A source that takes its time: while it does, somebody else publishes, and the first has to look again."""

    class Slow:
        def __init__(self) -> None:
            self.packed = 0

        async def pack(self, wanted: packages.Wanted) -> bytes:
            self.packed += 1
            bob = await developer(house, "bob", "ark")
            other = {"ark/a/core/B/component.json": b'{"name": "ark.a.core.B"}', "ark/a/core/B/component.py": b"1"}
            assert not (await publish(house, bob, other)).error
            return packages_archive.pack(tmp_path, [])

    slow = Slow()
    async with open_house(tmp_path, packages=slow) as house:
        ann = await developer(house, "dev", "zoo")
        told = await publish(house, ann, connector(**{"left-word": "1.2.3"}))

    assert not told.error
    assert slow.packed == 1
