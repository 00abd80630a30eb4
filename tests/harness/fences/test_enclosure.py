"""The fences of the kernel, each alone: what a shut-in process can still do, and what not."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import harness
from harness.fences.enclosure import available
from harness.fences.folder import excess, remove
from harness.fences.limits import Limits

ROOT = str(Path(harness.__file__).parents[1])
fenced = pytest.mark.skipif(not available().landlock or not available().seccomp, reason="needs Landlock and seccomp")

CHILD = """
import json, os, sys, threading
sys.path.insert(0, sys.argv[1])
import ctypes, mmap, resource, signal, socket, subprocess, asyncio
from harness.fences.enclosure import shut_in
from harness.fences.limits import Limits
kept, parent = sys.argv[2], os.getppid()
call = ctypes.CDLL(None, use_errno=True).syscall
def raw(*arguments):
    if call(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
async def one(): return 1
{before}
stands = shut_in({folder}, Limits({limits}), {options})
said = {{}}
for name, deed in {{{deeds}}}.items():
    try:
        deed(); said[name] = "done"
    except BaseException as error:
        said[name] = getattr(error, "errno", None) or type(error).__name__
print(json.dumps([stands, said]))
"""


def child(
    deeds: str, *, folder: str = "os.getcwd()", limits: str = "", options: str = "", before: str = ""
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as outside:
        kept = Path(outside, "kept")
        kept.write_text("here")
        source = CHILD.format(before=before, folder=folder, limits=limits, options=options, deeds=deeds)
        command = [sys.executable, "-I", "-S", "-B", "-c", source, ROOT, str(kept)]
        told = subprocess.run(command, cwd=place, capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        assert kept.read_text() == "here"
        stands, said = json.loads(told.stdout)
        assert set(stands) >= {"seccomp", "capabilities"}
        return dict(said)


ALLOWED = {
    "thread": "lambda: [t.start() or t.join() for t in [threading.Thread(target=int)]]",
    "asyncio": "lambda: asyncio.run(one())",
    "own file": "lambda: open('a', 'w').write('x') and open('a').read()",
    "own folder": "lambda: os.makedirs('b/c')",
    "rename": "lambda: open('d', 'w').close() or os.rename('d', 'b/d')",
    "import": "lambda: __import__('sqlite3').connect(':memory:').execute('select 1')",
    "signal to itself": "lambda: os.kill(os.getpid(), 0)",
    "null": "lambda: open(os.devnull, 'w').write('x')",
    "memory": "lambda: mmap.mmap(-1, 1000)",
}
REFUSED = {
    "fork": "lambda: os.fork() or os._exit(0)",
    "vfork": "lambda: subprocess.run(['true'])",
    "exec": "lambda: os.execv('/bin/true', ['true'])",
    "clone3": "lambda: raw(435, 0, 0)",
    "io_uring": "lambda: raw(425, 1, 0)",
    "openat2": "lambda: raw(437, -100, b'/etc/passwd', 0, 24)",
    "memfd": "lambda: os.memfd_create('x')",
    "unknown call": "lambda: raw(463)",
    "signal to the parent": "lambda: os.kill(parent, 0)",
    "signal to the group": "lambda: os.kill(0, 0)",
    "signal to all": "lambda: os.kill(-1, 0)",
    "priority of the parent": "lambda: os.setpriority(os.PRIO_PROCESS, parent, 19)",
    "own priority": "lambda: os.nice(1)",
    "processors": "lambda: os.sched_setaffinity(0, [0])",
    "limits of the parent": "lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1))",
    "own limits": "lambda: raw(302, 0, 0, bytes(16), 0)",
    "ptrace": "lambda: raw(101, 16, parent, 0, 0)",
    "process_vm_readv": "lambda: raw(310, parent, 0, 0, 0, 0, 0)",
    "pidfd": "lambda: os.pidfd_open(parent)",
    "bpf": "lambda: raw(321, 0, 0, 0)",
    "keyctl": "lambda: raw(250, 0, 0)",
    "perf": "lambda: raw(298, 0, 0, -1, -1, 0)",
    "userfaultfd": "lambda: raw(323, 0)",
    "mount": "lambda: raw(165, 0, 0, 0, 0, 0)",
    "unshare": "lambda: raw(272, 0x10000000)",
    "setns": "lambda: raw(308, 0, 0)",
    "personality": "lambda: raw(135, 0x0040000)",
    "shared memory": "lambda: raw(29, 0, 4096, 0o1600)",
    "seccomp again": "lambda: raw(317, 1, 0, 0)",
    "dumpable": "lambda: raw(157, 4, 0, 0, 0, 0)",
    "owner of signals": "lambda: __import__('fcntl').fcntl(0, 8, parent)",
    "lease": "lambda: __import__('fcntl').fcntl(0, 1024, 0)",
    "terminal input": "lambda: __import__('fcntl').ioctl(0, 0x5412, b'x')",
    "socket": "socket.socket",
    "unix socket": "lambda: socket.socket(socket.AF_UNIX)",
    "datagram pair": "lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "device": "lambda: os.mknod('n', 0o020600, os.makedev(1, 3))",
    "plain file by mknod": "lambda: os.mknod('n')",
    "fifo": "lambda: os.mkfifo('f')",
    "symlink": "lambda: os.symlink('/', 's')",
    "hard link": "lambda: open('h', 'w').close() or os.link('h', 'l')",
    "read": "lambda: open(kept).read()",
    "write": "lambda: open(kept, 'w')",
    "append": "lambda: open(kept, 'a')",
    "empty by opening": "lambda: os.open(kept, os.O_RDONLY | os.O_TRUNC)",
    "truncate": "lambda: os.truncate(kept, 0)",
    "remove": "lambda: os.remove(kept)",
    "rename out": "lambda: open('r', 'w').close() or os.rename('r', kept)",
    "rename in": "lambda: os.rename(kept, 'r')",
    "mkdir": "lambda: os.mkdir(kept + '.d')",
    "unlistable folder": "lambda: os.mkdir('u', 0o300)",
    "chmod": "lambda: os.chmod(kept, 0o777)",
    "chown": "lambda: os.chown(kept, 1, 1)",
    "times": "lambda: os.utime(kept)",
    "attribute": "lambda: os.setxattr(kept, 'user.x', b'1')",
    "own memory by file": "lambda: open('/proc/self/mem')",
    "list of the root": "lambda: os.listdir('/')",
    "passwords": "lambda: open('/etc/passwd')",
    "chroot": "lambda: os.chroot('.')",
    "another user": "lambda: os.setuid(1)",
    "host name": "lambda: socket.sethostname('x')",
}  # fmt: skip


def _deeds(table: dict[str, str]) -> str:
    return ", ".join(f"{name!r}: {deed}" for name, deed in table.items())


@fenced
def test_a_fenced_process_does_arithmetic_threads_and_files_of_its_own() -> None:
    assert child(_deeds(ALLOWED)) == dict.fromkeys(ALLOWED, "done")


@fenced
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="raw numbers are of x86_64")
def test_a_fenced_process_reaches_nothing_else() -> None:
    said = child(_deeds(REFUSED))
    assert {name: code for name, code in said.items() if code not in (1, 13, 38)} == {}


@fenced
def test_without_the_fence_these_deeds_are_possible() -> None:
    """Else the test above would prove nothing: several of the same deeds, in a child that isn't shut in."""
    names = ("fork", "socket", "fifo", "symlink", "hard link", "own priority", "memfd", "signal to the parent")
    with tempfile.TemporaryDirectory() as place:
        source = CHILD.format(before="shut_in = lambda *a, **k: []", folder="0", limits="", options="",
                              deeds=_deeds({name: REFUSED[name] for name in names}))  # fmt: skip
        told = subprocess.run([sys.executable, "-c", source, ROOT, "x"], cwd=place, capture_output=True, text=True)
    assert json.loads(told.stdout)[1] == dict.fromkeys(names, "done")


@fenced
def test_a_folder_is_lent_only_if_it_is_named_and_threads_only_if_allowed() -> None:
    said = child(_deeds({name: ALLOWED[name] for name in ("own file", "own folder", "thread", "null")}),
                 folder="None", options="threads=False")  # fmt: skip
    assert said == {"own file": 13, "own folder": 1, "thread": "RuntimeError", "null": "done"}


@fenced
def test_where_landlock_is_missing_no_file_is_opened_and_no_folder_changed() -> None:
    """What was loaded before works on."""
    before = "from harness.fences import landlock; landlock.version = lambda: 0"
    deeds = {name: ALLOWED[name] for name in ("thread", "asyncio", "own file", "own folder", "import", "null")}
    said = child(_deeds(deeds), before=before)
    assert said["thread"] == said["asyncio"] == "done"
    assert {said[name] for name in ("own file", "own folder", "null")} <= {1, 13}
    assert said["import"] != "done"


@fenced
@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("from harness.fences import seccomp; seccomp.available = lambda: False", "no seccomp"),
        ("from harness.fences import seccomp; seccomp.restrict = lambda **k: False", "refuses our filter"),
        ("threading.Thread(target=signal.pause, daemon=True).start()", "2 threads run already"),
    ],
)
def test_what_can_not_be_fenced_is_refused(before: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        child("", before=before)


def test_limits_are_set_and_only_fall() -> None:
    limits = "cpu_seconds=7, file_bytes=1 << 20, open_files=32, memory_bytes=1 << 29"
    said = child(_deeds({
        "big file": "lambda: open('big', 'wb').write(bytes(2 << 20))",
        "many files": "lambda: [open(os.devnull) for _ in range(40)]",
        "memory": "lambda: bytearray(1 << 30)",
    }), limits=limits, before="signal.signal(signal.SIGXFSZ, signal.SIG_IGN)")  # fmt: skip
    assert said == {"big file": 27, "many files": 24, "memory": "MemoryError"}


def test_a_foreign_folder_is_measured_with_its_limits(tmp_path: Path) -> None:
    small = Limits(disk_bytes=1 << 20, files=20, depth=5)
    for number in range(10):
        (tmp_path / str(number)).write_bytes(b"x")
    assert excess(str(tmp_path), small) is None
    (tmp_path / "big").write_bytes(bytes(2 << 20))
    assert "more than 1 MiB" in str(excess(str(tmp_path), small))
    (tmp_path / "big").unlink()
    (tmp_path / "a/b/c/d/e/f/g").mkdir(parents=True)
    assert "deeper than 5" in str(excess(str(tmp_path), small))
    for number in range(20):
        (tmp_path / f"n{number}").mkdir()
    assert "more than 20 files" in str(excess(str(tmp_path), small))


def test_any_tree_is_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner" / "kept").write_text("here")
    place = tmp_path / "place"
    place.mkdir()
    here = os.open(place, os.O_RDONLY)
    for depth in range(3000):
        os.mkdir(b"n\xff\n", dir_fd=here)
        if depth % 300 == 0:
            os.mkdir(b"side", dir_fd=here)
            os.close(os.open(b"f\xfe", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open(b"n\xff\n", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.symlink(outside, "link", dir_fd=here)
    os.mkfifo("fifo", dir_fd=here)
    os.close(here)
    (place / "closed" / "inner").mkdir(parents=True)
    (place / "closed" / "inner").chmod(0)
    (place / "closed").chmod(0o500)
    place.chmod(0o500)
    remove(str(place))
    assert not place.exists()
    assert (outside / "inner" / "kept").read_text() == "here"
    remove(str(place))
