"""Threads for large loops: a pool of workers in native code, which know nothing of Python.

A loop is cut into blocks, whose number does not depend on that of threads, so neither do results. ``dispatch`` offers the blocks to
the workers and takes part itself; a worker claims a block by raising the counter in one atomic word, whose upper half names the
job, so that a late one cannot claim a block of the next job by mistake. Idle workers spin for some microseconds and then
sleep. A dispatch while another is under way, and one with a single thread, runs its blocks alone.

``GRADTAPE_NUM_THREADS`` or ``set_threads`` give the number; it is never more than the cores this process may use.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

from .host import Host, address, blas_threads, c_library, cores

# The pool, in words of 8 bytes: 0 job << 32 | next block, 1 blocks, 2 function, 3 table, 4 done, 5 busy, 6 sleeping, 7 workers,
# 8 workers that are to leave, 9 and 10 BLAS's functions to tell and to set its threads, if any; at byte 128 a mutex, at byte 256 a condition.
_MUTEX, _CONDITION, _SIZE = 128, 256, 384
_SPINS = 1500

_THREADED = """
@pool = external global i8
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @sched_yield()
{declare_pause}

; Claim and run blocks until none is left.
define internal void @run() nounwind {{
entry:
  br label %look
look:
  %word = load atomic i64, ptr @pool seq_cst, align 8
  %blocks = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 1) seq_cst, align 8
  %f = load atomic ptr, ptr getelementptr (i64, ptr @pool, i64 2) seq_cst, align 8
  %table = load atomic ptr, ptr getelementptr (i64, ptr @pool, i64 3) seq_cst, align 8
  %at = and i64 %word, 4294967295
  %some = icmp ult i64 %at, %blocks
  br i1 %some, label %claim, label %out
claim:
  %next = add i64 %word, 1
  %try = cmpxchg ptr @pool, i64 %word, i64 %next seq_cst seq_cst, align 8
  %mine = extractvalue {{ i64, i1 }} %try, 1
  br i1 %mine, label %work, label %look
work:
  %end = add i64 %at, 1
  call void %f(ptr %table, i64 %at, i64 %end)
  %n = atomicrmw add ptr getelementptr (i64, ptr @pool, i64 4), i64 1 seq_cst, align 8
  br label %look
out:
  ret void
}}

define internal i1 @some() nounwind {{
  %word = load atomic i64, ptr @pool seq_cst, align 8
  %blocks = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 1) seq_cst, align 8
  %at = and i64 %word, 4294967295
  %some = icmp ult i64 %at, %blocks
  ret i1 %some
}}

; Whether this worker is to leave.
define internal i1 @leave() nounwind {{
  %n = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 8) seq_cst, align 8
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %try, label %no
try:
  %m = sub i64 %n, 1
  %r = cmpxchg ptr getelementptr (i64, ptr @pool, i64 8), i64 %n, i64 %m seq_cst seq_cst, align 8
  %ok = extractvalue {{ i64, i1 }} %r, 1
  ret i1 %ok
no:
  ret i1 0
}}

define ptr @worker(ptr %unused) nounwind {{
entry:
  br label %again
again:
  %bye = call i1 @leave()
  br i1 %bye, label %gone, label %go
gone:
  ret ptr null
go:
  call void @run()
  br label %spin
spin:
  %i = phi i64 [ 0, %go ], [ %j, %idle ]
  %s = call i1 @some()
  br i1 %s, label %again, label %idle
idle:
  {pause}
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, {spins}
  br i1 %more, label %spin, label %sleep
sleep:
  %l = call i32 @pthread_mutex_lock(ptr getelementptr (i8, ptr @pool, i64 128))
  %up = atomicrmw add ptr getelementptr (i64, ptr @pool, i64 6), i64 1 seq_cst, align 8
  br label %check
check:
  %t = call i1 @some()
  %n = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 8) seq_cst, align 8
  %x = icmp sgt i64 %n, 0
  %up2 = or i1 %t, %x
  br i1 %up2, label %wake, label %wait
wait:
  %w = call i32 @pthread_cond_wait(ptr getelementptr (i8, ptr @pool, i64 256), ptr getelementptr (i8, ptr @pool, i64 128))
  br label %check
wake:
  %down = atomicrmw sub ptr getelementptr (i64, ptr @pool, i64 6), i64 1 seq_cst, align 8
  %u = call i32 @pthread_mutex_unlock(ptr getelementptr (i8, ptr @pool, i64 128))
  br label %again
}}

