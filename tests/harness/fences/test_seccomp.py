"""The filter of system calls, run step by step as the kernel does: for each machine, also those that this one isn't."""

import struct

import pytest

from harness.fences import seccomp, system_calls

ALLOW, KILL, EPERM, EACCES, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x5000D, 0x50026
PID = 4242
NULL, FAR = 0, 1 << 40


def answer(
    machine: str,
    number: int,
    *arguments: int,
    architecture: int | None = None,
    opens: bool = True,
    changes: bool = True,
    truncates: bool = True,
    threads: bool = True,
) -> int:
    """What the filter says of one call: an interpreter of the few instructions that it uses."""
    steps = seccomp._steps(machine, PID, opens=opens, changes=changes, truncates=truncates, threads=threads)
    kind = system_calls.ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<iIQ6Q", number, kind, 0, *(list(arguments) + [0] * 6)[:6])
    at, held = 0, 0
    while True:
        code, yes, no, operand = steps[at]
        at += 1
        if code == 0x20:
            held = struct.unpack_from("<I", data, operand)[0]
        elif code == 0x15:
            at += yes if held == operand else no
        elif code == 0x35:
            at += yes if held >= operand else no
        elif code == 0x54:
            held &= operand
        elif code == 0x06:
            return operand
        else:
            raise AssertionError(f"instruction {code:#x}")


NUMBERS = {
    "x86_64": {"read": 0, "open": 2, "openat": 257, "clone": 56, "fcntl": 72, "ioctl": 16, "prlimit64": 302,
               "prctl": 157, "kill": 62, "tgkill": 234, "socketpair": 53, "sendto": 44, "truncate": 76, "mkdir": 83,
               "mkdirat": 258, "unlinkat": 263, "execve": 59, "fork": 57, "socket": 41, "ptrace": 101,
               "mknodat": 259, "linkat": 265, "symlinkat": 266, "clone3": 435, "bpf": 321, "mount": 165,
               "connect": 42, "sendmsg": 46,
               "setpriority": 141},
    "aarch64": {"read": 63, "openat": 56, "clone": 220, "fcntl": 25, "ioctl": 29, "prlimit64": 261, "prctl": 167,
                "kill": 129, "tgkill": 131, "socketpair": 199, "sendto": 206, "truncate": 45, "mkdirat": 34,
                "unlinkat": 35, "execve": 221, "socket": 198, "ptrace": 117, "mknodat": 33, "linkat": 37,
                "symlinkat": 36, "clone3": 435, "bpf": 280, "mount": 40, "connect": 203, "sendmsg": 211,
                "setpriority": 140},
}  # fmt: skip
THREAD = 0x3D0F00
CALLS = [
    ("read", (), ALLOW),
    ("open", (0, 0o1000 | 0o1), ALLOW),
    ("open", (0, 0o1000), EACCES),
    ("openat", (0, 0, 0), ALLOW),
    ("openat", (0, 0, 0o1000 | 0o2), ALLOW),
    ("openat", (0, 0, 0o1000), EACCES),
    ("clone", (THREAD,), ALLOW),
    ("clone", (0x7D0F00,), ALLOW),
    ("clone", (17,), EPERM),
    ("clone", (THREAD | 0x10000000,), EPERM),
    ("clone", (THREAD & ~0x10000,), EPERM),
    ("clone3", (0, 88), ENOSYS),
    ("fcntl", (0, 1), ALLOW),
    ("fcntl", (0, 8, PID), EPERM),
    ("fcntl", (0, 1024), EPERM),
    ("ioctl", (0, 0x5401), ALLOW),
    ("ioctl", (0, 0x5412), EPERM),
    ("prlimit64", (0, 7, NULL, FAR), ALLOW),
    ("prlimit64", (PID, 7, NULL, FAR), ALLOW),
    ("prlimit64", (1, 7, NULL, FAR), EPERM),
    ("prlimit64", (0, 7, FAR, NULL), EPERM),
    ("prlimit64", (0, 7, 1, NULL), EPERM),
    ("prctl", (15, 1), ALLOW),
    ("prctl", (22, 1), EPERM),
    ("prctl", (4, 1), EPERM),
    ("kill", (PID, 9), ALLOW),
    ("kill", (1, 9), EPERM),
    ("kill", (0, 9), EPERM),
    ("kill", (0xFFFFFFFF, 9), EPERM),
    ("kill", ((1 << 64) - 1, 9), EPERM),
    ("tgkill", (PID, PID, 6), ALLOW),
    ("tgkill", (1, 1, 6), EPERM),
    ("socketpair", (1, 1 | 0o2000000), ALLOW),
    ("socketpair", (1, 2), EPERM),
    ("socketpair", (2, 1), EPERM),
    ("sendto", (3, FAR, 1, 0, NULL, 0), ALLOW),
    ("sendto", (3, FAR, 1, 0, FAR, 16), EPERM),
    ("sendto", (3, FAR, 1, 0, 8, 16), EPERM),
    ("truncate", (FAR, 0), ALLOW),
    ("mkdir", (FAR, 0o777), ALLOW),
    ("mkdirat", (0, FAR, 0o700), ALLOW),
    ("mkdirat", (0, FAR, 0o300), EPERM),
    *((name, (), EPERM) for name in ("execve", "fork", "socket", "ptrace", "mknodat", "linkat", "symlinkat", "bpf",
                                     "mount", "connect", "sendmsg", "setpriority")),
]  # fmt: skip


