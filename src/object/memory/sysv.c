/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System V shared memory, shmget(2). If the tasks live in criu's own IPC namespace, their segments stay there with id
 * and content when they are gone, and are attached again. In another one they are saved with it:
 * object/ipc/shm.c.
 */
#include "object/memory/sysv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/fail.h"
#include "base/page.h"
#include "object/memory/hole.h"
#include "object/namespace/namespace.h"
#include "plan/plan.h"

#ifndef SHM_DEST
#define SHM_DEST 01000 /* linux/shm.h: removed with the last detach */
#endif

#define ADDRESS_LIMIT (1ull << 56)
#define ROOM	      (2ull << 20) /* the vdso may have been put at the beginning of the same place */

/* In criu's own namespace. */
static int find_size(int id, const char *name, uint64_t *ret)
{
	struct shmid_ds segment;

	if (shmctl(id, IPC_STAT, &segment) < 0)
		return fail_errno("looking at System V shared memory %d (%s)", id, name);
	if (segment.shm_perm.mode & SHM_DEST)
		return refuse(EOPNOTSUPP,
			      "System V shared memory %d is removed when the last task leaves it (IPC_RMID): it would "
			      "be lost, and cannot be "
			      "checkpointed yet",
			      id);
	*ret = segment.shm_segsz;
	return 0;
}

/* Programs unmap parts of what they have attached, and protect others. */
int sysv_dump(const struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma)
{
	const struct namespace *ns = namespace_of(dump_namespaces(d), task, namespace_kind_find(CLONE_NEWIPC));
	int id = (int)mapping->inode; /* what maps shows as inode, see proc_pid_maps(5) */
	uint64_t size = mapping->end - mapping->start, whole, page;

	if (ns && !ns->own)
		TRY(memory_segments.find_size(ns, id, &whole));
	else
		TRY(find_size(id, mapping->name, &whole));
	page = mapping->kernel_page_size ? mapping->kernel_page_size : page_size();
	whole = (whole + page - 1) / page * page;
	if (mapping->pgoff + size > whole)
		return refuse(EOPNOTSUPP,
			      "%" PRIx64 "-%" PRIx64
			      " reaches beyond the end of System V shared memory %d (mremap(2)?): "
			      "it cannot be checkpointed",
			      mapping->start, mapping->end, id);
	vma->status = VMA_REGULAR | VMA_SYSVIPC | VMA_ANON_SHARED;
	vma->shmid = (uint64_t)id;
	vma->pgoff = mapping->pgoff;
	vma->has_segment_size = size != whole;
	vma->segment_size = vma->has_segment_size ? whole : 0;
	vma->has_fdflags = true;
	vma->fdflags = mapping->vm_flags & VMF(MW) ? O_RDWR : O_RDONLY;
	return 0;
}

int sysv_check(const VmaEntry *vma)
{
	if (!vma->has_segment_size)
		return 0;
	if (!is_page_aligned(vma->pgoff) || !is_page_aligned(vma->segment_size) || vma->segment_size > ADDRESS_LIMIT ||
	    vma->pgoff > vma->segment_size || vma->end - vma->start > vma->segment_size - vma->pgoff)
		return refuse(EINVAL,
			      "mapping %" PRIx64 "-%" PRIx64 " is not a part of System V shared memory %" PRIu64,
			      vma->start, vma->end, vma->shmid);
	return 0;
}

static int need_segment(const struct task *task, const VmaEntry *vma)
{
	const uint64_t wanted = vma->has_segment_size ? vma->segment_size : vma->end - vma->start;
	struct shmid_ds segment;

	if (shmctl((int)vma->shmid, IPC_STAT, &segment) == 0 &&
	    (segment.shm_segsz + page_size() - 1) / page_size() * page_size() == wanted)
		return 0;
	return refuse(ENOENT,
		      "task %d (%s): System V shared memory %d of %" PRIu64
		      " bytes is not here: it stays on the machine of "
		      "the dump, unless the program has an IPC namespace of its own (unshare --ipc)",
		      task->vpid, task->comm, (int)vma->shmid, wanted);
}

