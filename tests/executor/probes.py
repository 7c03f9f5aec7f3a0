"""What a published component might try to get out of its process, in both languages: S7.

Each probe is one expression or statement that works where nothing is confined, and must fail in a runner. They are told
where things are by `given`: a secret of the executor's, its process, and listeners that no component may reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace_runtime.nodejs import find_node

SECRET = "secret of the executor"
WORKED = "it worked"
TRY_SECONDS = 60

PYTHON: Mapping[str, str] = {
    "users": "open('/etc/passwd').read()",
    "a folder of the system": "os.listdir('/etc')",
    "the root": "os.listdir('/')",
    "temporary files": "os.listdir('/tmp')",
    "names of hosts": "open('/etc/hosts').read()",
    "what the executor keeps": "open(secret).read()",
    "its database": "sqlite3.connect(database).execute('SELECT * FROM sqlite_master').fetchall()",
    "its folder": "os.listdir(os.path.dirname(secret))",
    "its folder, walked": "next(os.walk(os.path.dirname(secret), onerror=raised))",
    "its environment": "open(f'/proc/{parent}/environ', 'rb').read()",
    "its command line": "open(f'/proc/{parent}/cmdline', 'rb').read()",
    "its memory": "open(f'/proc/{parent}/mem', 'rb')",
    "its map": "open(f'/proc/{parent}/maps').read()",
    "its open files": "os.listdir(f'/proc/{parent}/fd')",
    "the first process": "open('/proc/1/cmdline').read()",
    "all processes": "os.listdir('/proc')",
    "by way of itself": "open('/proc/self/root/etc/passwd').read()",
    "by way of its folder": "open(os.path.relpath('/etc/passwd')).read()",
    "by a link": "(os.symlink('/etc/passwd', 'link'), open('link').read())",
    "by a hard link": "(os.link(secret, 'hard'), open('hard').read())",
    "by moving it": "os.rename(secret, 'mine')",
    "by a copy": "shutil.copyfile('/etc/passwd', 'copy')",
    "by memory": "mmap.mmap(os.open('/etc/passwd', os.O_RDONLY), 0, prot=mmap.PROT_READ)",
    "by the C library": "checked(libc.open(b'/etc/passwd', 0))",
    "as a script": "runpy.run_path(os.path.join(os.path.dirname(secret), 'secret.py'))",
    "as a module": "(sys.path.insert(0, os.path.dirname(secret)), importlib.import_module('secret'))",
    "as a path": "pathlib.Path(secret).read_bytes()",
    "as a URL": "urllib.request.urlopen(f'file://{secret}').read()",
    "writing there": "open(f'{secret}.new', 'w')",
    "writing over it": "open(secret, 'w')",
    "cutting it short": "os.truncate(secret, 0)",
    "removing it": "os.unlink(secret)",
    "opening it to all": "(os.chmod(secret, 0o646), checked(-(os.stat(secret).st_mode & 0o777 != 0o646)))",
    "making a folder": "os.mkdir(f'{os.path.dirname(secret)}/new')",
    "shared memory": "open('/dev/shm/headrace-probe', 'w')",
    "System V memory": "checked(libc.shmget(0, 4096, 0o1600))",
    "System V messages": "checked(libc.msgget(0, 0o1600))",
    "System V semaphores": "checked(libc.semget(0, 1, 0o1600))",
    "a terminal": "os.open('/dev/ptmx', os.O_RDWR)",
    "the kernel's settings": "os.listdir('/sys')",
    "forking": "os.fork() or os._exit(0)",
    "spawning": "os.posix_spawn('/bin/true', ['true'], {})",
    "a command": "subprocess.run(['true'], check=True)",
    "a shell": "checked(-os.system('true'))",
    "another program": "os.execv('/bin/true', ['true'])",
    "a signal to the executor": "os.kill(parent, 0)",
    "a handle on it": "os.pidfd_open(parent)",
    "its limits": "resource.prlimit(parent, resource.RLIMIT_CORE, resource.prlimit(parent, resource.RLIMIT_CORE))",
    "its own limits": "resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))",
    "how urgent the executor is": "os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent))",
    "a connection": "socket.create_connection(('127.0.0.1', port), 5)",
    "a connection that blocks": "blocking(('127.0.0.1', port))",
    "a connection by the C library": "checked(libc.connect(libc.socket(2, 1, 0), sockaddr(port), 16))",
    "a connection of asyncio": "await asyncio.open_connection('127.0.0.1', port)",
    "a connection by IPv6": "socket.socket(socket.AF_INET6).connect(('::ffff:127.0.0.1', port))",
    "a connection to no address": "socket.create_connection(('0.0.0.0', port), 5)",
    "a connection by name": "socket.create_connection(('localhost', port), 5)",
    "a name of this machine": "socket.getaddrinfo('localhost', port)",
    "HTTP": "http.client.HTTPConnection('127.0.0.1', port, timeout=5).connect()",
    "HTTP of httpx": "httpx.get(f'http://127.0.0.1:{port}/', timeout=5)",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))",
    "a fast open": "checked(socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', port)))",
    "a fast message": "socket.socket().sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', port))",
    "a socket of this machine": "socket.socket(socket.AF_UNIX).connect(unix)",
    "a socket without a file": "socket.socket(socket.AF_UNIX).connect(abstract)",
    "a datagram on this machine": "socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', datagrams)",
    "the kernel's own socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "serving": "socket.create_server(('127.0.0.1', 0))",
}
"""Statements; those that answer an error instead of raising it go through `checked`."""

NODE: Mapping[str, str] = {
    "users": "fs.readFileSync('/etc/passwd')",
    "a folder of the system": "fs.readdirSync('/etc')",
    "the root": "fs.readdirSync('/')",
    "temporary files": "fs.readdirSync('/tmp')",
    "names of hosts": "fs.readFileSync('/etc/hosts')",
    "what the executor keeps": "fs.readFileSync(secret)",
    "its database": "fs.readFileSync(database)",
    "its folder": "fs.readdirSync(path.dirname(secret))",
    "its environment": "fs.readFileSync(`/proc/${parent}/environ`)",
    "its command line": "fs.readFileSync(`/proc/${parent}/cmdline`)",
    "its memory": "fs.openSync(`/proc/${parent}/mem`)",
    "its map": "fs.readFileSync(`/proc/${parent}/maps`)",
    "its open files": "fs.readdirSync(`/proc/${parent}/fd`)",
    "the first process": "fs.readFileSync('/proc/1/cmdline')",
    "all processes": "fs.readdirSync('/proc')",
    "by way of itself": "fs.readFileSync('/proc/self/root/etc/passwd')",
    "by way of its folder": "fs.readFileSync(path.relative('.', '/etc/passwd'))",
    "by a link": "(fs.symlinkSync('/etc/passwd', 'link'), fs.readFileSync('link'))",
    "by a hard link": "(fs.linkSync(secret, 'hard'), fs.readFileSync('hard'))",
    "by moving it": "fs.renameSync(secret, 'mine')",
    "by a copy": "fs.copyFileSync('/etc/passwd', 'copy')",
    "by a deep copy": "fs.cpSync(path.dirname(secret), 'deep', { recursive: true })",
    "by a descriptor": "fs.readSync(fs.openSync('/etc/passwd'), Buffer.alloc(9))",
    "as a module": "require('/etc/passwd')",
    "as a package": "require(secret.replace('secret.json', 'secret.js'))",
    "as JSON": "require(secret)",
    "as an import": "await import(`file://${secret.replace('secret.json', 'secret.js')}`)",
    "asynchronously": "await fs.promises.readFile('/etc/passwd')",
    "as a stream": (
        "await new Promise((done, fail) => fs.createReadStream('/etc/passwd').on('error', fail).on('data', done))"
    ),
    "in a thread": "await threaded(`require('fs').readFileSync('/etc/passwd')`)",
    "writing there": "fs.writeFileSync(`${secret}.new`, 'x')",
    "writing over it": "fs.writeFileSync(secret, 'x')",
    "cutting it short": "fs.truncateSync(secret)",
    "removing it": "fs.unlinkSync(secret)",
    "opening it to all": (
        "fs.chmodSync(secret, 0o646); if ((fs.statSync(secret).mode & 0o777) !== 0o646) throw denied()"
    ),
    "making a folder": "fs.mkdirSync(`${path.dirname(secret)}/new`)",
    "shared memory": "fs.writeFileSync('/dev/shm/headrace-probe', 'x')",
    "a terminal": "fs.openSync('/dev/ptmx', 'r+')",
    "the kernel's settings": "fs.readdirSync('/sys')",
    "spawning": "ran(child.spawnSync('/bin/true'))",
    "a command": "child.execSync('true')",
    "a program": "child.execFileSync('/bin/true')",
    "a shell": "ran(child.spawnSync('true', { shell: true }))",
    "another Node": "ran(child.spawnSync(process.execPath, ['--version']))",
    "spawning, asynchronously": "await ended(child.spawn('true'))",
    "a fork": "await ended(child.fork('x'))",
    "a signal to the executor": "process.kill(parent, 0)",
    "how urgent the executor is": "os.setPriority(parent, os.getPriority(parent))",
    "a connection": "await connected(net.connect(port, '127.0.0.1'))",
    "a connection by IPv6": "await connected(net.connect(port, '::ffff:127.0.0.1'))",
    "a connection to no address": "await connected(net.connect(port, '0.0.0.0'))",
    "a connection by name": "await connected(net.connect(port, 'localhost'))",
    "a name of this machine": "await dns.promises.lookup('localhost', { family: 4 })",
    "a connection past the library": "await raw('tcp_wrap', 'TCP', 'TCPConnectWrap', 'connect', '127.0.0.1', port)",
    "a connection of a thread": (
        "await threaded(`require('net').connect(${port}, '127.0.0.1').on('connect', done).on('error', fail)`)"
    ),
    "HTTP": "await connected(http.get({ host: '127.0.0.1', port }), 'socket-connect')",
    "HTTP of fetch": "await fetch(`http://127.0.0.1:${port}/`)",
    "a connection to the fastest": "await connected(net.connect({ host: '127.0.0.1', port, autoSelectFamily: true }))",
    "TLS": "await connected(tls.connect(port, '127.0.0.1').on('secureConnect', () => {}))",
    "a datagram": "await sent('127.0.0.1', port)",
    "a socket of this machine": "await connected(net.connect(unix))",
    "a socket past the library": "await raw('pipe_wrap', 'Pipe', 'PipeConnectWrap', 'connect', unix)",
    "a socket by its options": "await connected(new net.Socket().connect({ path: unix }))",
    "networks of this machine": "os.networkInterfaces()",
    "serving": "await served(net.createServer())",
    "a debugger": "inspector.open(0, '127.0.0.1'); if (!inspector.url()) throw denied()",
}

PYTHON_MODULES = (
    "asyncio, ctypes, http.client, importlib, mmap, os, pathlib, resource, runpy, shutil, socket, sqlite3, struct,"
    " subprocess, sys, urllib.request, httpx"
)
PYTHON_TOOLS = """
libc = ctypes.CDLL(None, use_errno=True)

