"""Where components in JavaScript may connect to, whatever library they use: it is what the egress guard says."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from headrace_executor.model import RunState
from headrace_executor.runners.contract import egress_orders
from headrace_executor.runners.languages import NODE_FOLDER
from headrace_runtime.egress import EgressPolicy, EgressRefused
from headrace_runtime.egress.addresses import unmapped
from headrace_runtime.nodejs import find_node

from tests.listening import listening

from .platform import HandedFlows, platform
from .published import Shelf
from .test_runners import QUICK, put, run, sent

ADDRESSES = [
    "1.1.1.1", "8.8.8.8", "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.32.0.1", "192.168.1.1",
    "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.1.1", "192.0.0.192", "168.63.129.16", "192.88.99.1",
    "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "2606:4700::1111", "::1", "::",
    "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "4000::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b:1::1", "5f00::1", "3fff::1", "100::1",
]  # fmt: skip
POLICIES = [
    EgressPolicy(),
    EgressPolicy(allow_private=True),
    EgressPolicy(allowed_networks=("10.0.0.0/8", "169.254.0.0/16")),
    EgressPolicy(allowed_networks=("169.254.169.254/32",)),
]
JUDGE = """
import { Egress } from 'FOLDER/egress.js';
const { orders, addresses } = JSON.parse(process.argv[1]);
const egress = new Egress(orders);
const isAllowed = (address) => {
    try {
        egress.checkAddress(address, 'host');
        return true;
    } catch {
        return false;
    }
};
console.log(JSON.stringify(addresses.map(isAllowed)));
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_javascript_may_connect_where_the_guard_says(policy: EgressPolicy) -> None:
    given = json.dumps({"orders": egress_orders(policy), "addresses": ADDRESSES})
    judge = JUDGE.replace("FOLDER", NODE_FOLDER.as_uri())
    command = [str(find_node()), "--input-type=module", "--eval", judge, given]
    told = subprocess.run(command, capture_output=True, check=True, timeout=30)

    assert dict(zip(ADDRESSES, json.loads(told.stdout), strict=True)) == {
        each: _is_allowed(policy, each) for each in ADDRESSES
    }


def _is_allowed(policy: EgressPolicy, address: str) -> bool:
    try:
        policy.check_address(unmapped(ip_address(address)), "host")
    except EgressRefused:
        return False
    return True


@asynccontextmanager
async def server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on this machine: its address, and what it heard."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        body = await reader.readexactly(size)
        heard.append(head + body)
        path = head.split(b" ")[1].decode()
        status, headers, content = 200, {"Content-Type": "application/json"}, json.dumps({"path": path}).encode()
        if path.startswith("/status/"):
            status = int(path.rpartition("/")[2])
        elif path == "/redirect":
            status, headers = 302, {"Location": "/after"}
        elif path == "/text":
            headers, content = {"Content-Type": "text/plain"}, "grün".encode()
        elif path == "/bytes":
            content = bytes(range(256))
        elif path == "/late":
            await reader.read()  # until the client has enough
        lines = [f"HTTP/1.1 {status} X", *(f"{key}: {value}" for key, value in headers.items())]
        writer.write("\r\n".join([*lines, f"Content-Length: {len(content)}", "Connection: close", "", ""]).encode())
        writer.write(content)
        await writer.drain()

    async with listening(answer) as port:
        yield f"127.0.0.1:{port}", heard


async def said_by(folder: Path, body: str, **settings: Any) -> Any:
    """What a component sends whose receive is this."""
    shelf, flows = Shelf(), HandedFlows()
    code = f"""
    const http = require('http');
    const net = require('net');
    module.exports = {{
        async receive(context) {{
            const words = (error) => `${{error.name}}: ${{error.message}}`;
            const refused = (attempt) => attempt.then(() => 'no error', words);
            {body}
        }}
    }};
    """
    put(flows, shelf.publish_javascript(code))
    async with platform(folder, flows, shelf=shelf, runners=QUICK, **settings) as here:
        detail = await run(here)
    assert detail.run.state is RunState.DONE, detail.steps
    return sent(detail)[0]


