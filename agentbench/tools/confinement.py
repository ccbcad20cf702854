"""What a process takes from itself before it runs a program that somebody else wrote. Nothing of ours is imported.

- limits of CPU time, memory, processes, open files and the size of a file; no core dumps
- namespaces (Linux, where users may make them): no network, and processes that end with the first of them
- Landlock (Linux 5.13): files are written in one folder only, and read there and where programs and libraries lie
- seccomp (Linux on x86-64 and ARM): no socket, no tracing, no mounting, no memory outside the limits, and without
  namespaces no signal to other processes; changing modes, owners, times and attributes of files, which Landlock lets
  pass, seems to succeed and has no effect

Each is left out where the system does not have it. Not covered: what a program may read (its own folder, Python, /usr)
it may also print; how much its files take together; existence, size and owner of files anywhere (stat); faults of the
kernel. Run what is hostile for certain on a machine that holds nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import resource
import sys
from collections.abc import Iterable

_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READS = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE
_WRITES = _WRITE_FILE | sum(1 << bit for bit in (4, 5, 6, 7, 8, 9, 10, 11, 12))
"""Landlock's rights to write, remove and make, as its first version has them (linux/landlock.h)."""
_REFER, _SINCE_REFER = 1 << 13, 2
_TRUNCATE, _SINCE_TRUNCATE = 1 << 14, 3

LIBRARIES = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/urandom",
    "/dev/zero",
)
"""What any program may read and run, beside its Python."""

_EPERM, _ENOSYS = 1, 38
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
"""From here on x86-64 counts the same calls once more, for another way of calling."""


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


_CALLS: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            **{"socket": 41, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312},
            **{"chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "personality": 135},
            **{"chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260},
            **{"utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280},
            **{"setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "setxattrat": 463},
            **{"removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "removexattrat": 466},
            **{"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428, "move_mount": 429},
            **{"fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "open_by_handle_at": 304},
            **{"unshare": 272, "setns": 308, "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "semget": 64},
            **{"msgget": 68, "mq_open": 240, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323},
            **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427},
            **{"add_key": 248, "request_key": 249, "keyctl": 250},
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            **{"socket": 198, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272},
            **{"fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchownat": 54, "fchown": 55, "utimensat": 88},
            **{"setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "setxattrat": 463, "personality": 92},
            **{"removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "removexattrat": 466},
            **{"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428, "move_mount": 429},
            **{"fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "open_by_handle_at": 265},
            **{"unshare": 97, "setns": 268, "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "semget": 190},
            **{"msgget": 186, "mq_open": 180, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282},
            **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427},
            **{"add_key": 217, "request_key": 218, "keyctl": 219},
        },
    ),
}
"""By machine: its number for seccomp, and the calls that are refused (asm/unistd_64.h, asm-generic/unistd.h)."""
_WITHOUT_EFFECT = re.compile(r"f?(chmod|chown)(at2?)?|lchown|utimes?|futimesat|utimensat|[lf]?(set|remove)xattr(at)?")
"""Calls that seem to succeed and change nothing: copying a file ends with them, and Landlock lets them all pass."""
_SIGNALS = {"x86_64": (62, 129, 297, 424), "aarch64": (129, 138, 240, 424)}
"""kill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal."""
_CLONES = {"x86_64": (56, 435), "aarch64": (220, 435)}
"""clone, whose flags can be looked at, and clone3, whose cannot: without it, libraries take the other."""


def leave_namespaces() -> bool:
    """New namespaces of users, processes, network and messages for this process's children; whether it got them."""
    if sys.platform != "linux":
        return False
    return _library().unshare(_CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC) == 0


def confine_files(folder: str, readable: Iterable[str]) -> None:
    """Lets this process and its children write in a folder and to /dev/null alone, and read there and what is named."""
    if sys.platform != "linux":
        return
    library = _library()
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return
    writes = _WRITES | (_TRUNCATE if version >= _SINCE_TRUNCATE else 0)
    refer = _REFER if version >= _SINCE_REFER else 0
    handled = ctypes.c_uint64(writes | _READS | refer)
    rules = library.syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    _allow(library, rules, folder, writes | _READS | refer)
    _allow(library, rules, os.devnull, (writes & (_WRITE_FILE | _TRUNCATE)) | _READ_FILE)
    for path in (*LIBRARIES, *readable):
        _allow(library, rules, path, _READS)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def confine_calls(*, signals: bool) -> None:
    """Refuses the calls of the system that no program needs here; without `signals` those to other processes too."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _CALLS:
        return
    architecture, calls = _CALLS[machine]
    clone, clone3 = _CLONES[machine]
    refused = [(number, 0 if _WITHOUT_EFFECT.fullmatch(name) else _EPERM) for name, number in calls.items()]
    refused += [(number, _EPERM) for number in (() if signals else _SIGNALS[machine])]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE | _EPERM),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _REFUSE | _EPERM),
        (_EQUAL, 0, 1, clone3),
        (_RETURN, 0, 0, _REFUSE | _ENOSYS),
    ]
    for number, error in refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE | error)]
    steps += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _CLONE_NEWUSER)]
    steps += [(_RETURN, 0, 0, _REFUSE | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    library = _library()
    program = _Program(len(steps), (_Instruction * len(steps))(*steps))
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def limit(wanted: dict[int, int]) -> None:
    """Hard limits by `resource.RLIMIT_…`, which the program cannot raise again; no core dumps."""
    for kind, most in {**wanted, resource.RLIMIT_CORE: 0}.items():
        with contextlib.suppress(ValueError, OSError):  # a stricter limit stands already
            resource.setrlimit(kind, (most, most))


def python_folders() -> list[str]:
    """Where this interpreter and its standard library lie."""
    return sorted({sys.base_prefix, sys.prefix, os.path.dirname(os.path.realpath(sys.executable)), *sys.path} - {""})


def _allow(library: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Rights below a folder, or to a file; nothing where there is neither."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    beneath = _PathBeneath(rights if os.path.isdir(path) else rights & (_OF_FILES | _TRUNCATE), place)
    library.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(beneath), 0)
    os.close(place)


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
