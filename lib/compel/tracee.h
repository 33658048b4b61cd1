/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads under ptrace(2): seize, stop, let go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"

/*
 * Attaches to a thread and asks it to stop, without waiting. Returns -ESRCH, not logged, if it is gone (or going) and
 * -EPERM, not logged, if it has another tracer. A tracer that dies lets its tracees run on as they were.
 */
int tracee_seize(pid_t tid, bool suspend_seccomp);
/* Attaches without stopping. kill_with_us: the thread's process is killed if we die before we let go. */
int tracee_attach(pid_t tid, bool suspend_seccomp, bool kill_with_us);
int tracee_interrupt(pid_t tid);
/* From now on we get no SIGCHLD for each stop of a thread. */
void tracee_stop_quietly(void);
/* Lets a stopped thread make any system call as long as we hold it. Takes CAP_SYS_ADMIN. -errno, not logged. */
int tracee_suspend_seccomp(pid_t tid);

/* A stopped thread dies if we do before we let go; it may make any system call, where that is allowed. */
int tracee_kill_with_us(pid_t tid);
/* Takes that back, for one that is stopped. */
void tracee_outlive_us(pid_t tid);

/*
 * Waits until the thread stands still. ret_signal: the stop signal if the whole process was stopped by one, else 0. A
 * signal that comes before the stop is delivered, as it would be without us. Returns -ESRCH, not logged, if it died.
 */
int tracee_wait_stop(pid_t tid, const struct deadline *deadline, int *ret_signal);

/*
 * Stops a process, by the thread that is its leader and is traced and runs: by SIGSTOP or by another signal to stop,
 * whose action must be the default. tracee_wait_stop() follows for all of its threads.
 */
int tracee_stop_by(pid_t tid, int signal, const struct deadline *deadline);

/* Waits for the next thing to happen to the thread: a status as of waitpid(2). Returns -ESRCH, not logged, if it is not
 * traced. */
int tracee_wait(pid_t tid, const struct deadline *deadline, int *status);

/* Waits for a traced thread that was killed: its process does not end before its tracer has asked. Nothing to do if it
 * is not traced. */
void tracee_reap(pid_t tid);
/*
 * The same for many that have been killed, in any order: the threads of the first process of a pid namespace wait for
 * each other. Those that are not traced are passed over; changes the array.
 */
void tracee_reap_all(pid_t *tids, size_t n, const struct deadline *deadline);

/* Lets a stopped thread run to the next entry or exit of a system call, or another stop. */
int tracee_run_to_call(pid_t tid, const struct deadline *deadline);

/*
 * Lets a stopped thread run until it stands at the entry, or at the exit, of this system call. A stop signal that comes
 * meanwhile is put into *lost_stop, for later. Returns -ESRCH, not logged, if it died; -EIO if it got another signal:
 * it stands in front of that.
 */
int tracee_run_to_next(pid_t tid, const struct deadline *deadline, int *lost_stop,
		       long *call); /* entry or exit; tracee_entered_call() */
int tracee_run_to_entry(pid_t tid, long nr, const struct deadline *deadline, int *lost_stop);
int tracee_run_to_exit(pid_t tid, long nr, const struct deadline *deadline, int *lost_stop);

/* The number of the system call at whose entry the thread stands, -1 at an exit, -2 elsewhere. */
long tracee_entered_call(pid_t tid);

/* Lets a stopped thread run on; fail()s. */
int tracee_continue(pid_t tid);
/* Lets go. Not logged: the thread may be dead. */
void tracee_release(pid_t tid);

int tracee_get_sigmask(pid_t tid, uint64_t *ret);
int tracee_set_sigmask(pid_t tid, uint64_t mask);
