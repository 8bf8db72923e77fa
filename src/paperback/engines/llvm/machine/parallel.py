"""The native side of the worker threads: a fork-join loop in LLVM IR, with no Python in it.

A region is `tasks` calls of `fn(context, task, worker)`. The caller publishes it as one 64-bit *ticket*,

    ticket = region number * 2^32 + last * 2^16 + first        tasks first .. last-1 are not taken yet

and whoever changes it has taken a task: the caller the first one, a worker the last. Regions that go over the same rows
thus find most of them in the cache of the core that had them in the region before. The rest follows from that:

- `fn` and `context` are written only while the ticket has no task left, and read only before a successful
  exchange of a ticket that has one: the exchange fails if the region has changed meanwhile.
- The caller takes tasks as well and waits for *tasks*, never for threads. A worker that is late, asleep or gone costs
  speed alone, so one may fork, stop the workers, or have more of them than cores.
- A region is long or short. A short one is done before a sleeper is awake, and to wake one takes longer than most of
  them: those who are awake help, and sleepers are woken once for many short regions that they missed.
- `pending` counts the tasks that are not done; whoever lowers it to zero wakes the caller, if that sleeps.

Who waits reads one word for a while, without the x86 `pause` (a hypervisor may trap it, which costs microseconds), and
then sleeps on a condition variable. Now and then it yields: where other programs leave them one core together, the one
who works has it then, not the one who waits. A sleeper first says that it sleeps and then looks at the word once more;
who changes the word does so before it looks for sleepers: both in sequentially consistent order, so no wake-up is lost.

A pool that is busy runs a second caller's region in that caller's own thread, in order.

All tasks run in the floating-point mode of IEEE 754, round to nearest and denormals kept, whatever the caller's thread
has set (some libraries flush denormals in the thread that loads them, and in no other): a result must not depend on the
thread that computes it.
"""

from __future__ import annotations

__all__ = ["MISSED", "parallel", "sequential"]

MISSED = 64
"""Short regions without those who sleep, after which they are woken."""

# A thread's floating-point mode: `fp_default` sets that of IEEE and returns what was set before.
_MODE = {
    "x86": """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i64 @fp_default() nounwind {
  %word = alloca i32, align 4
  call void @llvm.x86.sse.stmxcsr(ptr %word)
  %before = load i32, ptr %word, align 4
  store i32 8064, ptr %word, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  %wide = zext i32 %before to i64
  ret i64 %wide
}
define internal void @fp_restore(i64 %wide) nounwind {
  %word = alloca i32, align 4
  %before = trunc i64 %wide to i32
  store i32 %before, ptr %word, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  ret void
}
""",
    "arm": """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define internal i64 @fp_default() nounwind {
  %before = call i64 @llvm.aarch64.get.fpcr()
  call void @llvm.aarch64.set.fpcr(i64 0)
  ret i64 %before
}
define internal void @fp_restore(i64 %before) nounwind {
  call void @llvm.aarch64.set.fpcr(i64 %before)
  ret void
}
""",
}

_SEQUENTIAL = """
define void @pb_sequential(ptr %fn, ptr %context, i64 %tasks) nounwind {
entry:
  %mode = call i64 @fp_default()
  %some = icmp sgt i64 %tasks, 0
  br i1 %some, label %loop, label %end
loop:
  %task = phi i64 [ 0, %entry ], [ %next, %loop ]
  call void %fn(ptr %context, i64 %task, i64 0)
  %next = add nuw i64 %task, 1
  %more = icmp slt i64 %next, %tasks
  br i1 %more, label %loop, label %end
end:
  call void @fp_restore(i64 %mode)
  ret void
}
"""

# Each variable has cache lines of its own (two of 64 bytes, since CPUs fetch them in pairs).
_STATE = """
@ticket = internal global i64 0, align 128
@fn = internal global ptr null, align 128
@context = internal global ptr null, align 8
@spin = internal global i64 0, align 8
@pending = internal global i64 0, align 128
@busy = internal global i64 0, align 128
@missed = internal global i64 0, align 8
@sleepers = internal global i64 0, align 128
@waiting = internal global i64 0, align 8
@stop = internal global i64 0, align 8
@mutex = internal global [128 x i8] zeroinitializer, align 128
@work_came = internal global [128 x i8] zeroinitializer, align 128
@work_done = internal global [128 x i8] zeroinitializer, align 128

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @sched_yield()
"""

