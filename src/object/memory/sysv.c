/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System V shared memory, shmget(2). If the tasks live in criu's own IPC namespace, their segments stay there with id
 * and content when they are gone, and are attached again. In another one they are saved with it:
 * object/ipc/shm.c.
 */
#include "object/memory/sysv.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/fail.h"
#include "object/namespace/namespace.h"

#ifndef SHM_DEST
#define SHM_DEST 01000 /* linux/shm.h: removed with the last detach */
#endif

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

int sysv_dump(struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma)
{
	const struct namespace *ns = namespace_of(d->namespaces, task, namespace_kind_find("ipc"));
	int id = (int)mapping->inode; /* what maps shows as inode, see proc_pid_maps(5) */
	uint64_t size = mapping->end - mapping->start, whole;

	if (ns && !ns->own)
		TRY(memory_segments.find_size(ns, id, &whole));
	else
		TRY(find_size(id, mapping->name, &whole));
	if (mapping->pgoff || (whole + 4095) / 4096 * 4096 != size)
		return refuse(EOPNOTSUPP,
			      "only a part of System V shared memory %d is mapped at %" PRIx64 "-%" PRIx64
			      ": it cannot be checkpointed yet",
			      id, mapping->start, mapping->end);
	vma->status = VMA_REGULAR | VMA_SYSVIPC | VMA_ANON_SHARED;
	vma->shmid = (uint64_t)id;
	return 0;
}

void sysv_plan(struct plan *plan, const VmaEntry *vma)
{
	int flags = (vma->prot & PROT_WRITE ? 0 : SHM_RDONLY) | (vma->prot & PROT_EXEC ? SHM_EXEC : 0);
	struct step *step = plan_syscall(
		plan,
		plan_why(plan, "attach System V shared memory %d (it must still be there: ipcs -m)", (int)vma->shmid),
		__NR_shmat, V(vma->shmid), V(vma->start), V(flags));

	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)vma->start;
}
