"""Tools that attack the sandbox; each docstring is the promise that the attack would break.

They run inside it, so that this file imports the standard library only. An attack that gets through
returns; only where `returned` is expected is that harmless. `self_check` runs them.
"""

# Attacks are written with the calls of the operating system's interface.
# ruff: noqa: PTH101, PTH102, PTH108, PTH123, PTH208, PTH211, S606

import builtins
import ctypes
import fcntl
import itertools
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Attack = Callable[[], Any]
EXPECTED: dict[str, tuple[str, ...]] = {}
"""Attack to the verdicts (values of `Reason`, or `returned`) that show it was contained."""
CONTAINER_ONLY: set[str] = set()
"""Attacks that only a memory cgroup contains."""
LINUX_ONLY: set[str] = set()
"""Attacks that another kernel (gVisor) lets see what is the sandbox's own, and nothing more."""

RUNNER = os.getpid()  # modules are imported by the runner
CHANNEL = 3  # where a fork writes its answer
HOARD = 64 << 20
_libc = ctypes.CDLL(None, use_errno=True)


def attack(
    *expected: str, container_only: bool = False, linux_only: bool = False
) -> Callable[[Attack], Attack]:
    """Register an attack and the verdicts that show that it was contained."""

    def register(function: Attack) -> Attack:
        EXPECTED[function.__name__] = expected
        if container_only:
            CONTAINER_ONLY.add(function.__name__)
        if linux_only:
            LINUX_ONLY.add(function.__name__)
        return function

    return register


def state() -> dict[str, Any]:
    """What a call finds when it starts; no attack may change it for the next."""
    scratch = os.environ["TMPDIR"]
    return {
        "processes": sum(_is_of_this_uid(one) for one in os.listdir("/proc") if one.isdigit()),
        "files": os.listdir(scratch),
        "may_write": os.access(scratch, os.W_OK),
        "oom_score": int(Path("/proc/self/oom_score_adj").read_text()),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "length": len([1, 2, 3]),
        "text": json.dumps({"sum": 2 + 3}),
        "patched": hasattr(builtins, "patched"),
    }


def _is_of_this_uid(pid: str) -> bool:
    try:
        status = Path("/proc", pid, "status").read_text()
    except OSError:
        return False
    return f"Uid:\t{os.getuid()}\t" in status