def checked(answer):
    if answer is not None and answer < 0:
        raise OSError(ctypes.get_errno() or 1, "refused")
    return answer

def raised(error):
    raise error

def sockaddr(port):
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton("127.0.0.1") + bytes(8)

def blocking(address):
    made = socket.socket()
    made.setblocking(True)
    made.connect(address)
"""
NODE_TOOLS = """
const child = require('child_process'), dgram = require('dgram'), dns = require('dns'), fs = require('fs');
const http = require('http'), inspector = require('inspector'), net = require('net');
const os = require('os'), path = require('path'), tls = require('tls');
const { Worker } = require('worker_threads');
const denied = () => Object.assign(new Error('refused'), { code: 'EACCES' });
const within = (promise) => Promise.race([promise, new Promise((_, fail) => setTimeout(fail, 5000, denied()))]);
const connected = (made) => within(new Promise((done, fail) => {
    made.on('error', fail).on('connect', done);
    made.on('socket', (socket) => socket.on('connect', done).on('error', fail));
}));
const ran = ({ error, status }) => { if (error || status !== 0) throw error ?? denied(); };
const sent = (host, port) => within(new Promise((done, fail) => {
    const socket = dgram.createSocket('udp4').on('error', fail);
    socket.send('x', port, host, (error) => (error ? fail(error) : done()));
}));
const ended = (process) => new Promise((done, fail) => process.on('error', fail).on('exit', done));
const served = (server) => new Promise((done, fail) => server.on('error', fail).listen(0, '127.0.0.1', done));
const threaded = (code) => within(new Promise((done, fail) => {
    const source = `const { parentPort } = require('worker_threads');
        const done = () => parentPort.postMessage('');
        const fail = (error) => parentPort.postMessage(error.code || 'refused');
        try { ${code}; if (!/connect/.test(${JSON.stringify(code)})) done(); } catch (error) { fail(error); }`;
    new Worker(source, { eval: true }).on('error', fail)
        .on('message', (code) => (code ? fail(Object.assign(new Error(code), { code })) : done()));
}));
const raw = (library, kind, wish, method, ...where) => within(new Promise((done, fail) => {
    const { [kind]: Kind, [wish]: Wish } = process.binding(library);
    const handle = new Kind(0), wanted = new Wish();
    wanted.oncomplete = (status) => (status ? fail(denied()) : done());
    if (handle[method](wanted, ...where)) fail(denied());
}));
"""


def python_code(probes: Mapping[str, str] = PYTHON) -> str:
    """A component that tries them all, one after the other, and sends what each came to."""
    return f"""
