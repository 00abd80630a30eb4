"""The process that runs one arm: standard library only, and run by the arm's own Python (3.8 or later).

    python arm_worker.py READ WRITE

READ and WRITE are inherited pipes; stdin, stdout and stderr stay the arm's own. A message is its length (8 bytes, big
endian) and JSON. Each request {"do": NAME, ...} is answered by {"ok": ...} or {"error": ..., "where": ...}. The end of
the requests is the end of the process. What is timed is a turn: the call repeated so many times, one after the other.
"""

from __future__ import annotations

import sys

sys.path[:] = [place for place in sys.path if place != __file__.rpartition("/")[0]]  # this folder shadows nothing

import array
import base64
import contextlib
import ctypes
import gc
import hashlib
import importlib
import inspect
import itertools
import json
import os
import platform
import resource
import shlex
import shutil
import signal
import subprocess
import sysconfig
import time
import traceback
from collections.abc import Callable
from typing import Any

STARTED_WITH = frozenset(sys.modules)
"""Modules that were there before anything of the arm's."""
WHOLE = 64 * 2**20
"""Bytes up to which a file is hashed as a whole; of larger ones (an accelerator's libraries) beginning and size."""
MOST_NUMBERS = 20_000_000


class Refused(Exception):
    """A sentence for the person who asked."""


TIMED_ITSELF = ("value", "wall_ns", "cpu_ns")
"""Fields of the named tuple that a call returns which has timed a part of itself: what it made, and nanoseconds."""


class Call:
    """A Python function of the user's."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.name = request["call"]
        self.function = named(self.name)
        if does_nothing(self.function) or does_nothing(inspect.getattr_static(type(self.function), "__call__", None)):
            raise Refused(NOTHING.format(self.name))
        self.times_itself = False
        given = request.get("arguments")
        self.args, self.kwargs = spread(tuple(given) if isinstance(given, list) else given)
        if request.get("setup"):
            self.args, self.kwargs = spread(named(request["setup"])(*self.args, **self.kwargs))
        if not (self.args or self.kwargs) and is_of_instances(self.name):
            raise Refused(f"{self.name} is a method of instances: name a `setup` that returns one")

    def output(self) -> Any:
        """What a call returns; of one that times itself its value."""
        returned = self.function(*self.args, **self.kwargs)
        if inspect.iscoroutine(returned) or inspect.isgenerator(returned) or inspect.isasyncgen(returned):
            getattr(returned, "close", bool)()  # so that nobody warns of it
            raise Refused(NOTHING.format(self.name))
        self.times_itself = getattr(returned, "_fields", None) == TIMED_ITSELF
        return returned.value if self.times_itself else returned

    def turn(self, repeats: int) -> tuple[int, int]:
        """Wall and CPU nanoseconds of so many calls."""
        function, args, kwargs = self.function, self.args, self.kwargs
        loop = itertools.repeat(None, repeats)
        if self.times_itself:
            timed = [function(*args, **kwargs)[1:] for _ in loop]
            return sum(int(wall) for wall, _ in timed), sum(int(cpu) for _, cpu in timed)
        settle = settled()
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        if args or kwargs:
            for _ in loop:
                function(*args, **kwargs)
        else:
            for _ in loop:
                function()
        settle()
        return time.perf_counter_ns() - wall, time.process_time_ns() - cpu


NOTHING = "{} does nothing when it is called (a coroutine or a generator): give a function that runs it to its end"


def does_nothing(function: Any) -> bool:
    """Whether a call would only make a coroutine or a generator."""
    kinds = inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction
    return any(is_one(function) for is_one in kinds)


COMMAND_ENDED = "the command ended with"
NO_MODULE, NO_NAME = "there is no module", "has no"
"""Of a call that is not there."""


class Command:
    """A program of the user's, started anew for each iteration."""

    def __init__(self, request: dict[str, Any]) -> None:
        try:
            self.words = shlex.split(request["command"])
        except ValueError as error:  # a quote that does not end
            raise Refused(f"the command can't be read: {error}") from None
        if not self.words or shutil.which(self.words[0]) is None:
            raise Refused(f"there is no program {self.words[0] if self.words else ''!r} in this arm's PATH")

    def once(self, stdout: int) -> bytes:
        """Run it to its end."""
        done = subprocess.run(self.words, stdin=subprocess.DEVNULL, stdout=stdout)
        if done.returncode:
            raise Refused(f"{COMMAND_ENDED} {done.returncode}")
        return done.stdout or b""

    def turn(self, repeats: int) -> tuple[int, int]:
        """Wall and CPU nanoseconds of so many runs."""
        before, wall = children_ns(), time.perf_counter_ns()
        for _ in range(repeats):
            self.once(subprocess.DEVNULL)
        return time.perf_counter_ns() - wall, children_ns() - before

    def output(self) -> bytes:
        """What it writes to stdout."""
        return self.once(subprocess.PIPE)


