/* SPDX-License-Identifier: LGPL-2.1-only */
/* States of a task as compel_stop_task() tells and compel_resume_task() makes them. */
#ifndef COMPEL_TASK_STATE_H
#define COMPEL_TASK_STATE_H

enum __compel_task_state {
	COMPEL_TASK_ALIVE = 0x01,
	COMPEL_TASK_DEAD = 0x02,    /* gone */
	COMPEL_TASK_STOPPED = 0x03, /* by a stop signal: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU */
	COMPEL_TASK_ZOMBIE = 0x06,  /* dead, not waited for by its parent */
	COMPEL_TASK_MAX = 0x7f,
};

#endif