# The state of a new pool; also that of a pool in a forked child, whose workers stayed behind.
_SETUP = """
define void @pb_setup(i64 %spin) nounwind {
  store atomic i64 0, ptr @ticket seq_cst, align 8
  store atomic i64 0, ptr @pending seq_cst, align 8
  store atomic i64 0, ptr @sleepers seq_cst, align 8
  store atomic i64 0, ptr @waiting seq_cst, align 8
  store atomic i64 0, ptr @stop seq_cst, align 8
  store i64 %spin, ptr @spin
  call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  call i32 @pthread_cond_init(ptr @work_came, ptr null)
  call i32 @pthread_cond_init(ptr @work_done, ptr null)
  store atomic i64 0, ptr @busy seq_cst, align 8
  ret void
}

define void @pb_stop() nounwind {
  store atomic i64 1, ptr @stop seq_cst, align 8
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @work_came)
  ret void
}
"""

# Take tasks while there are any, then account for them. Returns whether these were the last of their region.
_TAKE = """
define internal i64 @left(i64 %ticket) alwaysinline nounwind {
  %first = and i64 %ticket, 65535
  %high = lshr i64 %ticket, 16
  %last = and i64 %high, 65535
  %left = sub i64 %last, %first
  ret i64 %left
}

define internal i1 @take(i64 %worker) nounwind {
entry:
  %caller = icmp eq i64 %worker, 0
  %change = select i1 %caller, i64 1, i64 -65536
  br label %look
look:
  %count = phi i64 [ 0, %entry ], [ %count, %claim ], [ %counted, %run ]
  %ticket = load atomic i64, ptr @ticket acquire, align 8
  %left = call i64 @left(i64 %ticket)
  %none = icmp eq i64 %left, 0
  br i1 %none, label %end, label %claim
claim:
  %fn = load atomic ptr, ptr @fn monotonic, align 8
  %context = load atomic ptr, ptr @context monotonic, align 8
  %taken = add i64 %ticket, %change
  %exchange = cmpxchg ptr @ticket, i64 %ticket, i64 %taken seq_cst acquire, align 8
  %mine = extractvalue { i64, i1 } %exchange, 1
  br i1 %mine, label %run, label %look
run:
  %first = and i64 %ticket, 65535
  %behind = add i64 %first, %left
  %last = sub i64 %behind, 1
  %task = select i1 %caller, i64 %first, i64 %last
  call void %fn(ptr %context, i64 %task, i64 %worker)
  %counted = add i64 %count, 1
  br label %look
end:
  %worked = icmp ne i64 %count, 0
  br i1 %worked, label %account, label %idle
account:
  %before = atomicrmw sub ptr @pending, i64 %count seq_cst, align 8
  %done = icmp eq i64 %before, %count
  ret i1 %done
idle:
  ret i1 false
}
"""

_WORK = """
define void @pb_work(i64 %worker) nounwind {
entry:
  call i64 @fp_default()
  %patience = load i64, ptr @spin
  br label %work
work:
  %stop = load atomic i64, ptr @stop monotonic, align 8
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %end, label %help
help:
  %last = call i1 @take(i64 %worker)
  br i1 %last, label %finished, label %spin
finished:
  %waiting = load atomic i64, ptr @waiting seq_cst, align 8
  %sleeps = icmp ne i64 %waiting, 0
  br i1 %sleeps, label %wake, label %spin
wake:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  call i32 @pthread_cond_signal(ptr @work_done)
  br label %spin
spin:
  %turn = phi i64 [ 0, %help ], [ 0, %finished ], [ 0, %wake ], [ %next, %stay ]
  %ticket = load atomic i64, ptr @ticket monotonic, align 8
  %left = call i64 @left(i64 %ticket)
  %some = icmp ne i64 %left, 0
  br i1 %some, label %work, label %idle
idle:
  %next = add i64 %turn, 1
  %beat = and i64 %next, 8191
  %polite = icmp eq i64 %beat, 0
  br i1 %polite, label %yield, label %stay
yield:
  call i32 @sched_yield()
  br label %stay
stay:
  %again = icmp ult i64 %next, %patience
  br i1 %again, label %spin, label %park
park:
  call i32 @pthread_mutex_lock(ptr @mutex)
  atomicrmw add ptr @sleepers, i64 1 seq_cst, align 8
  br label %check
check:
  %ticket.parked = load atomic i64, ptr @ticket seq_cst, align 8
  %left.parked = call i64 @left(i64 %ticket.parked)
  %stop.parked = load atomic i64, ptr @stop seq_cst, align 8
  %reasons = or i64 %left.parked, %stop.parked
  %asleep = icmp eq i64 %reasons, 0
  br i1 %asleep, label %sleep, label %unpark
sleep:
  call i32 @pthread_cond_wait(ptr @work_came, ptr @mutex)
  br label %check
unpark:
  atomicrmw sub ptr @sleepers, i64 1 seq_cst, align 8
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %work
end:
  ret void
}
"""

