"""A component in JavaScript sees its bundle and its own folder, and no file of the host. S7, for files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from headrace_executor.model import RunState
from headrace_runner import landlock
from headrace_runtime.nodejs import find_node

from .platform import HandedFlows, platform
from .published import Shelf
from .test_runner_poison import STRICT
from .test_runners import WORKER, put, run, sent

PROBES = {
    "users": "fs.readFileSync('/etc/passwd')",
    "a folder of the system": "fs.readdirSync('/etc')",
    "the root": "fs.readdirSync('/')",
    "temporary files": "fs.readdirSync('/tmp')",
    "what the executor keeps": "fs.readFileSync(secret)",
    "its folder": "fs.readdirSync(path.dirname(secret))",
    "its environment": "fs.readFileSync(`/proc/${parent}/environ`)",
    "its command line": "fs.readFileSync(`/proc/${parent}/cmdline`)",
    "its open files": "fs.readdirSync(`/proc/${parent}/fd`)",
    "the first process": "fs.readFileSync('/proc/1/cmdline')",
    "all processes": "fs.readdirSync('/proc')",
    "by way of itself": "fs.readFileSync('/proc/self/root/etc/passwd')",
    "by way of its folder": "fs.readFileSync(path.relative('.', '/etc/passwd'))",
    "by a link": "(fs.symlinkSync('/etc/passwd', 'link'), fs.readFileSync('link'))",
    "by a hard link": "(fs.linkSync(secret, 'hard'), fs.readFileSync('hard'))",
    "by moving it": "fs.renameSync(secret, 'mine')",
    "by a copy": "fs.copyFileSync('/etc/passwd', 'copy')",
    "as a module": "require('/etc/passwd')",
    "as a package": "require(secret.replace('secret.json', 'secret.js'))",
    "asynchronously": "await fs.promises.readFile('/etc/passwd')",
    "as a stream": (
        "await new Promise((done, fail) => fs.createReadStream('/etc/passwd').on('error', fail).on('data', done))"
    ),
    "writing there": "fs.writeFileSync(`${secret}.new`, 'x')",
    "writing over it": "fs.writeFileSync(secret, 'x')",
    "cutting it short": "fs.truncateSync(secret)",
    "removing it": "fs.unlinkSync(secret)",
    "making a folder": "fs.mkdirSync(`${path.dirname(secret)}/new`)",
    "shared memory": "fs.writeFileSync('/dev/shm/headrace-probe', 'x')",
    "a terminal": "fs.openSync('/dev/ptmx', 'r+')",
    "the kernel's settings": "fs.readdirSync('/sys')",
}
REFUSED = ("EACCES", "EPERM", "EXDEV", "MODULE_NOT_FOUND")
COMPONENT = """
    const fs = require('fs');
    const path = require('path');
    module.exports = {{
        async receive(context) {{
            const {{ secret, parent }} = context.messages.in.content.data;
            const seen = {{}};
            {probes}
            fs.writeFileSync('own', 'mine');
            seen.own = fs.readFileSync('own', 'utf8');
            seen.bundle = fs.readFileSync(`${{__dirname}}/component.json`, 'utf8').length > 0;
            await context.sendJson(seen, 'out');
        }}
    }};
    """


def attempts() -> str:
    tries = "try {{ {probe}; seen[{name}] = 'it worked'; }} catch (error) {{ seen[{name}] = error.code; }}"
    return "\n".join(tries.format(probe=probe, name=json.dumps(name)) for name, probe in PROBES.items())


def secrets(folder: Path) -> dict[str, object]:
    """A file of the executor's, and a module beside it."""
    kept = folder / "kept"
    kept.mkdir()
    (kept / "secret.json").write_text('{"password": "secret of the executor"}')
    (kept / "secret.js").write_text("module.exports = 'secret of the executor';")
    return {"secret": str(kept / "secret.json"), "parent": os.getpid()}


needs_landlock = pytest.mark.skipif(
    landlock.release_of_kernel() < 3, reason="This kernel has no Landlock, or an old one."
)


@needs_landlock
async def test_a_component_opens_no_file_of_the_host(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript(COMPONENT.format(probes=attempts())))
    given = secrets(tmp_path)

    async with platform(tmp_path, flows, shelf=shelf, runners=STRICT) as here:
        detail = await run(here, content=given)

    assert detail.run.state is RunState.DONE, detail.steps
    [seen] = sent(detail)
    assert (seen.pop("own"), seen.pop("bundle")) == ("mine", True)
    assert {name: code for name, code in seen.items() if code not in REFUSED} == {}
    assert await asyncio.to_thread(Path(str(given["secret"])).exists)


def test_every_one_of_these_works_where_nothing_is_confined(tmp_path: Path) -> None:
    """Else the probes would prove nothing."""
    given = secrets(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    for name, probe in PROBES.items():
        Path(str(given["secret"])).write_text("{}")
        (work / "link").unlink(missing_ok=True)
        code = (
            "const fs = require('fs'), path = require('path');"
            f"const {{ secret, parent }} = {json.dumps(given)};(async () => {{ {probe}; }})()"
        )
        tried = subprocess.run([str(find_node()), "--eval", code], capture_output=True, cwd=work, timeout=60)
        # What is no module is read and then does not parse.
        assert tried.returncode == 0 or b"SyntaxError" in tried.stderr, (name, tried.stderr)
    Path("/dev/shm/headrace-probe").unlink(missing_ok=True)


async def test_a_folder_that_is_opened_is_there(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "in").write_text("read")
    code = f"""
        const fs = require('fs');
        module.exports = {{
            async receive(context) {{
                fs.writeFileSync('{shared}/out', 'written');
                await context.sendJson(fs.readFileSync('{shared}/in', 'utf8'), 'out');
            }}
        }};
        """
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript(code))

    runners = replace(STRICT, folders=(str(shared),))
    async with platform(tmp_path, flows, shelf=shelf, runners=runners) as here:
        detail = await run(here)

    assert sent(detail) == ["read"]
    assert (shared / "out").read_text() == "written"


@needs_landlock
async def test_python_goes_on_where_javascript_is_refused_for_want_of_isolation(tmp_path: Path) -> None:
    """What is refused is told by the launcher; on this machine nothing has to be."""
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript("module.exports = { receive: (context) => context.sendJson(1, 'out') };"), "js")
    put(flows, shelf.publish(WORKER), "py")

    async with platform(tmp_path, flows, shelf=shelf, runners=replace(STRICT, isolation="refuse")) as here:
        assert sent(await run(here, "js")) == [1]
        assert sent(await run(here, "py"))


@pytest.mark.parametrize(("refuses", "code"), [(True, os.EX_CONFIG), (False, 0)])
def test_a_launcher_says_what_the_kernel_lacks(tmp_path: Path, refuses: bool, code: int) -> None:
    """A kernel that lacks both is played: one call has a number that no kernel knows, the other no machine."""
    orders = {
        "parent": os.getpid(), "cpu_seconds": 60, "open_files": 64, "file_bytes": 1024, "read": [], "write": [],
        "sockets": [], "refuses": refuses, "command": ["/bin/true"],
    }  # fmt: skip
    launcher = (
        "import sys, json\n"
        "from headrace_runner import confinement, landlock, launching\n"
        "landlock._CREATE = 100_000\n"
        "confinement._MACHINES.clear()\n"
        "launching.main()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", launcher, json.dumps(orders)], capture_output=True, timeout=60, cwd=tmp_path
    )

    assert told.returncode == code, told.stderr
    assert b"Landlock" in told.stderr
    assert (b"HEADRACE_RUNNER_ISOLATION" in told.stderr) is refuses