def children_ns() -> int:
    """CPU nanoseconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def spread(given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments: a tuple is the first, a mapping the second, anything else one argument."""
    if given is None:
        return (), {}
    if isinstance(given, dict) and all(isinstance(key, str) for key in given):
        return (), given
    return (given if isinstance(given, tuple) else (given,)), {}


def named(name: str) -> Callable[..., Any]:
    """The function that `module:function` names."""
    module, _, inner = name.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module + ".").startswith(error.name + "."):
            raise Refused(f"{NO_MODULE} {error.name} in this arm's Python ({sys.executable})") from None
        raise
    for part in inner.split("."):
        if not hasattr(found, part):
            raise Refused(f"{getattr(found, '__file__', module)} {NO_NAME} {inner}")
        found = getattr(found, part)
    if not callable(found):
        raise Refused(f"{name} is no function")
    function: Callable[..., Any] = found
    return function


def is_of_instances(name: str) -> bool:
    """Whether `module:Class.method` names a method whose first argument is an instance."""
    owner, dot, last = name.rpartition(".")
    cls = named(owner) if dot and ":" in owner else None
    plain = inspect.getattr_static(cls, last, None) if isinstance(cls, type) else None
    return inspect.isroutine(plain) and not isinstance(plain, (staticmethod, classmethod))


def torch_module() -> Any:
    """The arm's torch, where it has loaded one."""
    found = sys.modules.get("torch")
    return found if hasattr(found, "get_num_threads") else None


def uses_gpu() -> bool:
    """Whether the arm's torch has begun to work on an accelerator."""
    torch = torch_module()
    return torch is not None and bool(torch.cuda.is_initialized())