import {PYTHON_MODULES}
from headrace_sdk import Component
{PYTHON_TOOLS}

class Own(Component):
    async def receive(self, context):
        given = context.content["data"]
{textwrap.indent(_python_tries(probes), " " * 8)}
        open("own", "w").write("mine")
        seen["own"] = open("own").read()
        await context.send_json(seen)
"""


def _python_tries(probes: Mapping[str, str]) -> str:
    tries = "".join(
        f"try:\n    {probe}\n    seen[{name!r}] = {WORKED!r}\n"
        f"except BaseException as error:\n    seen[{name!r}] = type(error).__name__\n"
        for name, probe in probes.items()
    )
    named = "".join(f"{name} = given[{name!r}]\n" for name in Given.__slots__)
    return f"{named}seen = {{}}\n{tries}"


def node_code(probes: Mapping[str, str] = NODE) -> str:
    tries = "".join(
        f"try {{ {probe}; seen[{json.dumps(name)}] = {json.dumps(WORKED)}; }}"
        f" catch (error) {{ seen[{json.dumps(name)}] = String(error?.code ?? error?.cause?.code ?? error); }}\n"
        for name, probe in probes.items()
    )
    return f"""{NODE_TOOLS}
module.exports = {{
    async receive(context) {{
        const {{ {", ".join(Given.__slots__)} }} = context.messages.in.content.data;
        const seen = {{}};
        {tries}
        fs.writeFileSync('own', 'mine');
        seen.own = fs.readFileSync('own', 'utf8');
        await context.sendJson(seen, 'out');
    }}
}};
"""


@dataclass(frozen=True, slots=True)
class Given:
    """Where things are that no component may reach."""

    secret: str
    database: str
    parent: int
    port: int
    unix: str
    abstract: str
    datagrams: str

    def told(self) -> dict[str, str | int]:
        """As an event carries it."""
        return {name: getattr(self, name) for name in self.__slots__}


@contextlib.contextmanager
def forbidden(folder: Path) -> Iterator[tuple[Given, list[str]]]:
    """A secret, its owner, and listeners on this machine; and who was heard there, in the order of their coming."""
    folder.mkdir()
    _write_secrets(folder)
    with sqlite3.connect(folder / "executor.db") as database:
        database.execute("CREATE TABLE secrets (word TEXT)")
    heard: list[str] = []
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        port = tcp.getsockname()[1]
        listeners = {"TCP": tcp, "UDP": socket.socket(socket.AF_INET, socket.SOCK_DGRAM)}
        listeners["UDP"].bind(("127.0.0.1", port))
        names = {"Unix": str(folder / "s"), "abstract": f"\0headrace-probe-{os.getpid()}-{port}"}
        for kind, name in names.items():
            listeners[kind] = socket.socket(socket.AF_UNIX)
            listeners[kind].bind(name)
            listeners[kind].listen(512)
        listeners["Unix datagrams"] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listeners["Unix datagrams"].bind(str(folder / "d"))
        for kind, listener in listeners.items():
            stack.enter_context(listener)
            listener.setblocking(kind == "TCP")
        del listeners["TCP"]
        threading.Thread(target=_answer, args=(tcp, heard), daemon=True, name="forbidden").start()
        yield (
            Given(
                str(folder / "secret.json"), str(folder / "executor.db"), os.getpid(), port, names["Unix"],
                names["abstract"], str(folder / "d"),
            ),
            heard,
        )  # fmt: skip
        for kind, listener in listeners.items():
            heard += [kind] * _arrived(listener)


def _answer(listener: socket.socket, heard: list[str]) -> None:
    """Some of the probes want an answer before they count as having worked."""
    with contextlib.suppress(OSError):  # it is closed
        while True:
            connection, _ = listener.accept()
            heard.append("TCP")
            with connection, contextlib.suppress(OSError):
                connection.settimeout(1)
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


def _arrived(listener: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            if listener.type == socket.SOCK_DGRAM:
                listener.recv(1)
            else:
                listener.accept()[0].close()
            count += 1
    return count


def _write_secrets(folder: Path) -> None:
    (folder / "secret.json").write_text(json.dumps({"password": SECRET}))
    (folder / "secret.json").chmod(0o600)
    (folder / "secret.js").write_text(f"module.exports = '{SECRET}';")
    (folder / "secret.py").write_text(f"word = '{SECRET}'\n")


async def unconfined(folder: Path, given: Given, language: str) -> dict[str, str]:
    """What each probe comes to in a process of its own that nothing confines; only those that failed."""
    limit = asyncio.Semaphore(2)

    async def one(number: int, name: str, probe: str) -> tuple[str, str]:
        async with limit:
            work = folder / str(number)
            kept = work / "kept"
            kept.mkdir(parents=True)
            _write_secrets(kept)
            own = {**given.told(), "secret": str(kept / "secret.json")}
            process = await asyncio.create_subprocess_exec(
                *_alone(language, own, probe),
                cwd=work,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            async with asyncio.timeout(TRY_SECONDS):
                told, _ = await process.communicate()
            return name, "" if process.returncode == 0 else told.decode("utf-8", "replace")[-500:]

    probes = PYTHON if language == "python" else NODE
    found = await asyncio.gather(*(one(number, *each) for number, each in enumerate(probes.items())))
    await asyncio.to_thread(Path("/dev/shm/headrace-probe").unlink, missing_ok=True)
    return {name: words for name, words in found if words}


def _alone(language: str, given: Mapping[str, object], probe: str) -> list[str]:
    if language == "python":
        named = "".join(f"{name} = {value!r}\n" for name, value in given.items())
        body = textwrap.indent(probe, "    ")
        return [
            sys.executable,
            "-c",
            f"import {PYTHON_MODULES}\n{PYTHON_TOOLS}\n{named}\nasync def main():\n{body}\nasyncio.run(main())\n",
        ]
    named = f"const {{ {', '.join(given)} }} = {json.dumps(given)};"
    # What is no module is read, and then does not parse.
    ended = "process.exit(error instanceof SyntaxError ? 0 : (console.error(error), 1))"
    code = f"{NODE_TOOLS}{named}(async () => {{ {probe}; }})().then(() => process.exit(0), (error) => {ended});"
    return [str(find_node()), "--no-warnings", "--eval", code]
