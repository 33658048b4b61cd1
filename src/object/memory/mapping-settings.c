/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mappings of memory have besides content and protection: memory policies (mbind(2)), names
 * (PR_SET_VMA_ANON_NAME), seals (mseal(2)). CRIU does not save them; ours are fields that it skips.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/page.h"
#include "base/text.h"
#include "kern/syscalls.h"
#include "object/memory/mapping-settings.h"
#include "object/memory/memory.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/needs.h"

/* linux/prctl.h, Linux 5.17. */
#define PR_SET_VMA_	      0x53564d41
#define PR_SET_VMA_ANON_NAME_ 0
#define NAME_MAX_	      80 /* with the zero, mm/madvise.c */

#define NODES_MAX 1024 /* CONFIG_NODES_SHIFT is at most 10 */

extern const struct task_part mapping_settings_part;

/* --- names and seals: /proc tells them, with the mapping --- */

const char *mapping_name(const struct mapping *m)
{
	const char *name = NULL;

	if (m->name)
		name = text_after(m->name, "[anon_shmem:") ?: text_after(m->name, "[anon:");
	return name && *name && text_ends(name, "]") ? name : NULL;
}

bool mapping_is_named_shared(const struct mapping *m)
{
	return m->shared && m->name && text_starts(m->name, "[anon_shmem:");
}

void mapping_dump(const struct dump *d, const struct mapping *m, VmaEntry *vma)
{
	const char *name = mapping_name(m);

	if (name) {
		vma->name = pool_string(d->pool, name);
		vma->name[strlen(name) - 1] = 0;
	}
	vma->has_sealed = vma->sealed = (m->vm_flags & VMF(SL)) != 0;
}

/* --- policies: only the task itself can ask --- */

static bool may_have_policy(const struct mapping *m)
{
	return !m->name || (m->name[0] != '[' && m->vm_flags & VMF(MW)) || mapping_name(m) ||
	       !strcmp(m->name, "[heap]") || text_starts(m->name, "[stack");
}

/* Bits that the kernel wants room for: "possible" is a list as "0-3". */
static size_t count_node_bits(void)
{
	char text[256];
	const char *last;
	unsigned long nodes = 0;

	if (file_read_text(AT_FDCWD, "/sys/devices/system/node/possible", text, sizeof(text)) > 0) {
		last = strrchr(text, '-') ?: strrchr(text, ',');
		nodes = strtoul(last ? last + 1 : text, NULL, 10) + 1;
	}
	return nodes && nodes < NODES_MAX ? (nodes + 63) / 64 * 64 : NODES_MAX;
}

struct node_bits {
	size_t n;
};

static const struct state_type node_bits_state = { sizeof(struct node_bits), NULL };

static int find_node_bits(struct dump *d)
{
	((struct node_bits *)state_make(d->states, &node_bits_state))->n = count_node_bits();
	return 0;
}

static size_t node_bits_of(struct dump *d)
{
	return ((const struct node_bits *)state_find(d->states, &node_bits_state))->n;
}

static int ask_policies(struct dump *d, struct thread *thread, struct plan *plan)
{
	const struct mappings *mappings = &thread->task->dump->mappings;
	size_t bits, *offsets;

	if (thread != thread->task->leader)
		return 0;
	bits = node_bits_of(d);
	/* Of each mapping: the mode, the nodes, the result. */
	offsets = part_offsets(d, thread, &mapping_settings_part, (unsigned)(3 * mappings->n + 1));
	offsets[3 * mappings->n] = bits / 8;
	for (size_t i = 0; i < mappings->n; i++, offsets += 3) {
		struct step *step;

		if (mappings->items[i].no_policy || !may_have_policy(&mappings->items[i]))
			continue;
		offsets[0] = plan_space(plan, sizeof(int));
		offsets[1] = plan_space(plan, bits / 8);
		step = plan_syscall(plan, "read the memory policy of a mapping", __NR_get_mempolicy, D(offsets[0]),
				    D(offsets[1]), V(bits), V(mappings->items[i].start), V(MPOL_F_ADDR));
		step->flags |= STEP_MAY_FAIL; /* a kernel without CONFIG_NUMA */
		offsets[2] = plan_keep_result(plan, step);
	}
	return 0;
}

static void add_policy(struct dump *d, MmEntry *mm, const struct mapping *m, int mode, const void *nodes, size_t size)
{
	AreaPolicyEntry *last = mm->n_policies ? mm->policies[mm->n_policies - 1] : NULL, *policy;

	if (last && last->end == m->start && last->mode == (uint32_t)mode && last->nodes.len == size &&
	    !memcmp(last->nodes.data, nodes, size)) {
		last->end = m->end;
		return;
	}
	policy = mm->policies[mm->n_policies++] = pool_new(d->pool, AreaPolicyEntry);
	area_policy_entry__init(policy);
	policy->start = m->start;
	policy->end = m->end;
	policy->mode = (uint32_t)mode;
	policy->nodes.len = size;
	policy->nodes.data = pool_copy(d->pool, nodes, size);
}

