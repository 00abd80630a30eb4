"""The system calls that a program of arithmetic, text and files of its own needs: name, number on x86_64, on aarch64.

Sources: asm/unistd_64.h and asm-generic/unistd.h of Linux 6. Found by running Python's standard library, numpy and
torch behind the fence; what isn't here is refused.
"""

from __future__ import annotations

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel calls each machine that we know the numbers of (linux/audit.h)."""

_ALWAYS = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
close 3 57, lseek 8 62, fstat 5 80, newfstatat 262 79, statx 332 291, stat 4 -, lstat 6 -, getdents 78 -,
getdents64 217 61, ftruncate 77 46, fsync 74 82, fdatasync 75 83, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -,
pipe2 293 59, sendfile 40 71, fadvise64 221 223, fstatfs 138 44, statfs 137 43, getcwd 79 17,
fchdir 81 50, chdir 80 49, access 21 -, faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78,
brk 12 214, mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233,
clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169,
time 201 -, times 100 153, getrusage 98 165, alarm 37 -, setitimer 38 103, getitimer 36 102,
futex 202 98, set_robust_list 273 99, get_robust_list 274 100, rseq 334 293, sched_yield 24 124,
sched_getaffinity 204 123, getcpu 309 168, set_tid_address 218 96, restart_syscall 219 128, exit 60 93,
exit_group 231 94, gettid 186 178,
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigtimedwait 128 137,
rt_sigsuspend 130 133, sigaltstack 131 132, pause 34 -,
getpid 39 172, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148,
getresgid 120 150, getgroups 115 158, getpgid 121 155, getpgrp 111 -, getsid 124 156, getrlimit 97 163, uname 63 160,
sysinfo 99 179, getrandom 318 278, wait4 61 260, waitid 247 95,
poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -, eventfd2 290 19,
recvfrom 45 207, getsockname 51 204, getsockopt 55 209, shutdown 48 210
"""
_IN_FOLDERS = """
rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276
"""
_BY_ARGUMENTS = """
open 2 -, openat 257 56, truncate 76 45, clone 56 220, fcntl 72 25, ioctl 16 29, prlimit64 302 261, prctl 157 167,
kill 62 129, tgkill 234 131, socketpair 53 199, sendto 44 206, mkdir 83 -, mkdirat 258 34
"""
_NOT_THERE = """
clone3 435 435, openat2 437 437, io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427,
memfd_create 319 279, copy_file_range 326 285, fallocate 285 47, close_range 436 436, pidfd_open 434 434
"""
_SECCOMP = "seccomp 317 277"

NEWEST = 462
"""Calls from this number on are of kernels after Linux 6.9: answered as an older kernel does."""


def _numbers(table: str, machine: str) -> dict[str, int]:
    column = list(ARCHITECTURES).index(machine) + 1
    rows = (row.split() for row in table.replace("\n", " ").split(","))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def always(machine: str) -> dict[str, int]:
    """Calls that are allowed whatever their arguments."""
    return _numbers(_ALWAYS, machine)


def in_folders(machine: str) -> dict[str, int]:
    """Calls that change folders: allowed where Landlock says which."""
    return _numbers(_IN_FOLDERS, machine)


def by_arguments(machine: str) -> dict[str, int]:
    """Calls that are allowed with some arguments only."""
    return _numbers(_BY_ARGUMENTS, machine)


def not_there(machine: str) -> dict[str, int]:
    """Calls whose callers do without, if they are told that the kernel doesn't know them."""
    return _numbers(_NOT_THERE, machine)


def seccomp(machine: str) -> int:
    """The number of the call that sets a filter."""
    return _numbers(_SECCOMP, machine)["seccomp"]