; Whether the pool was free, and is now the caller's.
define internal i1 @take() nounwind {{
  %free = cmpxchg ptr getelementptr (i64, ptr @pool, i64 5), i64 0, i64 1 seq_cst seq_cst, align 8
  %mine = extractvalue {{ i64, i1 }} %free, 1
  ret i1 %mine
}}

define void @dispatch(ptr %f, ptr %table, i64 %blocks) nounwind {{
entry:
  %workers = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 7) seq_cst, align 8
  %alone = icmp eq i64 %workers, 0
  br i1 %alone, label %serial, label %try
try:
  %mine = call i1 @take()
  br i1 %mine, label %share, label %serial
serial:
  call void %f(ptr %table, i64 0, i64 %blocks)
  ret void
share:
  call void @offer(ptr %f, ptr %table, i64 %blocks)
  store atomic i64 0, ptr getelementptr (i64, ptr @pool, i64 5) seq_cst, align 8
  ret void
}}

; The same for blocks that call BLAS, which meanwhile starts no threads of its own.
define void @products(ptr %f, ptr %table, i64 %blocks) nounwind {{
entry:
  %get = load ptr, ptr getelementptr (i64, ptr @pool, i64 9), align 8
  %set = load ptr, ptr getelementptr (i64, ptr @pool, i64 10), align 8
  %none = icmp eq ptr %get, null
  br i1 %none, label %serial, label %try
try:
  %mine = call i1 @take()
  br i1 %mine, label %share, label %serial
serial:
  call void %f(ptr %table, i64 0, i64 %blocks)
  ret void
share:
  %n = call i32 %get()
  call void %set(i32 1)
  call void @offer(ptr %f, ptr %table, i64 %blocks)
  call void %set(i32 %n)
  store atomic i64 0, ptr getelementptr (i64, ptr @pool, i64 5) seq_cst, align 8
  ret void
}}

define internal void @offer(ptr %f, ptr %table, i64 %blocks) nounwind {{
entry:
  %word = load atomic i64, ptr @pool seq_cst, align 8
  %job = lshr i64 %word, 32
  %new = add i64 %job, 1
  %high = shl i64 %new, 32
  %closed = or i64 %high, 4294967295
  store atomic i64 %closed, ptr @pool seq_cst, align 8
  store atomic i64 %blocks, ptr getelementptr (i64, ptr @pool, i64 1) seq_cst, align 8
  store atomic ptr %f, ptr getelementptr (i64, ptr @pool, i64 2) seq_cst, align 8
  store atomic ptr %table, ptr getelementptr (i64, ptr @pool, i64 3) seq_cst, align 8
  store atomic i64 0, ptr getelementptr (i64, ptr @pool, i64 4) seq_cst, align 8
  store atomic i64 %high, ptr @pool seq_cst, align 8
  %asleep = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 6) seq_cst, align 8
  %any = icmp ne i64 %asleep, 0
  br i1 %any, label %rouse, label %join
rouse:
  %l = call i32 @pthread_mutex_lock(ptr getelementptr (i8, ptr @pool, i64 128))
  %b = call i32 @pthread_cond_broadcast(ptr getelementptr (i8, ptr @pool, i64 256))
  %u = call i32 @pthread_mutex_unlock(ptr getelementptr (i8, ptr @pool, i64 128))
  br label %join
join:
  call void @run()
  br label %wait
wait:
  %i = phi i64 [ 0, %join ], [ %j, %idle ]
  %done = load atomic i64, ptr getelementptr (i64, ptr @pool, i64 4) seq_cst, align 8
  %all = icmp eq i64 %done, %blocks
  br i1 %all, label %end, label %idle0
idle0:
  {pause}
  %j = add i64 %i, 1
  %long = icmp ugt i64 %j, 4000
  br i1 %long, label %yield, label %idle
yield:
  %y = call i32 @sched_yield()
  br label %idle
idle:
  br label %wait
end:
  ret void
}}
"""

_SERIAL = """
@pool = external global i8
define ptr @worker(ptr %p) { ret ptr null }
define void @dispatch(ptr %f, ptr %table, i64 %blocks) nounwind {
  call void %f(ptr %table, i64 0, i64 %blocks)
  ret void
}
define void @products(ptr %f, ptr %table, i64 %blocks) nounwind {
  call void %f(ptr %table, i64 0, i64 %blocks)
  ret void
}
"""

_PAUSE = {
    "x86": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "arm": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}
_LIBC = ("pthread_mutex_lock", "pthread_mutex_unlock", "pthread_cond_wait", "pthread_cond_broadcast", "sched_yield")


def _wanted() -> int:
    try:
        n = int(os.environ.get("GRADTAPE_NUM_THREADS", "0"))
    except ValueError:
        n = 0
    return min(n, cores()) if n > 0 else cores()


def ir() -> str:
    """The pool's code."""
    if sys.platform == "win32":
        return _SERIAL
    declare, pause = _PAUSE["x86" if platform.machine().lower() in ("x86_64", "amd64") else "arm"]
    return _THREADED.format(declare_pause=declare, pause=pause, spins=_SPINS)


