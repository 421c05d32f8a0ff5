"""The runner's own system-call filter, in classic BPF, for x86-64 and aarch64.

It is installed once, in the runner, before any tool module is imported, and every fork inherits it:
no cost per call. It comes on top of the container engine's default profile, and is the only filter
where there is none (bubblewrap, a plain process).

A denied call fails with an errno, so that a tool that merely tries gets an exception, not a crash.
The list names what reaches other processes (above all the runner: it shares its uid with the
calls), what outlives the process, and what only widens the kernel's attack surface.
"""

from __future__ import annotations

import ctypes
import errno
import os

Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, operand

# name: number on (x86-64, aarch64); None where the architecture lacks it
DENIED: dict[str, tuple[int, int | None]] = {
    # other processes: their memory, limits, priorities, descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "kcmp": (312, 272),
    "get_robust_list": (274, 100),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # another program
    "execve": (59, 221),
    "execveat": (322, 281),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # memory and messages that no process owns: they would survive the call
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # the kernel itself
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "vmsplice": (278, 75),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "ioperm": (173, None),
    "iopl": (172, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
# filtered by their arguments, below
PRLIMIT64 = (302, 261)
KILL = (62, 129)
TKILL = (200, 130)
TGKILL = (234, 131)
FCNTL = (72, 25)
IOCTL = (16, 29)
PRCTL = (157, 167)
SOCKET = (41, 198)
BIND = (49, 200)
LISTEN = (50, 201)
CLONE = (56, 220)
CLONE3 = (435, 435)

PROGRAMS = ("execve", "execveat")

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, AUDIT_ARCH
X32_BIT = 0x40000000
NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET
# With these a process picks whom a descriptor signals, and by which signal: SIGKILL included.
SIGNAL_BY_FCNTL = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX
SIGNAL_BY_IOCTL = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP

AF_INET, SOCK_STREAM, SOCK_TYPE_MASK, IPPROTO_TCP = 2, 1, 0xF, 6

LOAD, AND, RETURN = 0x20, 0x54, 0x06  # BPF operations
EQUAL, AT_LEAST, ANY_BIT = 0x15, 0x35, 0x45
NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
ARGUMENT_0, ARGUMENT_1, ARGUMENT_2 = 16, 24, 32
ALLOW, KILL_PROCESS, FAIL = 0x7FFF0000, 0x80000000, 0x00050000

# A process that stays undumpable can't change its own standing with the kernel's OOM killer.
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


class _Filter(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    ]


class _Program(ctypes.Structure):
    _fields_ = [
        ("len", ctypes.c_ushort),
        ("filter", ctypes.POINTER(_Filter)),
    ]


def install(egress: bool, programs: bool = False) -> None:
    """Filter this process and all its forks from now on.

    With `egress`, they may make TCP calls; with `programs`, become another program.
    """
    _install(program(os.uname().machine, egress, programs))


def install_signal_guard() -> None:
    """For a fork whose runner is not PID 1: let it signal its own process group only.

    PID 1 is deaf to its own namespace, any other runner is not.
    """
    _install(signal_guard(os.uname().machine))


def _install(instructions: list[Instruction]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    array = (_Filter * len(instructions))(*(_Filter(*one) for one in instructions))
    packed = _Program(len(instructions), array)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(packed), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def program(machine: str, egress: bool, programs: bool = False) -> list[Instruction]:
    """The filter as a list of BPF instructions."""
    column, architecture = MACHINES[machine]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL_PROCESS),  # another ABI has other numbers
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        steps += [(AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, KILL_PROCESS)]
    for name, numbers in DENIED.items():
        if programs and name in PROGRAMS:
            continue
        number = numbers[column]
        if number is not None:
            steps += _deny(number, errno.EPERM)
    # No network namespace can be counted on (the containers of a pod share one), so: no sockets.
    # socketpair() stays, asyncio needs it.
    if egress:  # this sandbox has a namespace of its own, and in it only the host's proxy answers
        steps += _tcp_only(SOCKET[column])
        # A port that a call has bound is taken for a minute, from the calls that follow too.
        steps += _deny(BIND[column], errno.EACCES) + _deny(LISTEN[column], errno.EACCES)
    else:
        steps += _deny(SOCKET[column], errno.EACCES)
    # Its flags are behind a pointer; C libraries fall back to clone.
    steps += _deny(CLONE3[column], errno.ENOSYS)
    steps += _when(CLONE[column], ARGUMENT_0, [(ANY_BIT, 0, 1, NAMESPACE_FLAGS), _fail()])
    steps += _when(PRLIMIT64[column], ARGUMENT_0, [(EQUAL, 1, 0, 0), _fail()])  # 0 is oneself
    for number in (KILL[column], TKILL[column], TGKILL[column]):
        steps += _when(number, ARGUMENT_0, [(EQUAL, 0, 1, 1), _fail()])  # 1 is the runner
    steps += _when(PRCTL[column], ARGUMENT_0, [(EQUAL, 0, 1, PR_SET_DUMPABLE), _fail()])
    for number, commands in ((FCNTL[column], SIGNAL_BY_FCNTL), (IOCTL[column], SIGNAL_BY_IOCTL)):
        checks: list[Instruction] = []
        for command in commands:
            checks += [(EQUAL, 0, 1, command), _fail()]
        steps += _when(number, ARGUMENT_1, checks)
    return [*steps, (RETURN, 0, 0, ALLOW)]


def signal_guard(machine: str) -> list[Instruction]:
    """What `install_signal_guard` adds; the architecture has been checked by then."""
    column, _ = MACHINES[machine]
    steps = [(LOAD, 0, 0, NUMBER)]
    for number in (KILL[column], TKILL[column], TGKILL[column]):
        steps += _when(number, ARGUMENT_0, [(EQUAL, 1, 0, 0), _fail()])  # 0 is one's own group
    return [*steps, (RETURN, 0, 0, ALLOW)]


def _fail() -> Instruction:
    return (RETURN, 0, 0, FAIL | errno.EPERM)


def _tcp_only(number: int) -> list[Instruction]:
    """Of socket(), let TCP over IPv4 pass."""
    steps = [
        *((LOAD, 0, 0, ARGUMENT_0), (EQUAL, 0, 7, AF_INET)),
        *((LOAD, 0, 0, ARGUMENT_1), (AND, 0, 0, SOCK_TYPE_MASK), (EQUAL, 0, 4, SOCK_STREAM)),
        *((LOAD, 0, 0, ARGUMENT_2), (EQUAL, 1, 0, 0), (EQUAL, 0, 1, IPPROTO_TCP)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, FAIL | errno.EACCES),
    ]
    return [(EQUAL, 0, len(steps), number), *steps]


def _deny(number: int, error: int) -> list[Instruction]:
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL | error)]


def _when(number: int, argument: int, checks: list[Instruction]) -> list[Instruction]:
    """For one system call, run `checks` with the low word of an argument loaded."""
    steps = [(LOAD, 0, 0, argument), *checks, (LOAD, 0, 0, NUMBER)]
    return [(EQUAL, 0, len(steps), number), *steps]
