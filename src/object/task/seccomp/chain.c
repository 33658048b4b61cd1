/* SPDX-License-Identifier: GPL-2.0-only */
/* Chains of seccomp filters: checked, walked, turned into steps. */
#include "object/task/seccomp/chain.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/fail.h"
#include "base/pool.h"
#include "plan/plan.h"

/* linux/seccomp.h, Linux 5.7 and 5.19. */
#define FLAG_TSYNC_ESRCH	(1u << 4)
#define FLAG_WAIT_KILLABLE_RECV (1u << 5)

/* What belongs to a filter as long as it lives. */
#define LASTING_FLAGS (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW)
/* What said how it was to be installed: images of CRIU 4.2 have SECCOMP_FILTER_FLAG_TSYNC in every filter. */
#define PASSING_FLAGS (SECCOMP_FILTER_FLAG_TSYNC | FLAG_TSYNC_ESRCH)
#define KNOWN_FLAGS   (LASTING_FLAGS | PASSING_FLAGS | SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV)

static size_t chain_length(const SeccompEntry *record, uint32_t newest)
{
	size_t n = 1;

	for (const SeccompFilter *f = record->seccomp_filters[newest]; f->has_prev;
	     f = record->seccomp_filters[f->prev])
		if (++n > record->n_seccomp_filters)
			break;
	return n;
}

int seccomp_check_filters(const SeccompEntry *record)
{
	for (size_t i = 0; i < record->n_seccomp_filters; i++) {
		const SeccompFilter *filter = record->seccomp_filters[i];
		size_t size = filter->filter.len;

		if (!size || size % sizeof(struct sock_filter) || size / sizeof(struct sock_filter) > BPF_MAXINSNS)
			return refuse(EINVAL, "seccomp filter %zu has %zu bytes: seccomp.img is damaged", i, size);
		if (filter->has_prev && filter->prev >= record->n_seccomp_filters)
			return refuse(EINVAL, "seccomp filter %zu follows %u, which is not there", i, filter->prev);
		if (filter->flags & ~(uint32_t)KNOWN_FLAGS)
			return refuse(EOPNOTSUPP, "seccomp filter %zu has unknown flags 0x%x", i, filter->flags);
		if (filter->flags & (SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV))
			return refuse(EOPNOTSUPP,
				      "seccomp filter %zu had a listener that decides on system calls "
				      "(SECCOMP_FILTER_FLAG_NEW_LISTENER): that cannot be restored",
				      i);
	}
	for (size_t i = 0; i < record->n_seccomp_filters; i++)
		if (chain_length(record, (uint32_t)i) > record->n_seccomp_filters)
			return refuse(EINVAL, "seccomp filter %zu follows itself: seccomp.img is damaged", i);
	return 0;
}

struct seccomp_chain seccomp_chain(struct pool *pool, const SeccompEntry *record, uint32_t newest)
{
	struct seccomp_chain chain = { .n = chain_length(record, newest) };

	chain.filters = pool_array(pool, uint32_t, chain.n);
	for (size_t i = chain.n; i-- > 0; newest = record->seccomp_filters[newest]->prev)
		chain.filters[i] = newest;
	return chain;
}

void seccomp_plan_filter(struct plan *plan, const SeccompFilter *filter, bool sync)
{
	struct sock_fprog program = { .len = (unsigned short)(filter->filter.len / sizeof(struct sock_filter)) };
	size_t code = plan_data(plan, filter->filter.data, filter->filter.len);
	size_t head = plan_data(plan, &program, sizeof(program));
	struct plan_arg args[] = { D(head + offsetof(struct sock_fprog, filter)), D(code) };
	struct step *step;

	plan_step(plan, "point to a seccomp filter", STEP_SET_LONG, args, 2);
	step = plan_syscall(plan, sync ? "install a seccomp filter in all threads" : "install a seccomp filter",
			    __NR_seccomp, V(SECCOMP_SET_MODE_FILTER),
			    V((filter->flags & LASTING_FLAGS) | (sync ? SECCOMP_FILTER_FLAG_TSYNC : 0)), D(head));
	/* A thread that cannot be synchronised is told by its tid as the result. */
	step->flags |= STEP_EXACT;
}