class Pool:
    """The workers of this process, and the addresses of ``dispatch`` and ``products``."""

    def __init__(self, h: Host) -> None:
        from .compiling import link

        self.memory = (ctypes.c_char * (_SIZE + 64))()
        self.at = (ctypes.addressof(self.memory) + 63) & -64
        self.words = (ctypes.c_int64 * 11).from_address(self.at)
        self.threaded = sys.platform != "win32"
        imports = {"pool": self.at}
        if self.threaded:
            imports |= {name: address(getattr(c_library(), name)) for name in _LIBC}
        self.loaded = link(h, ir(), imports, ["worker", "dispatch", "products"])
        self.worker, self.dispatch = self.loaded.addresses["worker"], self.loaded.addresses["dispatch"]
        self.products = self.loaded.addresses["products"]
        self.begin()

    def begin(self) -> None:
        """An empty pool."""
        ctypes.memset(self.at, 0, _SIZE)
        self.words[9], self.words[10] = blas_threads()
        self.started = 0
        if self.threaded:
            libc = c_library()
            libc.pthread_mutex_init(ctypes.c_void_p(self.at + _MUTEX), None)
            libc.pthread_cond_init(ctypes.c_void_p(self.at + _CONDITION), None)

    def start(self, threads: int) -> None:
        """Let ``threads`` take part: workers that are missing are begun, those too many told to leave."""
        if not self.threaded:
            return
        libc = c_library()
        while self.started < threads - 1:
            thread = ctypes.c_size_t()
            if libc.pthread_create(ctypes.byref(thread), None, ctypes.c_void_p(self.worker), None):
                break
            libc.pthread_detach(thread)
            self.started += 1
        mutex, condition = ctypes.c_void_p(self.at + _MUTEX), ctypes.c_void_p(self.at + _CONDITION)
        libc.pthread_mutex_lock(mutex)
        if self.started > threads - 1:
            self.words[8] += self.started - (threads - 1)
            self.started = threads - 1
        self.words[7] = self.started
        libc.pthread_cond_broadcast(condition)
        libc.pthread_mutex_unlock(mutex)


_pool: Pool | None = None
_threads = 0
_lock = threading.Lock()


def pool(h: Host) -> Pool:
    """The pool, begun on the first use."""
    global _pool, _threads
    with _lock:
        if _pool is None:
            _pool = Pool(h)
            _threads = _threads or _wanted()
            _pool.start(_threads)
        return _pool


def set_threads(n: int | None) -> None:
    """Use at most ``n`` threads for one program; None: as many as there are cores.

    Raises:
        ValueError: ``n`` is less than 1.
    """
    global _threads
    if n is not None and n < 1:
        raise ValueError(f"The number of threads must be at least 1, but is {n}.")
    with _lock:
        _threads = min(n, cores()) if n else cores()
        if _pool is not None:
            _pool.start(_threads)


def get_threads() -> int:
    """The number of threads that one program may use."""
    return _threads or _wanted()


def _after_fork() -> None:
    """The child has none of its parent's workers, and the pool may have been caught at work: begin again on the same place."""
    global _lock
    _lock = threading.Lock()
    if _pool is not None:
        _pool.begin()  # with no workers: a forked child that computes little should stay small


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Pool", "cores", "get_threads", "pool", "set_threads"]