def waits() -> int:
    """How often threads of this process have given up their core to wait for something."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def settled() -> Callable[[], Any]:
    """Waits until an accelerator has done what it was given; call it before a turn, and what it returns after it."""
    if uses_gpu():
        torch = torch_module()
        torch.cuda.synchronize()
        wait: Callable[[], Any] = torch.cuda.synchronize
        return wait
    return lambda: None


# --- requests --------------------------------------------------------------------------------------------------------


class Worker:
    """Answers requests, one after the other."""

    work: Call | Command
    returned: Output

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Import what is to be run and make its arguments."""
        sys.path += [place for place in request.get("search", ()) if place not in sys.path]
        self.work = Command(request) if request.get("command") else Call(request)
        torch = torch_module()
        return {
            "python": platform.python_version(),
            "built": sys.version,
            "executable": sys.executable,
            "torch_threads": None if torch is None else torch.get_num_threads(),
        }

    def warm(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call it for some seconds, twice at least; says how long a call takes now, whether it only computes (never
        waits, on one thread of its own), and describes what it returned."""
        spent: list[float] = []
        self.returned = Output(self.work.output())
        began, used, waited = time.perf_counter_ns(), (time.process_time_ns(), time.thread_time_ns()), waits()
        while not spent or time.perf_counter_ns() - began < request["seconds"] * 1e9:
            times = 1 if not spent else max(1, min(10_000, int(1e6 / max(spent[-1], 1))))
            spent.append(self.work.turn(times)[0] / times)
        process, thread = time.process_time_ns() - used[0], time.thread_time_ns() - used[1]
        computes = isinstance(self.work, Call) and waits() - waited <= len(spent) / 10 and thread > 0.97 * process
        gc.collect()
        gc.freeze()
        return {"ns": min(spent[-5:]), "computes": computes and not uses_gpu(), "output": self.returned.described()}

    def value(self, request: dict[str, Any]) -> Any:
        """What a call returns, itself, as JSON: it has to be plain data."""
        return json.dumps(self.work.output(), allow_nan=False)

    def pin(self, request: dict[str, Any]) -> int | None:
        """Stay on one of the cores that it may use, a share of the way through them; None where that can't be asked
        for."""
        if not hasattr(os, "sched_setaffinity"):
            return None
        cores = sorted(os.sched_getaffinity(0))
        core = cores[int(request["share"] * len(cores))]
        os.sched_setaffinity(0, {core})
        return core

    def turn(self, request: dict[str, Any]) -> dict[str, Any]:
        """One turn."""
        now = time.time()
        wall, cpu = self.work.turn(request["repeats"])
        return {"wall_ns": wall, "cpu_ns": cpu, "time": now}

    def numbers(self, request: dict[str, Any]) -> str:
        """Some of the numbers that were returned."""
        part = self.returned.numbers[request["start"] : request["start"] + request["count"]]
        return base64.b64encode(part.tobytes()).decode()

    def code(self, request: dict[str, Any]) -> dict[str, Any]:
        """What was loaded, by package: where it is, how many files it has and their digest."""
        return {package: digest_of(package, files) for package, files in self.loaded().items()}

    def states(self, request: dict[str, Any]) -> dict[str, str]:
        """The size and times of each file that was loaded."""
        return {file: file_state(file) for files in self.loaded().values() for _, file in files}

    def loaded(self) -> dict[str, list[tuple[str, str]]]:
        """Name and file of all that was loaded, by package; of a command the files that its words name."""
        return command_files(self.work.words) if isinstance(self.work, Command) else loaded_files()

    def used(self, request: dict[str, Any]) -> float:
        """CPU seconds of this process and of those that it started."""
        return time.process_time() + children_ns() / 1e9


class Output:
    """What a call returned: its numbers in order, and everything else as text."""

    def __init__(self, value: Any) -> None:
        self.numbers = array.array("d")
        self.shape: list[str] = []
        self.length = 0
        self.why_not = "it returns nothing" if value is None else ""
        try:
            self.take(value, 0)
        except Refused as error:
            self.why_not = str(error)
        except Exception as error:  # whatever a foreign type does when it is read
            self.why_not = f"what it returns can't be read ({type(error).__name__}: {error})"

    def take(self, value: Any, depth: int) -> None:
        """Add a value and what is in it."""
        if depth > 20:
            raise Refused("what it returns is nested too deeply")
        if value is None or isinstance(value, (str, bytes)):
            text = value if isinstance(value, bytes) else repr(value).encode("utf-8", "backslashreplace")
            self.shape.append(f"text {hashlib.sha256(text).hexdigest()}")
            self.length += 0 if value is None else len(value)
        elif isinstance(value, (bool, int, float)):
            self.add([value])
        elif isinstance(value, complex):
            self.add([value.real, value.imag])
        elif isinstance(value, dict):
            self.shape.append(f"mapping of {len(value)}")
            for key, inner in value.items():
                self.take(key, depth + 1)
                self.take(inner, depth + 1)
        elif isinstance(value, (list, tuple)):
            self.shape.append(f"list of {len(value)}")
            if all(type(inner) in (bool, int, float) for inner in value):
                self.add(value)
                return
            for inner in value:
                self.take(inner, depth + 1)
        elif hasattr(value, "detach") and hasattr(value, "shape"):  # torch
            self.shape.append(f"array {tuple(value.shape)}")
            value = value.detach().cpu()
            if value.is_complex():
                value = torch_module().view_as_real(value)
            self.add(value.reshape(-1).double().tolist())
        elif hasattr(value, "tolist") and hasattr(value, "shape"):  # numpy and its kin
            self.shape.append(f"array {tuple(value.shape)}")
            if getattr(getattr(value, "dtype", None), "kind", "f") in "biuf":
                self.add(value.astype("float64").reshape(-1).tolist())
            else:
                self.take(value.tolist(), depth + 1)
        elif hasattr(value, "to_numpy"):
            self.take(value.to_numpy(), depth + 1)
        else:
            raise Refused(f"it returns a {type(value).__module__}.{type(value).__qualname__}, which has no numbers")

    def add(self, values: Any) -> None:
        """Add numbers."""
        if len(self.numbers) + len(values) > MOST_NUMBERS:
            raise Refused(f"it returns more than {MOST_NUMBERS:,} numbers")
        self.shape.append(f"{len(values)}")
        self.numbers.extend(array.array("d", values))

    def described(self) -> dict[str, Any]:
        """Digests of it, and why it can't be compared where it can't."""
        shape = hashlib.sha256(json.dumps(self.shape, allow_nan=False).encode()).hexdigest()
        whole = hashlib.sha256(shape.encode() + self.numbers.tobytes()).hexdigest()
        found = {"why_not": self.why_not, "shape": shape, "sha256": whole, "count": len(self.numbers)}
        return {**found, "length": self.length + len(self.numbers)}


# --- what was loaded -------------------------------------------------------------------------------------------------


def loaded_files() -> dict[str, list[tuple[str, str]]]:
    """By top-level package the modules that were loaded, and `libraries` that are none; not Python's and the
    system's."""
    platform_folders = [os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    platform_folders += ["/lib", "/lib64", "/usr/lib", "/usr/lib64"]
    packages: dict[str, list[tuple[str, str]]] = {}
    seen: set[str] = set()
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or name in STARTED_WITH or is_platform(file, platform_folders):
            continue
        if file == __file__:  # under the second name that multiprocessing gives it
            continue
        seen.add(os.path.realpath(file))
        packages.setdefault(name.partition(".")[0], []).append((name, file))
    for file in mapped_libraries():
        if os.path.realpath(file) not in seen and not is_platform(file, platform_folders):
            packages.setdefault("libraries", []).append((os.path.basename(file), file))
    return packages


def digest_of(package: str, files: list[tuple[str, str]]) -> dict[str, Any]:
    """A package as it is told of."""
    whole = hashlib.sha256()
    for name, file in sorted(files):
        whole.update(f"{name} {file_digest(file)}\n".encode())
    first = next((file for name, file in files if name == package), files[0][1])
    return {"file": first, "files": len(files), "sha256": whole.hexdigest()}


def is_platform(file: str, folders: list[str]) -> bool:
    """Whether a file is of Python or of the system."""
    real = os.path.realpath(file)
    if "site-packages" in real or "dist-packages" in real:
        return False
    if os.path.basename(real).startswith("libpython"):
        return True
    return any(real.startswith(folder + "/") for folder in folders)


def mapped_libraries() -> list[str]:
    """Shared libraries that this process has mapped, as ctypes does (Linux; none elsewhere)."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = {line.split(None, 5)[5].strip() for line in maps if line.count("/")}
    except OSError:
        return []
    return sorted(path for path in paths if ".so" in os.path.basename(path) and os.path.isfile(path))


def command_files(words: list[str]) -> dict[str, list[tuple[str, str]]]:
    """The program of a command, and the files that its words name."""
    files = [os.path.abspath(word) for word in [shutil.which(words[0]) or words[0], *words[1:]] if os.path.isfile(word)]
    return {os.path.basename(file): [(os.path.basename(file), file)] for file in files}


def file_state(path: str) -> str:
    """Size and times of a file: another file, or a changed one, has others."""
    with contextlib.suppress(OSError):
        state = os.stat(path)
        return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
    return "unreadable"


def file_digest(path: str) -> str:
    """sha256 of a file, of a very large one of its size and beginning."""
    digest = hashlib.sha256()
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            if size > WHOLE:
                digest.update(f"{size} bytes\n".encode() + file.read(2**20))
                return digest.hexdigest()
            for part in iter(lambda: file.read(2**20), b""):
                digest.update(part)
    except OSError as error:
        digest.update(f"unreadable: {error.errno}".encode())
    return digest.hexdigest()


# --- messages --------------------------------------------------------------------------------------------------------


def read_exactly(descriptor: int, size: int) -> bytes:
    """So many bytes. Raises EOFError at the end."""
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def receive(descriptor: int) -> Any:
    """The next message."""
    return json.loads(read_exactly(descriptor, int.from_bytes(read_exactly(descriptor, 8), "big")))


def send(descriptor: int, message: Any) -> None:
    """Write a message."""
    body = json.dumps(message, allow_nan=False).encode()
    left = len(body).to_bytes(8, "big") + body
    while left:
        left = left[os.write(descriptor, left) :]


def refusal(error: BaseException) -> dict[str, str]:
    """An exception as one sentence, with the line of the user's code that raised it."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != __file__:
            where = f"{frame.filename}:{frame.lineno}"
    if isinstance(error, Refused):
        return {"error": str(error), "where": ""}
    traceback.print_exception(type(error), error, error.__traceback__)
    text = (str(error).strip().splitlines() or [""])[0]
    return {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__, "where": where}


def die_with_parent() -> None:
    """Ask the system to end this process when the one that started it ends (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)


def main() -> None:
    """Answer requests until there are no more."""
    reading, writing = int(sys.argv[1]), int(sys.argv[2])
    for descriptor in (reading, writing):
        os.set_inheritable(descriptor, False)
    sys.argv[1:] = []
    die_with_parent()
    worker = Worker()
    while True:
        try:
            request = receive(reading)
        except EOFError:
            return
        try:
            answer = {"ok": getattr(worker, request["do"])(request)}
        except SystemExit as ended:  # `sys.exit("a sentence")` refuses; any other ends the process
            if not isinstance(ended.code, str):
                raise
            answer = refusal(Refused(ended.code))
        except Exception as error:
            answer = refusal(error)
        try:
            send(writing, answer)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
