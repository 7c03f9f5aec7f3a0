"""One runner: a process that hosts one bundle for one tenant, watched from its start to its end.

It has a process group of its own, a clean environment, a fence around what it connects to, a folder of its own to work
in, and two sockets in that folder: one it answers at, one where the executor answers it. Whoever ends it says why, and
every call that was under way hears.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast

from headrace_core.clock import Clock
from headrace_core.errors import Cancelled, DeadlineExceeded, HeadraceError, Unavailable
from headrace_core.ids import new_id
from headrace_runtime import rpc
from headrace_runtime.egress import EgressPolicy
from headrace_runtime.failures import error_of
from headrace_sdk.errors import TransientError

from headrace_executor.context import StepContext
from headrace_executor.retry import CutShort
from headrace_executor.runners.client import Returned, RunnerClient, VerbName
from headrace_executor.runners.fence import Fence
from headrace_executor.runners.folders import remove_tree
from headrace_executor.runners.host import HostServicer, release_locks
from headrace_executor.runners.languages import WORK, Command
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.settings import RunnerSettings

MAX_MESSAGE_BYTES = 128 * 1024 * 1024
BEATS = 6  # asked for in the time after which a runner counts as stuck
FLOOD = 8  # times what may be printed, past the bound inside the process: somebody writes around it
FLOOD_SECONDS = 10.0
END_SECONDS = 2.0
LONGEST_LINE = 2_000
MAX_SHEETS = 200  # fewer than a runner keeps
READ_BYTES = 64 * 1024

ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", "RES_OPTIONS": "use-vc"}
"""The last lets the C library look names up by TCP, which the fence sees."""

HOST_LIMITS = rpc.ServerLimits(
    max_message_bytes=MAX_MESSAGE_BYTES,
    max_concurrent_calls=256,
    max_connection_age=timedelta(days=20),
    notice=timedelta(0),
    grace=timedelta(0),
)

T = TypeVar("T")

logger = logging.getLogger(__name__)


class NotCalled(TransientError):
    """The process was gone before the component was called: another one can be asked at once."""


class Runner:
    """A process and the calls under way in it."""

    def __init__(
        self,
        name: str,
        bundle: Path,
        folder: Path,
        command: Command,
        settings: RunnerSettings,
        policy: EgressPolicy,
        clock: Clock,
    ) -> None:
        self.name = name
        self.in_use = 0
        self.last_used = clock.monotonic()
        self.is_retiring = False
        self.why = ""
        self._bundle = bundle
        self._folder = folder
        self._command = command
        self._settings = settings
        self._policy = policy
        self._clock = clock
        self._room = asyncio.Semaphore(settings.calls)
        self._host = HostServicer()
        self._fence = Fence(name, policy, str(folder / "host"), command.executes)
        self._sheets: set[str] = set()
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._client: RunnerClient | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and not self._ended.is_set()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    # Its life.

    async def start(self) -> None:
        """Start the process and wait until it takes calls. Raises TransientError when it does not."""
        work = self._folder / WORK
        host, listen = f"unix:{self._folder / 'host'}", f"unix:{self._folder / 'runner'}"
        try:
            work.mkdir(parents=True)
            self._stack.push_async_callback(self._fence.close)
            await self._fence.open()
            await self._stack.enter_async_context(rpc.serve(host, self._host.register, limits=HOST_LIMITS))
            self._spawn(work, self._orders(host, listen))
            await self._until_ready()
            self._command.bound(self.pid)
        except BaseException:
            await self.stop("it did not start")
            raise
        channel = rpc.dial(listen, max_message_bytes=MAX_MESSAGE_BYTES)
        self._client = RunnerClient(await self._stack.enter_async_context(channel))
        self._own(self._watch(self._client))

    async def stop(self, why: str) -> None:
        """End the process and everything it has open. Stopping again changes nothing."""
        self.kill(why)
        process = self._process
        if process is not None and not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._ended.wait()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()
        await asyncio.to_thread(remove_tree, self._folder)

    def kill(self, why: str) -> None:
        """End the process at once, with all its children."""
        self.is_retiring = True
        self.why = self.why or why
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Keep the runner while the block runs."""
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            self.last_used = self._clock.monotonic()

    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def memory_bytes(self) -> int:
        """Memory that the process has at hand."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return 0

    # Calls.

    async def invoke(self, root: str, verb: VerbName, context: StepContext, timeout: float) -> bool | None:
        """Call a component in the name of the step that `context` is of; what it does is recorded there.

        Raises what the component raised, CutShort when the process ended in the middle, and NotCalled when it had ended
        before. A call that is cancelled
        is cancelled in the process too; the process ends when the component does not let go.
        """
        async with self._room:
            call_id = f"{new_id()}{new_id()}"
            with self._host.answering(call_id, context) as call:
                try:
                    returned = await self._invoke(call_id, root, verb, context, timeout)
                except (asyncio.CancelledError, DeadlineExceeded):
                    self._own(self._cancel(call_id))
                    raise
                finally:
                    with contextlib.suppress(HeadraceError):  # they run out by themselves
                        await release_locks(call.locks)
            if call.fenced is not None:
                raise call.fenced
        if returned.failure is None:
            return returned.happened
        if returned.failure.name == "MemoryError":
            self.is_retiring = True  # what else broke in there is not known
        raise error_of(returned.failure)

    @contextlib.asynccontextmanager
    async def call_of_plugin(self, context: PluginContext) -> AsyncIterator[str]:
        """An id under which a plugin may ask while the block runs. Who is cut short is cancelled in there too."""
        async with self._room:
            call_id = f"{new_id()}{new_id()}"
            # Questions need no more of a step's context than a plugin's has.
            with self._host.answering(call_id, cast("StepContext", context)) as call:
                try:
                    yield call_id
                except (asyncio.CancelledError, DeadlineExceeded):
                    self._own(self._cancel(call_id))
                    raise
                finally:
                    with contextlib.suppress(HeadraceError):  # they run out by themselves
                        await release_locks(call.locks)

    async def _invoke(self, call_id: str, root: str, verb: VerbName, context: StepContext, timeout: float) -> Returned:
        for known in (self._sheets, frozenset[str]()):
            returned = await self._told(call_id, root, verb, context, timeout, known)
            if returned is not None:
                if len(self._sheets) >= MAX_SHEETS:
                    self._sheets.clear()
                self._sheets.add(context.plan.key)
                return returned
        raise TransientError(f"The runner of {self.name} does not take what it is told of the flow.")

    async def _told(
        self, call_id: str, root: str, verb: VerbName, context: StepContext, timeout: float, known: Collection[str]
    ) -> Returned | None:
        return await self._guarded(lambda client: client.invoke(call_id, root, verb, context, known, timeout))

    async def ask(self, question: Callable[[RunnerClient], Awaitable[T]]) -> T:
        """Ask something that is no call of a component."""
        return await self._guarded(question)

    async def _guarded(self, question: Callable[[RunnerClient], Awaitable[T]]) -> T:
        client = self._client
        if client is None or self._ended.is_set():
            raise NotCalled(self._ended_words())
        try:
            return await question(client)
        except (Unavailable, Cancelled) as error:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._ended.wait()
            raise CutShort(self._ended_words() if self._ended.is_set() else str(error)) from None

    async def _cancel(self, call_id: str) -> None:
        if self._client is None:
            return
        within = self._settings.cancel_within.total_seconds()
        try:
            await self._client.cancel(call_id, within)
        except HeadraceError:
            self.kill(f"a component did not let go within {within:g} s of being cancelled")

    # Watching.

    async def _watch(self, client: RunnerClient) -> None:
        """Ask for a sign of life in a steady rhythm, and at the memory: the kernel's limits do not count it all."""
        patience = self._settings.hang_after.total_seconds()
        highest = 2 * self._settings.memory_bytes + 256 * 1024 * 1024
        while not self._ended.is_set():
            try:
                await client.beat(patience)
            except (DeadlineExceeded, HeadraceError):
                self.kill(f"it did not answer for {patience:g} s")
                return
            if self.memory_bytes() > highest:
                self.kill("it took too much memory")
                return
            await self._clock.sleep(patience / BEATS)

    async def _until_ready(self) -> None:
        within = self._settings.start_within.total_seconds()
        ready = asyncio.create_task(self._host.ready.wait())
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait([ready, ended], timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():
                raise TransientError(self._ended_words())
            if not self._host.ready.is_set():
                raise TransientError(f"The process that hosts {self.name} did not start within {within:g} s.")
        finally:
            for task in (ready, ended):
                task.cancel()

    def _ended_words(self) -> str:
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            how = f"was ended by {_signal_name(-code)}"
        else:
            how = f"ended with exit code {code}" if code is not None else "is not there any more"
        return f"The process that hosts {self.name} {how}" + (f": {self.why}." if self.why else ".")

    # The process.

    def _orders(self, host: str, listen: str) -> bytes:
        settings = self._settings
        orders = {
            "parent": os.getpid(),
            "listen": listen,
            "host": host,
            "bundle": str(self._bundle),
            "memory_bytes": settings.memory_bytes,
            "cpu_seconds": max(1, int(settings.cpu.total_seconds())),
            "open_files": settings.open_files,
            "file_bytes": settings.file_bytes,
            "output_bytes": settings.output_bytes,
            "allow_private": self._policy.allow_private,
            "networks": list(self._policy.allowed_networks),
            "hosts": list(self._policy.allowed_hosts),
            "folders": list(settings.folders),
            "refuses": settings.isolation == "refuse",
            "fence": self._fence.theirs.fileno(),
        }
        return json.dumps({**orders, **self._command.orders(self._policy)}).encode() + b"\n"

    def _spawn(self, work: Path, orders: bytes) -> None:
        """Start the process from this very thread: the kernel ends it with the thread that started it."""
        fence = self._fence.theirs.fileno()
        process = subprocess.Popen(
            self._command.line(self._bundle, self._folder, fence),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=work,
            env={**ENVIRONMENT, "HOME": str(work), "TMPDIR": str(work)},
            pass_fds=[fence],
            start_new_session=True,
        )
        self._process = process
        self._fence.stand(process.pid)
        if process.stdin is not None:
            process.stdin.write(orders)
            process.stdin.flush()
        self._own(self._read_output(process))
        self._own(self._wait(process))

    async def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Notice the end of the process, and take it away."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        handle = os.pidfd_open(process.pid)
        try:
            loop.add_reader(handle, over.set)
            await over.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
            if process.poll() is None:
                self.kill("the executor stops")
                process.wait()
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            self.is_retiring = True
            self._ended.set()
        if not self.why:
            logger.warning("%s", self._ended_words())

    async def _read_output(self, process: subprocess.Popen[bytes]) -> None:
        """What goes past `print`: kept in our log as far as it is little, deadly where it is a flood."""
        since, size, rest = self._clock.monotonic(), 0, b""
        async for chunk in _chunks(process):
            now = self._clock.monotonic()
            if now - since > FLOOD_SECONDS:
                since, size = now, 0
            size += len(chunk)
            if size > FLOOD * self._settings.output_bytes:
                self.kill("it wrote without end to its output")
                return
            if size > self._settings.output_bytes:
                continue
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[:LONGEST_LINE]
            # No component is there yet: it says what it cannot do on this machine.
            level = logging.INFO if self._host.ready.is_set() else logging.WARNING
            for line in lines:
                logger.log(level, "%s: %s", self.name, line[:LONGEST_LINE].decode("utf-8", "replace"))

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _chunks(process: subprocess.Popen[bytes]) -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader(limit=READ_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    try:
        while chunk := await reader.read(READ_BYTES):
            yield chunk
    finally:
        transport.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