static int answer_policies(struct dump *d, struct thread *thread)
{
	const struct mappings *mappings = &thread->task->dump->mappings;
	MmEntry *mm = thread->task->mm;
	const size_t *offsets;
	size_t size;

	if (thread != thread->task->leader)
		return 0;
	offsets = part_offsets(d, thread, &mapping_settings_part, 0);
	size = offsets[3 * mappings->n];
	for (size_t i = 0; i < mappings->n; i++, offsets += 3) {
		int mode;

		if (!offsets[2] || remote_value(thread->remote, offsets[2]) < 0)
			continue;
		mode = *(const int *)remote_result(thread->remote, offsets[0]);
		if (mode == MPOL_DEFAULT)
			continue;
		if (!mm->policies)
			mm->policies = pool_array(d->pool, AreaPolicyEntry *, mappings->n);
		add_policy(d, mm, &mappings->items[i], mode, remote_result(thread->remote, offsets[1]), size);
	}
	return 0;
}

/* --- restore --- */

static bool has_own_memory(const struct thread *thread)
{
	return thread == thread->task->leader && thread->task->mm && !thread->task->restore->memory_from;
}

/* What the kernel maps it seals by itself. */
static bool is_to_be_sealed(const VmaEntry *vma)
{
	return vma->sealed && !(vma->status & (VMA_VDSO | VMA_VVAR | VMA_VSYSCALL));
}

static int check_settings(const struct restore *r, struct thread *thread)
{
	const MmEntry *mm = thread->task->mm;

	if (thread != thread->task->leader || !mm)
		return 0;
	for (size_t i = 0; i < mm->n_policies; i++) {
		const AreaPolicyEntry *policy = mm->policies[i];

		if (!is_page_aligned(policy->start) || !is_page_aligned(policy->end) || policy->start >= policy->end ||
		    policy->nodes.len > NODES_MAX / 8 || policy->nodes.len % sizeof(long))
			return refuse(EINVAL, "the memory policy of %" PRIx64 "-%" PRIx64 " makes no sense",
				      policy->start, policy->end);
	}
	for (size_t i = 0; i < mm->n_vmas; i++) {
		if (mm->vmas[i]->name && strlen(mm->vmas[i]->name) >= NAME_MAX_)
			return refuse(EINVAL, "the name of the mapping %" PRIx64 "-%" PRIx64 " is too long",
				      mm->vmas[i]->start, mm->vmas[i]->end);
		if (is_to_be_sealed(mm->vmas[i]))
			TRY(need_kernel(r, FEATURE_ID_mseal));
	}
	return 0;
}

static void plan_names(const struct task *task, struct plan *plan)
{
	for (size_t i = 0; i < task->mm->n_vmas; i++) {
		const VmaEntry *vma = task->mm->vmas[i];

		if (vma->name)
			plan_syscall(plan, "name a mapping", __NR_prctl, V(PR_SET_VMA_), V(PR_SET_VMA_ANON_NAME_),
				     V(vma->start), V(vma->end - vma->start),
				     D(plan_data(plan, vma->name, strlen(vma->name) + 1)))
				->flags |= STEP_MAY_FAIL; /* a kernel without such names */
	}
}

/* Everything is mapped and filled. */
static int plan_settings(struct restore *r, struct thread *thread, struct plan *plan)
{
	const MmEntry *mm = thread->task->mm;

	if (!has_own_memory(thread))
		return 0;
	for (size_t i = 0; i < mm->n_policies; i++) {
		const AreaPolicyEntry *policy = mm->policies[i];
		size_t size = policy->nodes.len;
		bool any = false;

		for (size_t k = 0; k < size; k++)
			any |= policy->nodes.data[k];
		plan_syscall(plan, "set the memory policy of a mapping (nodes of another machine?)", __NR_mbind,
			     V(policy->start), V(policy->end - policy->start), V(policy->mode),
			     any ? D(plan_data(plan, policy->nodes.data, size)) : V(0), V(any ? size * 8 + 1 : 0),
			     V(MPOL_MF_MOVE));
	}
	plan_names(thread->task, plan);
	return 0;
}

/* Nothing can be changed in them any more. */
static int seal_mappings(struct restore *r, struct thread *thread, struct plan *plan)
{
	const MmEntry *mm = thread->task->mm;

	for (size_t i = 0; has_own_memory(thread) && i < mm->n_vmas; i++)
		if (is_to_be_sealed(mm->vmas[i]))
			plan_syscall(plan, "seal a mapping (Linux 6.10)", __NR_mseal, V(mm->vmas[i]->start),
				     V(mm->vmas[i]->end - mm->vmas[i]->start), V(0));
	return 0;
}

const struct task_part mapping_settings_part = {
	.name = "mapping-settings",
	.begin = find_node_bits,
	.ask = ask_policies,
	.answer = answer_policies,
	.check = check_settings,
	.plan = plan_settings,
	.last = seal_mappings,
};