async def test_no_library_gets_into_the_inner_network(tmp_path: Path) -> None:
    async with server() as (address, heard):
        port = address.rpartition(":")[2]
        said = await said_by(
            tmp_path,
            f"""
            const failed = (socket) => new Promise((resolve, reject) => {{
                socket.on('error', reject).on('connect', resolve);
            }});
            await context.sendJson(await Promise.all([
                refused(context.httpRequest.get('http://{address}/')),
                refused(context.httpRequest({{ url: 'http://localhost:{port}/' }})),
                refused(fetch('http://{address}/').catch((error) => Promise.reject(error.cause))),
                refused(failed(http.get('http://{address}/'))),
                refused(failed(net.connect({port}, '127.0.0.1'))),
                refused(failed(net.connect({{ port: {port} }}))),
                refused(failed(net.connect('/run/docker.sock'))),
                refused(failed(new net.Socket().connect({{ path: '/run/docker.sock' }}))),
                refused(context.httpRequest.get('http://169.254.169.254/latest')),
                refused(context.httpRequest.get('http://metadata.google.internal/')),
                refused(context.httpRequest.get('http://example.com:6379/')),
                refused(context.httpRequest.get('file:///etc/passwd'))
            ]), 'out');
            """,
        )

    assert heard == []
    assert all("not allowed" in each for each in said[:-1]), said
    assert "Unsupported protocol" in said[-1]


async def test_requests_are_sent_and_answered_as_by_axios(tmp_path: Path) -> None:
    async with server() as (address, heard):
        said = await said_by(
            tmp_path,
            f"""
            const {{ httpRequest }} = context;
            const base = 'http://{address}';
            const seen = {{}};
            const params = {{ a: 1, b: ['x', 'y z'], c: null, d: {{ e: 2 }} }};
            const plain = await httpRequest({{ url: `${{base}}/plain`, params }});
            seen.plain = [plain.status, plain.data, plain.headers['content-type'], plain.config.method];
            const headers = {{ 'X-Mine': 'yes' }};
            seen.post = (await httpRequest.post(`${{base}}/post`, {{ 'ä': [1] }}, {{ headers }})).status;
            await httpRequest.put(`${{base}}/form`, new URLSearchParams({{ q: 'a b' }}));
            await httpRequest({{ method: 'POST', url: `${{base}}/encoded`, data: {{ q: 'a b' }},
                headers: {{ 'Content-Type': 'application/x-www-form-urlencoded' }} }});
            const form = new FormData();
            form.append('file', new Blob(['content']), 'a.txt');
            await httpRequest.post(`${{base}}/multipart`, form);
            const own = httpRequest.create({{ baseURL: `${{base}}/v1/`, auth: {{ username: 'u', password: 'p' }} }});
            seen.base = (await own.get('/things')).data.path;
            seen.redirect = (await httpRequest.get(`${{base}}/redirect`)).data.path;
            seen.text = (await httpRequest.get(`${{base}}/text`)).data;
            const bytes = await httpRequest.get(`${{base}}/bytes`, {{ responseType: 'arraybuffer' }});
            seen.bytes = [Buffer.isBuffer(bytes.data), bytes.data.length];
            const chunks = [];
            const streamed = await httpRequest.get(`${{base}}/text`, {{ responseType: 'stream' }});
            for await (const chunk of streamed.data) {{
                chunks.push(chunk);
            }}
            seen.stream = Buffer.concat(chunks).toString();
            try {{
                await httpRequest.delete(`${{base}}/status/404`);
            }} catch (error) {{
                const {{ status, data }} = error.response;
                seen.error = [error.isAxiosError, error.code, error.message, status, data.path];
            }}
            seen.taken = (await httpRequest.get(`${{base}}/status/500`, {{ validateStatus: null }})).status;
            seen.late = await refused(httpRequest.get(`${{base}}/late`, {{ timeout: 100 }}));
            await context.sendJson(seen, 'out');
            """,
            egress_allow_private=True,
        )

    assert said == {
        "plain": [200, {"path": "/plain?a=1&b[]=x&b[]=y+z&d[e]=2"}, "application/json", "get"],
        "post": 200,
        "base": "/v1/things",
        "redirect": "/after",
        "text": "grün",
        "bytes": [True, 256],
        "stream": "grün",
        "error": [True, "ERR_BAD_REQUEST", "Request failed with status code 404", 404, "/status/404"],
        "taken": 500,
        "late": "AxiosError: timeout of 100ms exceeded",
    }
    by_path = {each.split(b" ")[1].decode(): each for each in heard}
    assert '{"ä":[1]}'.encode() in by_path["/post"]
    assert b"x-mine: yes" in by_path["/post"]
    assert by_path["/form"].endswith(b"q=a+b")
    assert by_path["/encoded"].endswith(b"q=a+b")
    assert b'filename="a.txt"' in by_path["/multipart"]
    assert b"authorization: Basic dTpw" in by_path["/v1/things"]
