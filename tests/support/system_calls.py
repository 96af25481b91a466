"""Runs something in a child process and kills it at the system call of a given number, by ptrace(2). Linux only."""

import ctypes
import os
import signal
from collections.abc import Callable

_TRACEME, _SYSCALL, _SETOPTIONS = 0, 24, 0x4200
# Stops at system calls are told from signals; new threads are traced too; the child does not outlive its tracer.
_OPTIONS = 0x1 | 0x8 | 0x100000
_AT_SYSTEM_CALL = signal.SIGTRAP | 0x80
_ALL = 0x40000000  # __WALL: threads as well
_libc = ctypes.CDLL(None, use_errno=True)


def killed_at(number: int, action: Callable[[], object]) -> bool:
    """Kills a child that does `action` when it enters or leaves its system call of that number, from 1, of all threads.

    Returns:
      Whether it was killed; otherwise it had ended before.

    Raises:
      RuntimeError: the action failed, or the system does not allow tracing.

    """
    child = os.fork()
    if child == 0:
        try:
            _ptrace(_TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            action()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return _trace(child, number)


def _trace(child: int, number: int) -> bool:
    os.waitpid(child, _ALL)
    _ptrace(_SETOPTIONS, child, _OPTIONS)
    _ptrace(_SYSCALL, child)
    stops = 0
    while True:
        thread, status = os.waitpid(-1, _ALL)
        if not os.WIFSTOPPED(status):
            if thread != child:
                continue
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
                return False
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and stops >= number:
                return True
            raise RuntimeError(f"the child ended with status {status}")
        caught, event = os.WSTOPSIG(status), status >> 16
        if caught == _AT_SYSTEM_CALL:
            stops += 1
            if stops == number:
                os.kill(child, signal.SIGKILL)
        passed_on = 0 if event or caught in (_AT_SYSTEM_CALL, signal.SIGSTOP, signal.SIGTRAP) else caught
        _ptrace(_SYSCALL, thread, passed_on, may_be_gone=stops >= number)


def _ptrace(request: int, thread: int, data: int = 0, *, may_be_gone: bool = False) -> None:
    done = _libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), ctypes.c_void_p(0), ctypes.c_void_p(data))
    if done < 0 and not may_be_gone:
        raise RuntimeError(f"ptrace({request}): {os.strerror(ctypes.get_errno())}")
