/* SPDX-License-Identifier: LGPL-2.1-only */
/* A plan as text, one line a step: for debug logs and golden tests. */
#include "plan/plan-print.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/io.h"
#include "base/log.h"
#include "plan/plan.h"

static const char *const kind_names[] = {
	[STEP_END] = "end",	      [STEP_SYSCALL] = "syscall",     [STEP_GETFD] = "getfd",
	[STEP_CLONE] = "clone",	      [STEP_COPY] = "copy",	      [STEP_SET_LONG] = "set-long",
	[STEP_SET_INT] = "set-int",   [STEP_GET_LONG] = "get-long",   [STEP_AIO_SWEEP] = "aio-sweep",
	[STEP_URING] = "uring",	      [STEP_URING_ARM] = "uring-arm", [STEP_TIMER] = "timer",
	[STEP_FD_FLAGS] = "fd-flags", [STEP_COMPAT] = "compat",	      [STEP_CALL] = "call",
	[STEP_TWINS] = "twins",
};

static void print_step(struct buffer *out, size_t i, const struct step *step, const char *why)
{
	buffer_printf(out, "%4zu %s", i, step->kind <= STEP_CALL ? kind_names[step->kind] : "?");
	if (step->kind == STEP_SYSCALL || step->kind == STEP_COMPAT)
		buffer_printf(out, " %u", step->nr);
	for (int k = 0; k < 7; k++) {
		if (step->from_slot & (1u << k))
			buffer_printf(out, " $%" PRId64, step->arg[k]);
		else if (step->in_plan & (1u << k))
			buffer_printf(out, " @%" PRId64, step->arg[k]);
		else
			buffer_printf(out, " 0x%" PRIx64, step->arg[k]);
	}
	if (step->to_slot)
		buffer_printf(out, " -> $%u", step->to_slot);
	if (step->to_result)
		buffer_printf(out, " -> @%u", step->to_result);
	buffer_printf(out, "%s%s%s ; %s\n", step->flags & STEP_MAY_FAIL ? " may-fail" : "",
		      step->flags & STEP_EXACT ? " exact" : "", step->flags & STEP_RETRY_EINTR ? " retry" : "", why);
}

void plan_print(const struct plan *plan, int fd)
{
	struct buffer out = { 0 };

	for (size_t i = 0; i < plan_count(plan); i++)
		print_step(&out, i, plan_step_at(plan, i), plan_step_why(plan, i));
	(void)io_write(fd, out.data, out.size); /* a log or a test; nobody to tell */
	buffer_done(&out);
}

void plan_list(const struct plan *plan, pid_t tid)
{
	const char *list = secure_getenv("CRIU_LIST_PLANS");
	AUTO_CLOSE int fd = list && *list ? open(list, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (!list || !*list)
		return;
	if (fd < 0 || dprintf(fd, "plan for %d\n", tid) < 0)
		log_warn("cannot list the plan for thread %d in %s", tid, list);
	else
		plan_print(plan, fd);
}
