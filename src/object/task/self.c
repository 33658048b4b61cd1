/* SPDX-License-Identifier: GPL-2.0-only */
/* What this program itself has, read once for a restore. */
#include "object/task/self.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"

/* linux/prctl.h of Linux 6.15. */
#define PR_TIMER_CREATE_RESTORE_IDS_	 77
#define PR_TIMER_CREATE_RESTORE_IDS_GET_ 2

static const struct state_type self_state = { sizeof(struct restore_self), NULL };

struct restore_self *restore_self_of(const struct restore *r)
{
	return state_find(r->states, &self_state);
}

uint64_t self_default_actions(struct restore *r)
{
	uint64_t found = 0, action[4]; /* the kernel's own form: handler, flags, restorer, mask */

	if (restore_self_of(r)->default_actions)
		return restore_self_of(r)->default_actions;

	for (int sig = 1; sig <= 64; sig++)
		if (syscall(__NR_rt_sigaction, sig, NULL, action, sizeof(found)) == 0 && !action[0] && !action[1] &&
		    !action[3])
			found |= 1ull << (sig - 1);
	restore_self_of(r)->default_actions = found;
	return found;
}

int self_read(const struct restore *r)
{
	struct restore_self *self = state_make(r->states, &self_state);
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[32];
	AUTO_FREE uint32_t *groups = NULL;
	int bits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);

	if (proc < 0)
		return fail_errno("open /proc/self");
	if (proc_status_read(proc, &self->status) < 0)
		return fail(EIO, "reading /proc/self/status");
	groups = self->status.groups;
	self->status.groups = pool_copy(r->pool, groups, self->status.n_groups * sizeof(*groups));
	if (bits < 0)
		return fail_errno("reading the own securebits");
	self->securebits = (uint32_t)bits;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &self->limits[i]) < 0)
			return fail_errno("getrlimit %d", i);
	self->exact_timer_ids = prctl(PR_TIMER_CREATE_RESTORE_IDS_, PR_TIMER_CREATE_RESTORE_IDS_GET_, 0, 0, 0) >= 0;
	self->loginuid = UINT32_MAX;
	if (file_read_text(proc, "loginuid", text, sizeof(text)) > 0)
		text_to_u32(text, 10, &self->loginuid);
	return 0;
}