@pytest.mark.parametrize("machine", NUMBERS)
def test_each_call_with_its_arguments(machine: str) -> None:
    said = {
        (name, arguments): answer(machine, NUMBERS[machine][name], *arguments)
        for name, arguments, _ in CALLS
        if name in NUMBERS[machine]
    }
    assert said == {(name, arguments): right for name, arguments, right in CALLS if name in NUMBERS[machine]}


@pytest.mark.parametrize("machine", NUMBERS)
def test_other_machines_and_numbers(machine: str) -> None:
    numbers = NUMBERS[machine]
    for other in (0x40000003, 0x40000028, 0, 0xC00000F3):  # 32 bits of Intel and ARM, nothing, RISC-V
        assert answer(machine, numbers["read"], architecture=other) == KILL
    assert answer(machine, 0x40000000 | numbers["read"]) == ENOSYS  # x32
    assert answer(machine, 500) == answer(machine, -1) == ENOSYS


@pytest.mark.parametrize("machine", NUMBERS)
def test_what_is_taken_away_where_less_is_lent(machine: str) -> None:
    numbers = NUMBERS[machine]
    assert answer(machine, numbers["openat"], opens=False) == EACCES
    for name in ("mkdirat", "unlinkat", "truncate"):
        arguments = (0, FAR, 0o700)
        assert answer(machine, numbers[name], *arguments) == ALLOW
        assert answer(machine, numbers[name], *arguments, changes=False) == EPERM
    assert answer(machine, numbers["truncate"], truncates=False) == EPERM
    assert answer(machine, numbers["clone"], THREAD, threads=False) == EPERM
    assert answer(machine, numbers["read"], opens=False, changes=False, threads=False) == ALLOW


@pytest.mark.parametrize("machine", NUMBERS)
def test_the_list_is_no_longer_than_it_was_meant(machine: str) -> None:
    """Of all numbers, those that any arguments let through are the listed ones."""
    everything = system_calls.always(machine) | system_calls.in_folders(machine)
    allowed = {number for number in range(system_calls.NEWEST) if answer(machine, number) == ALLOW}
    by_arguments = set(system_calls.by_arguments(machine).values())
    assert allowed - by_arguments == set(everything.values())
    assert len(seccomp._steps(machine, PID, opens=True, changes=True, truncates=True, threads=True)) < 4096