def _system_call(number_x86: int, number_arm: int, *arguments: int) -> int:
    number = number_x86 if os.uname().machine == "x86_64" else number_arm
    result = int(_libc.syscall(number, *(ctypes.c_long(one) for one in arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# Time


@attack("timeout")
def loop_in_python() -> None:
    """An endless loop ends at the time limit."""
    while True:
        pass


@attack("timeout")
def loop_in_c() -> None:
    """An endless loop in C, which no Python signal handler interrupts, ends at the time limit."""
    re.match(r"(a+)+$", "a" * 60 + "b")


@attack("timeout")
def sleep_with_signals_blocked() -> None:
    """A call that blocks all signals ends at the time limit."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(3600)


@attack("timeout")
def refuse_to_end() -> None:
    """A call that catches every exception and ignores every signal ends at the time limit."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(3600)
        except BaseException:  # noqa: S112 - that is the attack
            continue


@attack("timeout", "raised")
def stop_self() -> None:
    """A call that stops itself ends at the time limit."""
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)


@attack("timeout")
def hang_in_exception_text() -> None:
    """An exception whose text takes for ever to make ends at the time limit."""

    class Slow(Exception):
        def __str__(self) -> str:
            time.sleep(3600)
            return ""

    raise Slow


@attack("raised")
def spoof_timeout() -> None:
    """An exception named like a time-out is not taken for one."""
    raise type("Timeout", (Exception,), {})("no result in 1 s")


@attack("timeout")
def send_half_an_answer() -> None:
    """A call that answers in part and hangs ends at the time limit."""
    os.write(CHANNEL, struct.pack("!I", 100) + b"V[")
    time.sleep(3600)


# Processes


@attack("returned", "raised", "timeout", "crashed")
def fork_bomb() -> None:
    """A fork bomb is limited, and gone with the call."""
    while True:
        os.fork()


@attack("returned")
def leave_process_behind() -> str:
    """A process that a call leaves behind is gone before the next call."""
    if os.fork() == 0:
        time.sleep(3600)
    return "left"


@attack("returned")
def leave_daemon_behind() -> str:
    """A daemon in a session of its own is gone before the next call."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    return "left"


@attack("returned", "raised", "crashed")
def outrun_the_sweep() -> str:
    """Processes that fork and exit as fast as they can are gone before the next call."""
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
    time.sleep(0.05)
    return "left"


@attack("raised", "memory", "timeout", "crashed")
def thread_bomb() -> None:
    """A thread bomb is limited, and gone with the call."""
    while True:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


# Memory


@attack("memory")
def allocate_50_gb() -> int:
    """A huge allocation is refused."""
    return len(bytearray(50 << 30))


@attack("memory", "timeout")
def grow_list() -> None:
    """A list that grows without end ends at the memory limit."""
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


@attack("memory", "crashed", "raised", "timeout", container_only=True)
def grow_in_many_processes() -> None:
    """Processes that each stay under the memory limit end at their common limit."""
    for _ in range(20):
        if os.fork() == 0:
            kept = bytearray(b"x" * HOARD)
            time.sleep(3600)
            os._exit(len(kept) % 2)
    time.sleep(3600)


@attack("raised")
def hoard_in_memfd() -> int:
    """Memory can't be hidden in an anonymous file."""
    return os.memfd_create("hoard")


@attack("raised", "memory")
def grow_one_file() -> None:
    """One file can't fill the disk or the memory."""
    with open("hoard", "wb") as file:
        file.writelines(bytes(1 << 20) for _ in range(1024))


@attack("raised", "timeout", "memory", container_only=True)
def grow_many_files() -> None:
    """Many files can't fill the disk or the memory."""
    for index in itertools.count():
        Path(f"hoard-{index}").write_bytes(bytes(4 << 20))


@attack("raised", "timeout", "returned")
def make_many_files() -> str:
    """Thousands of files are gone before the next call."""
    for index in range(30_000):
        Path(f"small-{index}").touch()
    return "left"


@attack("returned", "raised")
def make_deep_folders() -> str:
    """Folders deeper than any path can name, and locked, are gone before the next call."""
    locked = []
    for _ in range(700):
        os.mkdir("deep-folder")
        locked.append(os.open("deep-folder", os.O_RDONLY))
        os.chdir("deep-folder")
        if len(locked) > 1:
            os.close(locked.pop(0))
    os.fchmod(locked[0], 0)
    os.chmod(os.environ["TMPDIR"] + "/deep-folder", 0)
    return "left"


@attack("returned")
def leave_odd_entries() -> str:
    """Symbolic links, named pipes and odd names are gone before the next call, and not followed."""
    os.symlink("/", "root")
    os.symlink("missing", "dangling")
    os.mkfifo("pipe")
    os.mkdir("link-inside")
    os.symlink("/etc", "link-inside/etc")
    os.mkdir(b"\xff\xfe\n")
    return "left"


@attack("returned", "timeout")
def flood_stdout() -> str:
    """A flood on standard output blocks nothing and is dropped."""
    line = "x" * (1 << 20)
    for _ in range(1024):
        print(line)
    return "printed"


@attack("returned", "timeout")
def flood_stderr() -> str:
    """A flood on standard error blocks nothing and is dropped."""
    for _ in range(1024):
        os.write(2, b"x" * (1 << 20))
    return "printed"


# Files and environment


@attack("raised")
def write_root() -> int:
    """The root folder can't be written."""
    return Path("/written").write_text("x")


@attack("raised")
def write_etc() -> int:
    """System files can't be written."""
    return Path("/etc/passwd").write_text("x")


@attack("raised")
def write_tools() -> int:
    """The tools can't be changed."""
    return Path(__file__).write_text("x")


@attack("raised")
def write_interpreter() -> int:
    """The interpreter's files can't be changed."""
    return Path(os.__file__).write_text("x")


@attack("raised")
def read_shadow() -> str:
    """Password hashes can't be read."""
    return Path("/etc/shadow").read_text()


@attack("raised")
def read_host_environment() -> dict[str, str]:
    """No environment variable of the host is seen."""
    seen = {name: os.environ[name] for name in os.environ if name not in _OWN_ENVIRONMENT}
    if not seen:
        raise LookupError("nothing of the host")
    return seen


_OWN_ENVIRONMENT = ("HOME", "TMPDIR", "LANG", "LC_CTYPE", "PATH")


@attack("raised", linux_only=True)
def read_runner_environment() -> str:
    """The runner's environment can't be read."""
    return Path(f"/proc/{RUNNER}/environ").read_text()


@attack("raised")
def write_kernel_settings() -> int:
    """Kernel settings can't be changed."""
    return Path("/proc/sys/kernel/hostname").write_text("x")


@attack("raised")
def read_kernel_memory() -> bytes:
    """Kernel memory can't be read."""
    with open("/proc/kcore", "rb") as file:
        return file.read(16)


@attack("raised")
def remove_socket() -> None:
    """The host's socket folder can't be changed."""
    os.unlink("/run/sandbox/socket")


@attack("raised")
def replace_socket() -> None:
    """Nothing can be planted in the host's socket folder."""
    os.symlink("/etc/passwd", "/run/sandbox/planted")


# Network


@attack("raised")
def connect_out() -> None:
    """No connection can be made."""
    socket.create_connection(("1.1.1.1", 53), 1)


@attack("raised")
def resolve_name() -> Any:
    """No name can be looked up."""
    return socket.getaddrinfo("example.com", 80)


@attack("raised")
def read_cloud_metadata() -> None:
    """The cloud's metadata address can't be reached."""
    socket.create_connection(("169.254.169.254", 80), 1)


@attack("raised")
def connect_to_loopback() -> None:
    """Services on the loopback address can't be reached."""
    socket.create_connection(("127.0.0.1", 8265), 1)


@attack("raised")
def listen_on_a_port() -> None:
    """No port can be listened on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()


@attack("raised")
def open_docker_socket() -> None:
    """The Docker engine can't be reached."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/var/run/docker.sock")


@attack("raised")
def open_raw_socket() -> None:
    """No raw socket can be made."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attack("raised")
def open_netlink_socket() -> None:
    """No netlink socket can be made."""
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attack("raised")
def open_packet_socket() -> None:
    """No packet socket can be made."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


@attack("raised")
def open_vsock() -> None:
    """No socket to the hypervisor can be made."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)


# The runner


@attack("raised")
def kill_runner() -> None:
    """The runner can't be killed."""
    os.kill(RUNNER, signal.SIGKILL)


@attack("raised")
def stop_parent() -> None:
    """The process that waits for the answer can't be stopped."""
    os.kill(os.getppid(), signal.SIGSTOP)


@attack("raised", "returned")
def kill_everyone() -> str:
    """Killing every process in sight ends nothing that matters."""
    os.kill(-1, signal.SIGKILL)
    return "killed"


@attack("raised")
def kill_runner_thread() -> None:
    """The runner's thread can't be killed."""
    _system_call(234, 131, RUNNER, RUNNER, signal.SIGKILL)


@attack("raised")
def queue_signal_to_runner() -> None:
    """No signal can be queued to the runner."""
    information = ctypes.create_string_buffer(128)
    _system_call(129, 138, RUNNER, signal.SIGKILL, ctypes.addressof(information))


@attack("raised")
def signal_runner_by_descriptor() -> None:
    """The runner can't be signalled through a descriptor."""
    descriptor = _system_call(434, 434, RUNNER, 0)
    _system_call(424, 424, descriptor, signal.SIGKILL, 0, 0)


@attack("raised")
def signal_runner_by_fcntl() -> None:
    """The runner can't be made the owner of a descriptor that signals."""
    readable, writable = os.pipe()
    fcntl.fcntl(readable, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(readable, fcntl.F_SETOWN, RUNNER)
    fcntl.fcntl(readable, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writable, b"x")


@attack("raised")
def steal_descriptor() -> int:
    """The runner's descriptors can't be copied."""
    return _system_call(438, 438, _system_call(434, 434, RUNNER, 0), 3, 0)


@attack("raised")
def trace_runner() -> int:
    """The runner can't be traced."""
    return _checked(_libc.ptrace(16, RUNNER, 0, 0))


@attack("raised")
def open_runner_memory() -> int:
    """The runner's memory can't be opened."""
    return os.open(f"/proc/{RUNNER}/mem", os.O_RDWR)


@attack("raised", linux_only=True)
def list_runner_descriptors() -> list[str]:
    """The runner's descriptors can't be listed."""
    return os.listdir(f"/proc/{RUNNER}/fd")


@attack("raised")
def read_runner_memory() -> int:
    """The runner's memory can't be read."""
    place = ctypes.create_string_buffer(16)
    vector = struct.pack("PP", ctypes.addressof(place), 16)
    buffer = ctypes.create_string_buffer(vector)
    address = ctypes.addressof(buffer)
    return _system_call(310, 270, RUNNER, address, 1, address, 1, 0)


@attack("raised")
def limit_runner() -> Any:
    """The runner's limits can't be changed."""
    return resource.prlimit(RUNNER, resource.RLIMIT_AS, (0, 0))


@attack("raised")
def slow_runner() -> None:
    """The runner's priority can't be changed."""
    os.setpriority(os.PRIO_PROCESS, RUNNER, 19)


@attack("raised")
def slow_everyone() -> None:
    """The priority of the whole uid can't be changed."""
    os.setpriority(os.PRIO_USER, os.getuid(), 19)


@attack("raised")
def pin_runner() -> None:
    """The runner can't be pinned to a processor."""
    os.sched_setaffinity(RUNNER, {0})


@attack("raised")
def offer_runner_to_oom() -> int:
    """The runner can't be made the victim when memory ends."""
    return Path(f"/proc/{RUNNER}/oom_score_adj").write_text("1000")


@attack("raised")
def hide_from_oom() -> None:
    """A call can't make the runner the likelier victim when memory ends."""
    _checked(_libc.prctl(4, 1, 0, 0, 0))
    Path("/proc/self/oom_score_adj").write_text("0")


# The kernel


@attack("raised")
def keep_shared_memory() -> int:
    """No System V shared memory survives a call."""
    return _checked(_libc.shmget(0x5EC, 1 << 20, 0o1666))


@attack("raised")
def keep_semaphore() -> int:
    """No System V semaphore survives a call."""
    return _checked(_libc.semget(0x5EC, 1, 0o1666))


@attack("raised")
def keep_message_queue() -> int:
    """No System V message queue survives a call."""
    return _checked(_libc.msgget(0x5EC, 0o1666))


@attack("raised")
def keep_posix_queue() -> int:
    """No POSIX message queue survives a call."""
    return _system_call(240, 180, ctypes.addressof(ctypes.create_string_buffer(b"q")), 0o102, 0, 0)


@attack("raised")
def keep_key() -> int:
    """No key survives a call in the kernel's keyring."""
    user, name = ctypes.create_string_buffer(b"user"), ctypes.create_string_buffer(b"kept")
    addresses = (ctypes.addressof(user), ctypes.addressof(name), ctypes.addressof(name))
    return _system_call(248, 217, *addresses, 4, -4)


@attack("raised")
def make_user_namespace() -> int:
    """No namespace can be made."""
    return _checked(_libc.unshare(0x10000000))


@attack("raised")
def clone_into_namespace() -> int:
    """No process can be started in a new namespace."""
    return _system_call(56, 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)


@attack("raised")
def mount_file_system() -> int:
    """Nothing can be mounted."""
    return _checked(_libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))


@attack("raised")
def open_mount_tree() -> int:
    """No mount can be picked up."""
    return _system_call(428, 428, -100, ctypes.addressof(ctypes.create_string_buffer(b"/")), 0)


@attack("raised")
def set_up_io_uring() -> int:
    """No io_uring can be made."""
    return _system_call(425, 425, 1, ctypes.addressof(ctypes.create_string_buffer(120)))


@attack("raised")
def load_bpf() -> int:
    """No BPF program can be loaded."""
    return _system_call(321, 280, 0, ctypes.addressof(ctypes.create_string_buffer(120)), 120)


@attack("raised")
def become_root() -> None:
    """The uid can't be changed."""
    os.setuid(0)


@attack("raised")
def change_root() -> None:
    """The root can't be changed."""
    os.chroot(".")


@attack("raised")
def run_program() -> None:
    """No other program can be run."""
    os.execv(sys.executable, [sys.executable, "-c", "pass"])


@attack("raised")
def set_clock() -> None:
    """The clock can't be set."""
    time.clock_settime(time.CLOCK_REALTIME, 0)


# Crashes


@attack("raised")
def recurse() -> None:
    """Endless recursion fails the call only."""
    recurse()


@attack("crashed", "memory")
def overflow_stack() -> None:
    """A stack overflow fails the call only."""
    sys.setrecursionlimit(1 << 30)

    class Nested:
        def __repr__(self) -> str:
            return repr([self])

    repr(Nested())


@attack("crashed")
def dereference_null() -> Any:
    """A null dereference fails the call only."""
    return ctypes.string_at(0)


@attack("crashed")
def abort() -> None:
    """An abort fails the call only."""
    os.abort()


@attack("crashed", "raised")
def kill_self() -> None:
    """A call that kills itself fails the call only."""
    os.kill(os.getpid(), signal.SIGKILL)


@attack("crashed")
def set_own_timer() -> None:
    """A call that a timer of its own ends fails the call only."""
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(3600)


@attack("raised")
def exit_interpreter() -> None:
    """`sys.exit` fails the call only."""
    sys.exit(0)


@attack("crashed")
def exit_process() -> None:
    """`os._exit` fails the call only."""
    os._exit(0)


@attack("crashed")
def close_descriptors() -> str:
    """A call that closes all its descriptors fails the call only."""
    os.closerange(0, 256)
    return "closed"


# Forged answers


def _forge(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


@attack("crashed")
def answer_before_the_answer() -> str:
    """A forged answer followed by bytes is recognised."""
    os.write(CHANNEL, _forge(b'V"forged"') + b"x")
    return "real"


@attack("crashed")
def answer_twice() -> None:
    """Two answers to one call are recognised."""
    os.write(CHANNEL, _forge(b"V1") + _forge(b"V2"))
    time.sleep(3600)


@attack("crashed")
def announce_4_gb() -> None:
    """An answer that announces a huge length is refused unread."""
    os.write(CHANNEL, b"\xff\xff\xff\xff")
    time.sleep(3600)


@attack("crashed")
def answer_of_unknown_kind() -> None:
    """An answer of no known kind is recognised."""
    os.write(CHANNEL, _forge(b"?1"))
    os._exit(0)


@attack("not_serializable")
def answer_broken_json() -> None:
    """A forged answer that is not JSON is refused."""
    os.write(CHANNEL, _forge(b"V{"))
    os._exit(0)


@attack("not_serializable")
def answer_deep_json() -> None:
    """A forged answer that is nested too deep to read is refused."""
    os.write(CHANNEL, _forge(b"V" + b"[" * 100_000 + b"]" * 100_000))
    os._exit(0)


@attack("not_serializable")
def answer_rather_deep_json() -> None:
    """A forged answer that is nested too deep to work with is refused."""
    os.write(CHANNEL, _forge(b"V" + b"[" * 500 + b"]" * 500))
    os._exit(0)


@attack("not_serializable")
def answer_nan() -> None:
    """A forged NaN is refused."""
    os.write(CHANNEL, _forge(b"V[NaN]"))
    os._exit(0)


@attack("not_serializable")
def answer_infinity() -> None:
    """A forged number too large for a float is refused."""
    os.write(CHANNEL, _forge(b"V[1e999]"))
    os._exit(0)


@attack("not_serializable")
def answer_bad_utf8() -> None:
    """A forged answer that is not UTF-8 is refused."""
    os.write(CHANNEL, _forge(b'V"\xff\xfe"'))
    os._exit(0)


@attack("not_serializable")
def answer_lone_surrogate() -> None:
    """A forged lone surrogate is refused."""
    os.write(CHANNEL, _forge(b'V"\\ud800"'))
    os._exit(0)


# Values that are not JSON


@attack("not_serializable")
def return_nan() -> Any:
    """NaN is no result."""
    return [float("nan")]


@attack("not_serializable")
def return_set() -> Any:
    """A set is no result."""
    return {1, 2}


@attack("not_serializable")
def return_bytes() -> Any:
    """Bytes are no result."""
    return b"bytes"


@attack("not_serializable")
def return_cycle() -> Any:
    """A value that contains itself is no result."""
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


@attack("not_serializable")
def return_deep() -> Any:
    """A value nested very deep is no result."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@attack("not_serializable")
def return_tuple_keys() -> Any:
    """A dict with tuple keys is no result."""
    return {(1, 2): 3}


@attack("not_serializable")
def return_number_keys() -> Any:
    """A dict with number keys, which JSON would turn into strings, is no result."""
    return {1: "one"}


@attack("not_serializable")
def return_generator() -> Any:
    """A generator is no result."""
    return (number for number in range(3))


@attack("not_serializable")
def return_lone_surrogate() -> Any:
    """Text that has no UTF-8 form is no result."""
    return "\ud800"


@attack("not_serializable")
def return_huge_integer() -> Any:
    """An integer too long to read back is no result."""
    return 10**5000


@attack("output_too_large")
def return_long_text() -> Any:
    """A result over the cap is refused."""
    return "x" * (100 << 20)


@attack("output_too_large", "timeout")
def return_exploding_value() -> Any:
    """A small value that would take gigabytes to write is not written."""
    value: list[Any] = ["lol"]
    for _ in range(60):
        value = [value, value]
    return value


# What Python code can change


@attack("returned", "raised", "crashed", "not_serializable")
def patch_builtins() -> str:
    """Changed builtins are forgotten."""
    builtins.patched = True  # type: ignore[attr-defined]
    builtins.len = lambda _: 0
    return "patched"


@attack("returned", "not_serializable", "raised")
def patch_json() -> str:
    """A changed `json` module is forgotten."""
    json.dumps = lambda *_, **__: '"patched"'
    return "patched"


@attack("returned")
def patch_tools() -> str:
    """Changed tools are forgotten."""
    globals()["state"].__code__ = (lambda: {"patched": True}).__code__
    return "patched"


@attack("returned")
def patch_collector() -> str:
    """A hook that waits for the interpreter's exit or a collection is forgotten."""
    sys.setprofile(lambda *_: None)
    threading.setprofile(lambda *_: None)
    os.register_at_fork(before=lambda: os._exit(1))
    return "patched"
