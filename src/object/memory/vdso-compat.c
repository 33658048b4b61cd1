/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vdso of 32-bit programs: another one than that of criu, so none is there to be moved. The kernel maps it for a
 * process that has no vdso, at an address of our choice (ARCH_MAP_VDSO_32), and finds its frames of signals by it.
 */
#include "object/memory/vdso-compat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch_compat_abi.h"
#include "arch_regs.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "lib/compel/restorer.h"
#include "object/memory/hole.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/vdso/vdso-patch.h"
#include "object/memory/vdso/vdso.h"
#include "plan/plan.h"

/* That of this kernel. */
struct compat_vdso {
	uint64_t size, code_at; /* of the block, and where in it the code begins */
	uint8_t *code;
	uint64_t code_size;
};

static const struct state_type compat_vdso_state = { sizeof(struct compat_vdso), NULL };

/* In a child: without a vdso no function of libc may ask for the time. */
static void __attribute__((noreturn)) show_vdso(const struct vdso_pieces *own, int said)
{
	char ok = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < own->n; i++)
		munmap((void *)own->range[i].start, own->range[i].size);
	if (syscall(ARCH_COMPAT_VDSO_CALL, ARCH_COMPAT_VDSO_CODE, 0) < 0)
		_exit(errno);
	if (write(said, &ok, 1) == 1)
		pause();
	_exit(EIO);
}

static int read_vdso(const struct restore *r, pid_t pid, struct compat_vdso *ret)
{
	struct vdso_pieces pieces = { 0 };
	struct iovec local, remote;

	TRY(vdso_find_pieces(pid, &pieces));
	if (!pieces.n)
		return refuse(EOPNOTSUPP, "this kernel has no vdso for 32-bit programs (vdso32=0)");
	remote = (struct iovec){ (void *)pieces.range[pieces.n - 1].start, pieces.range[pieces.n - 1].size };
	ret->size = pieces.size;
	ret->code_at = (uint64_t)(uintptr_t)remote.iov_base - pieces.start;
	ret->code_size = remote.iov_len;
	ret->code = pool_alloc(r->pool, ret->code_size);
	local = (struct iovec){ ret->code, ret->code_size };
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)ret->code_size)
		return fail_errno("reading the vdso for 32-bit programs");
	return 0;
}

static int find_compat(const struct restore *r, const struct compat_vdso **ret)
{
	struct compat_vdso *vdso = state_find(r->states, &compat_vdso_state);
	int said[2], error, status;
	pid_t pid;
	char ok;

	*ret = vdso;
	if (vdso)
		return 0;
	*ret = vdso = state_make(r->states, &compat_vdso_state);
	if (pipe2(said, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	pid = fork();
	if (pid == 0)
		show_vdso(vdso_own(r), said[1]);
	close(said[1]);
	error = pid < 0 ? fail_errno("making a process") : 0;
	if (!error)
		error = read(said[0], &ok, 1) == 1 ? read_vdso(r, pid, vdso) : 1;
	close(said[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	return error <= 0 ? error
			  : refuse(EOPNOTSUPP, "this kernel maps no vdso for 32-bit programs (CONFIG_IA32_EMULATION, "
					       "ia32_emulation=0)");
}

int vdso_compat_load(const struct restore *r, struct task *task)
{
	struct memory_restore *memory = memory_restore_of(task);
	const VmaEntry *vdso = vdso_find_area(memory, VMA_VDSO), *vvar = vdso_find_area(memory, VMA_VVAR);
	uint64_t size = vdso->end - vdso->start;
	const struct compat_vdso *own;
	uint8_t *image;

	TRY(find_compat(r, &own));
	if (size > PARKING_SIZE)
		return refuse(EINVAL, "its vdso has %llu bytes: the images are damaged", (unsigned long long)size);
	image = pool_alloc(r->pool, size);
	TRY(vdso_read_image(memory, vdso, image));
	if (size == own->code_size && (vvar ? vdso->start - vvar->start : 0) == own->code_at &&
	    (!image[0] || memcmp(image, own->code, size) == 0))
		return 0;
	log_info("Its vdso is that of another kernel: it will lead to this kernel's");
	memory->vdso = image;
	return 0;
}

/* The address is a hint: where something else lies, the kernel takes another one. */
static void plan_map(struct plan *plan, const struct compat_vdso *own, uint64_t at)
{
	plan_syscall(plan, "map the vdso of 32-bit programs", ARCH_COMPAT_VDSO_CALL, V(ARCH_COMPAT_VDSO_CODE), V(at));
	plan_syscall(plan, "see that the vdso is where it shall be", __NR_mprotect, V(at + own->code_at),
		     V(own->code_size), V(PROT_READ | PROT_EXEC));
}

int vdso_compat_plan(const struct restore *r, struct task *task, struct plan *plan)
{
	struct memory_restore *memory = memory_restore_of(task);
	const VmaEntry *vdso = vdso_find_area(memory, VMA_VDSO), *vvar = vdso_find_area(memory, VMA_VVAR);
	const struct compat_vdso *own;
	uint64_t place;

	TRY(find_compat(r, &own));
	plan_syscall(plan, "drop the parked vdso", __NR_munmap, V(r->parking), V(r->parking_end - r->parking));
	if (!memory->vdso) {
		plan_map(plan, own, vvar ? vvar->start : vdso->start);
		return 0;
	}
	TRY(memory_find_place(r, memory, own->size + (2ull << 20), true, &place));
	place += 1ull << 20;
	TRY(vdso_patch(memory->vdso, vdso->end - vdso->start, vdso->start, own->code, own->code_size,
		       place + own->code_at));
	plan_map(plan, own, place);
	vdso_plan_old(memory, plan);
	return 0;
}
