/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NVIDIA's driver, as far as checkpoints need it: names, numbers and layouts of its public interface (cuda.h of CUDA
 * 12.8, driver 570 and later), and the one way to call it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVER_LIBRARY "libcuda.so.1"

/* --- cuda.h --- */

enum { CUDA_SUCCESS = 0, CUDA_ERROR_NOT_READY = 600 };

enum cuda_process_state { /* CUprocessState */
			  CU_PROCESS_STATE_RUNNING,
			  CU_PROCESS_STATE_LOCKED,
			  CU_PROCESS_STATE_CHECKPOINTED,
			  CU_PROCESS_STATE_FAILED,
};

struct cuda_lock_args {		 /* CUcheckpointLockArgs */
	unsigned int timeout_ms; /* 0: no limit */
	unsigned int reserved0;
	uint64_t reserved1[7];
};

/* CUcheckpointCheckpointArgs, CUcheckpointRestoreArgs, CUcheckpointUnlockArgs: all of it zero. Later versions may be
 * longer. */
struct cuda_other_args {
	uint64_t reserved[32];
};

typedef int cuda_init_t(unsigned int flags);			       /* cuInit */
typedef int cuda_error_name_t(int error, const char **name);	       /* cuGetErrorName */
typedef int cuda_get_thread_t(int pid, int *tid);		       /* cuCheckpointProcessGetRestoreThreadId */
typedef int cuda_get_state_t(int pid, enum cuda_process_state *state); /* cuCheckpointProcessGetState */
typedef int cuda_lock_t(int pid, struct cuda_lock_args *args);	       /* cuCheckpointProcessLock */
typedef int cuda_other_t(int pid, struct cuda_other_args *args);       /* ...Checkpoint, ...Restore, ...Unlock */

/* --- calls --- */

enum driver_action {
	DRIVER_FIND, /* is it there? */
	DRIVER_GET_THREAD,
	DRIVER_GET_STATE,
	DRIVER_LOCK,
	DRIVER_CHECKPOINT,
	DRIVER_RESTORE,
	DRIVER_UNLOCK,
};

struct driver_reply {
	bool is_there; /* the library, with all that is needed */
	int error;     /* of the driver, 0: it went well */
	int value;     /* thread or state */
	char text[200];
};

/*
 * One call, in a process of its own: whatever the driver starts, opens or breaks is gone with it. seconds: for a lock,
 * and for each answer that should come at once; 0 = no limit. Returns 0 with a reply, or -errno: -EINTR if criu is to
 * end, -ETIMEDOUT, -EPIPE if the process died. The reply has a text in all cases but success.
 */
int driver_call(enum driver_action action, int pid, unsigned int seconds, struct driver_reply *ret);