int sysv_need(const struct restore *r, const struct task *task)
{
	const struct namespace *ns = namespace_of(restore_namespaces(r), task, namespace_kind_find(CLONE_NEWIPC));

	for (size_t i = 0; task->mm && i < task->mm->n_vmas; i++)
		if (task->mm->vmas[i]->status & VMA_SYSVIPC && (!ns || ns->own))
			TRY(need_segment(task, task->mm->vmas[i]));
	return 0;
}

static bool is_writable(const VmaEntry *vma)
{
	return vma->has_fdflags ? (vma->fdflags & O_ACCMODE) != O_RDONLY : vma->prot & PROT_WRITE;
}

static void plan_attach(struct plan *plan, const VmaEntry *vma, uint64_t at)
{
	int flags = (is_writable(vma) ? 0 : SHM_RDONLY) | (vma->prot & PROT_EXEC ? SHM_EXEC : 0);
	struct step *step = plan_syscall(
		plan,
		plan_why(plan, "attach System V shared memory %d (it must still be there: ipcs -m)", (int)vma->shmid),
		__NR_shmat, V(vma->shmid), V(at), V(flags));

	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)at;
}

/* What shmat(2) gives: never write access without read access. */
static void plan_protection(struct plan *plan, const VmaEntry *vma, const VmaEntry *attached)
{
	uint32_t prot = PROT_READ | (is_writable(attached) ? PROT_WRITE : 0) | (attached->prot & PROT_EXEC);

	if (prot != vma->prot)
		plan_syscall(plan, "protect System V shared memory", __NR_mprotect, V(vma->start),
			     V(vma->end - vma->start), V(vma->prot));
}

/* Parts of one attachment: shmdt(2) takes them away together. */
static bool is_same_attachment(const VmaEntry *a, const VmaEntry *b)
{
	return b->status & VMA_SYSVIPC && a->shmid == b->shmid && a->segment_size == b->segment_size &&
	       a->start - a->pgoff == b->start - b->pgoff && is_writable(a) == is_writable(b);
}

/* All parts of an attachment when the first of them is met: it is attached as a whole elsewhere, they are moved to
 * their places, and the rest goes. */
static int plan_parts(struct restore *r, const struct memory_restore *memory, size_t first, struct plan *plan)
{
	const VmaEntry *vma = memory->mappings[first].vma;
	uint64_t at;

	for (size_t i = 0; i < first; i++)
		if (is_same_attachment(vma, memory->mappings[i].vma))
			return 0;
	TRY(memory_find_place(r, memory, vma->segment_size + 2 * ROOM, false, &at));
	at += ROOM;
	plan_attach(plan, vma, at);
	for (size_t i = first; i < memory->n; i++) {
		const VmaEntry *part = memory->mappings[i].vma;

		if (!is_same_attachment(vma, part))
			continue;
		plan_syscall(plan, "move a part of System V shared memory", __NR_mremap, V(at + part->pgoff),
			     V(part->end - part->start), V(part->end - part->start), V(MREMAP_MAYMOVE | MREMAP_FIXED),
			     V(part->start));
		plan_protection(plan, part, vma);
	}
	plan_syscall(plan, "drop the other parts", __NR_shmdt, V(at))->flags |= STEP_MAY_FAIL; /* there may be none */
	return 0;
}

int sysv_plan(struct restore *r, const struct memory_restore *memory, size_t number, struct plan *plan)
{
	const VmaEntry *vma = memory->mappings[number].vma;

	if (vma->has_segment_size)
		return plan_parts(r, memory, number, plan);
	plan_attach(plan, vma, vma->start);
	plan_protection(plan, vma, vma);
	return 0;
}
