/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System V shared memory, shmget(2). As the tasks live in criu's own IPC namespace, their segments stay there with id and content when they are gone, and are
 * attached again.
 */
#include "object/memory/sysv.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/fail.h"

#ifndef SHM_DEST
#define SHM_DEST 01000 /* linux/shm.h: removed with the last detach */
#endif

int sysv_dump(const struct mapping *mapping, VmaEntry *vma)
{
	int id = (int)mapping->inode; /* what maps shows as inode, see proc_pid_maps(5) */
	uint64_t size = mapping->end - mapping->start;
	struct shmid_ds segment;

	if (shmctl(id, IPC_STAT, &segment) < 0)
		return fail_errno("looking at System V shared memory %d (%s)", id, mapping->name);
	if (segment.shm_perm.mode & SHM_DEST)
		return refuse(EOPNOTSUPP,
			      "System V shared memory %d is removed when the last task leaves it (IPC_RMID): it would be lost, and cannot be "
			      "checkpointed yet", id);
	if (mapping->pgoff || (segment.shm_segsz + 4095) / 4096 * 4096 != size)
		return refuse(EOPNOTSUPP,
			      "only a part of System V shared memory %d is mapped at %" PRIx64 "-%" PRIx64 ": it cannot be checkpointed yet",
			      id, mapping->start, mapping->end);
	vma->status = VMA_REGULAR | VMA_SYSVIPC | VMA_ANON_SHARED;
	vma->shmid = (uint64_t)id;
	return 0;
}

void sysv_plan(struct plan *plan, const VmaEntry *vma)
{
	int flags = (vma->prot & PROT_WRITE ? 0 : SHM_RDONLY) | (vma->prot & PROT_EXEC ? SHM_EXEC : 0);
	struct step *step = plan_syscall(plan, plan_why(plan, "attach System V shared memory %d (it must still be there: ipcs -m)", (int)vma->shmid),
					 __NR_shmat, V(vma->shmid), V(vma->start), V(flags));

	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)vma->start;
}