_REGION = """
define void @pb_parallel(ptr %fn, ptr %context, i64 %tasks) nounwind {
  call void @region(ptr %fn, ptr %context, i64 %tasks, i1 true)
  ret void
}

define void @pb_awake(ptr %fn, ptr %context, i64 %tasks) nounwind {
  call void @region(ptr %fn, ptr %context, i64 %tasks, i1 false)
  ret void
}

define internal void @region(ptr %fn, ptr %context, i64 %tasks, i1 %long) nounwind {
entry:
  %beyond_one = sub i64 %tasks, 2
  %shareable = icmp ult i64 %beyond_one, 65534
  br i1 %shareable, label %claim, label %alone
claim:
  %exchange = cmpxchg ptr @busy, i64 0, i64 1 seq_cst monotonic, align 8
  %mine = extractvalue { i64, i1 } %exchange, 1
  br i1 %mine, label %publish, label %alone
alone:
  call void @pb_sequential(ptr %fn, ptr %context, i64 %tasks)
  ret void
publish:
  %mode = call i64 @fp_default()
  store atomic ptr %fn, ptr @fn monotonic, align 8
  store atomic ptr %context, ptr @context monotonic, align 8
  store atomic i64 %tasks, ptr @pending monotonic, align 8
  %ticket = load atomic i64, ptr @ticket monotonic, align 8
  %before = and i64 %ticket, -4294967296
  %region = add i64 %before, 4294967296
  %all = shl i64 %tasks, 16
  %full = add i64 %region, %all
  store atomic i64 %full, ptr @ticket seq_cst, align 8
  %sleepers = load atomic i64, ptr @sleepers seq_cst, align 8
  %some_sleep = icmp ne i64 %sleepers, 0
  br i1 %some_sleep, label %asleep, label %join
asleep:
  br i1 %long, label %wake, label %short
short:
  %missed = load i64, ptr @missed
  %missed.now = add i64 %missed, 1
  store i64 %missed.now, ptr @missed
  %since = urem i64 %missed.now, MISSED
  %enough = icmp eq i64 %since, 0
  br i1 %enough, label %wake, label %join
wake:
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  %helpers = sub i64 %tasks, 1
  %fewer = icmp ult i64 %helpers, %sleepers
  %calls = select i1 %fewer, i64 %helpers, i64 %sleepers
  br label %signal
signal:
  %sent = phi i64 [ 0, %wake ], [ %sent.next, %signal ]
  call i32 @pthread_cond_signal(ptr @work_came)
  %sent.next = add i64 %sent, 1
  %more = icmp ult i64 %sent.next, %calls
  br i1 %more, label %signal, label %join
join:
  %last = call i1 @take(i64 0)
  br i1 %last, label %end, label %ready
ready:
  %patience = load i64, ptr @spin
  br label %spin
spin:
  %turn = phi i64 [ 0, %ready ], [ %next, %stay ]
  %pending = load atomic i64, ptr @pending acquire, align 8
  %open = icmp ne i64 %pending, 0
  br i1 %open, label %idle, label %end
idle:
  %next = add i64 %turn, 1
  %beat = and i64 %next, 8191
  %polite = icmp eq i64 %beat, 0
  br i1 %polite, label %yield, label %stay
yield:
  call i32 @sched_yield()
  br label %stay
stay:
  %again = icmp ult i64 %next, %patience
  br i1 %again, label %spin, label %park
park:
  call i32 @pthread_mutex_lock(ptr @mutex)
  store atomic i64 1, ptr @waiting seq_cst, align 8
  br label %check
check:
  %pending.parked = load atomic i64, ptr @pending seq_cst, align 8
  %still = icmp ne i64 %pending.parked, 0
  br i1 %still, label %sleep, label %unpark
sleep:
  call i32 @pthread_cond_wait(ptr @work_done, ptr @mutex)
  br label %check
unpark:
  store atomic i64 0, ptr @waiting seq_cst, align 8
  call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %end
end:
  store atomic i64 0, ptr @busy release, align 8
  call void @fp_restore(i64 %mode)
  ret void
}
"""


def sequential(architecture: str) -> str:
    """The module of a plain loop, `pb_sequential`, for "x86" or "arm"."""
    return _MODE[architecture] + _SEQUENTIAL


def parallel(architecture: str) -> str:
    """The module of a pool: `pb_parallel` and `pb_awake`, for long regions and short ones, `pb_work` for each of its
    threads, `pb_setup` and `pb_stop`.
    """
    region = _REGION.replace("MISSED", str(MISSED))
    return sequential(architecture) + _STATE + _SETUP + _TAKE + _WORK + region
