/* SPDX-License-Identifier: LGPL-2.1-only */
/* Putting a parasite into a process and taking it away. */
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/page.h"
#include "base/pool.h"
#include "lib/compel/leftover.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/arena.h"
#include "lib/compel/remote.h"
#include "plan/plan.h"

#define PAGE page_size()

char compel_run_id[RUN_ID_HASH_LENGTH + 1];

static size_t round_to(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

void compel_relocs_apply(void *mem, void *vbase, struct parasite_blob_desc *pbd)
{
	unsigned long base = (unsigned long)vbase, slot = pbd->hdr.got_off;
	char *blob = mem;

	for (unsigned i = 0; i < pbd->hdr.nr_relocs; i++) {
		const compel_reloc_t *r = &pbd->hdr.relocs[i];
		unsigned long value = base + (unsigned long)r->value;

		if (r->type & COMPEL_TYPE_GOTPCREL) {
			int distance = (int)((long)slot + r->addend - (long)r->offset);

			memcpy(blob + slot, &value, sizeof(value));
			memcpy(blob + r->offset, &distance, sizeof(distance));
			slot += sizeof(value);
		} else {
			value += (unsigned long)r->addend;
			memcpy(blob + r->offset, &value, r->type & COMPEL_TYPE_LONG ? sizeof(long) : sizeof(int));
		}
	}
}

/* A description may be made by hand. */
static int check_blob(const struct parasite_blob_desc *pbd)
{
	size_t size = pbd->hdr.bsize, slots = 0;

	if (pbd->parasite_type != COMPEL_BLOB_CHEADER || !pbd->hdr.mem || !size)
		return refuse(EINVAL, "there is no parasite: call the ..._setup_c_header() that \"compel hgen\" made");
	if (size > 1ul << 30 || pbd->hdr.parasite_ip_off >= size || pbd->hdr.cmd_off + sizeof(int) > size ||
	    pbd->hdr.cmd_off > size || pbd->hdr.args_ptr_off + sizeof(long) > size || pbd->hdr.args_ptr_off > size)
		return refuse(EINVAL, "the description of the parasite has offsets outside of its %zu bytes", size);
	for (unsigned i = 0; i < pbd->hdr.nr_relocs; i++) {
		const compel_reloc_t *r = &pbd->hdr.relocs[i];

		if (r->offset > size || r->offset + (r->type & COMPEL_TYPE_LONG ? sizeof(long) : sizeof(int)) > size)
			return refuse(EINVAL, "relocation %u of the parasite lies outside of its %zu bytes", i, size);
		slots += !!(r->type & COMPEL_TYPE_GOTPCREL);
	}
	if (pbd->hdr.got_off < size || pbd->hdr.got_off > size + PAGE ||
	    pbd->hdr.args_off < pbd->hdr.got_off + slots * sizeof(long) ||
	    pbd->hdr.args_off > size + PAGE + slots * sizeof(long))
		return refuse(EINVAL, "the description of the parasite has no room for its %zu slots of the GOT",
			      slots);
	return 0;
}

static int check_context(const struct parasite_ctl *ctl)
{
	if (ctl->arena)
		return refuse(EEXIST, "task %d has a parasite already", ctl->pid);
	if (ctl->ictx.flags & INFECT_COMPATIBLE)
		return refuse(EOPNOTSUPP, "32-bit processes cannot be infected");
	if (ctl->ictx.remote_map_addr % PAGE)
		return refuse(EINVAL, "remote_map_addr 0x%lx is no multiple of the page size",
			      ctl->ictx.remote_map_addr);
	return check_blob(&ctl->pbd);
}

static void *alloc_aligned(struct arena *arena, size_t size, size_t unit)
{
	char *p = arena_alloc(arena, size + unit);

	return p ? p + (unit - (arena_address(arena, p) % unit)) % unit : NULL;
}

uint64_t ctl_args_address(const struct parasite_ctl *ctl)
{
	return ctl->address + ctl->pbd.hdr.args_off;
}

static size_t frame_size(const struct parasite_ctl *ctl)
{
	return ctl->ictx.make_sigframe ? sizeof(struct rt_sigframe) : arch_frame_size(ctl->home.state);
}

static int make_frame(struct parasite_ctl *ctl)
{
	uint64_t address = arena_address(ctl->arena, ctl->sigframe_local);
	user_fpregs_struct_t fpregs;
	user_regs_struct_t regs;

	if (ctl->ictx.save_regs) {
		ctl_arch_get_regs(ctl->home.state, &regs, &fpregs);
		if (ctl->ictx.save_regs(ctl->pid, ctl->ictx.regs_arg, &regs, &fpregs) < 0)
			return refuse(ECANCELED, "task %d: its registers could not be saved", ctl->pid);
	}
	ctl->sigframe = address;
	if (!ctl->ictx.make_sigframe) {
		ctl->sigframe = arch_frame_write(ctl->home.alone, ctl->home.sigmask.sig[0],
						 (char *)ctl->sigframe_local + 64, address + 64) -
				RT_SIGFRAME_STACK;
		return 0;
	}
	if (ctl->ictx.make_sigframe(ctl->ictx.regs_arg, ctl->sigframe_local, (struct rt_sigframe *)address,
				    &ctl->home.sigmask) < 0)
		return refuse(ECANCELED, "task %d: its frame could not be made", ctl->pid);
	return 0;
}

static int make_last_exit(struct parasite_ctl *ctl)
{
	const struct parasite_place *place = &ctl->process.place;
	void *bytes = arena_alloc(ctl->arena, place->scratch_size + 64);

	ctl->busy = arena_alloc(ctl->arena, sizeof(*ctl->busy));
	if (!bytes || !ctl->busy)
		return fail(ENOMEM, "making room for the registers of the task");
	*ctl->busy = 0;
	ctl->last_exit = (struct compel_last_exit){
		.stack = parasite_write_sigframe(place, &ctl->process.state, bytes),
		.from = arena_address(ctl->arena, bytes),
		.to = place->scratch,
		.size = place->scratch_size,
		.start = ctl->arena->address,
		.length = ctl->arena->size,
		.back = place->sigreturn,
		.busy = arena_address(ctl->arena, ctl->busy),
	};
	ctl->last_exit.call = ctl->last_exit.stack ? place->syscall_ret : 0;
	return 0;
}

static void make_plan(struct caller *caller, uint64_t entry)
{
	struct step *step;

	caller->plan = plan_create();
	step = plan_step(caller->plan, "run the parasite", STEP_CALL,
			 (const struct plan_arg[]){ P(entry), P(caller->stack) }, 2);
	step->flags |= STEP_MAY_FAIL;
	caller->result = plan_keep_result(caller->plan, step);
}

static int add_caller(struct parasite_ctl *ctl, struct caller *caller)
{
	struct parasite_state state = ctl_parasite_state(&ctl->home);
	char *stack = alloc_aligned(ctl->arena, PARASITE_STACK_SIZE, 64);

	if (!stack)
		return fail(ENOMEM, "making a stack for the parasite");
	TRY(parasite_open(ctl->arena, ctl->pid, &state, &caller->remote));
	caller->stack = arena_address(ctl->arena, stack) + PARASITE_STACK_SIZE;
	make_plan(caller, ctl->address + ctl->pbd.hdr.parasite_ip_off);
	return 0;
}

static int fill_arena(struct parasite_ctl *ctl, size_t size, bool threads)
{
	ctl->local = alloc_aligned(ctl->arena, size, PAGE);
	ctl->sigframe_local = alloc_aligned(ctl->arena, frame_size(ctl) + 128, 64);
	if (!ctl->local || !ctl->sigframe_local)
		return fail(ENOMEM, "making room for the parasite");
	ctl->address = arena_address(ctl->arena, ctl->local);
	memcpy(ctl->local, ctl->pbd.hdr.mem, ctl->pbd.hdr.bsize);
	compel_relocs_apply(ctl->local, (void *)ctl->address, &ctl->pbd);
	TRY(make_frame(ctl));
	TRY(make_last_exit(ctl));
	TRY(add_caller(ctl, &ctl->leader));
	return threads ? add_caller(ctl, &ctl->thread) : 0;
}

static void drop_callers(struct parasite_ctl *ctl)
{
	struct caller *callers[] = { &ctl->leader, &ctl->thread };

	for (int i = 0; i < 2; i++) {
		if (callers[i]->plan)
			plan_destroy(&callers[i]->plan);
		*callers[i] = (struct caller){ 0 };
	}
}

/* The memory over there; ours stays until the object goes. */
static int unmap_remote(struct parasite_ctl *ctl)
{
	if (!ctl->arena || ctl->unmapped)
		return 0;
	ctl->unmapped = true;
	/* A daemon that somebody has cut off from us has taken it along. */
	if (!parasite_is_leftover(ctl->pid, ctl->arena->address))
		return 0;
	return parasite_unmap(&ctl->process, ctl->arena->address, ctl->arena->size);
}

static void drop_arena(struct parasite_ctl *ctl)
{
	drop_callers(ctl);
	if (ctl->arena)
		arena_destroy(ctl->arena);
	ctl->arena = NULL;
	ctl->local = NULL;
	ctl->unmapped = false;
}

static int infect_process(struct parasite_ctl *ctl, bool threads, size_t args_size)
{
	size_t size, total;
	int error;

	TRY(check_context(ctl));
	TRY(ctl_open_process(ctl));
	ctl->args_size = args_size < PARASITE_ARG_SIZE_MIN ? PARASITE_ARG_SIZE_MIN : args_size;
	if (args_size > 1ul << 40)
		return refuse(EINVAL, "%zu bytes for arguments are too many", args_size);
	size = round_to(ctl->pbd.hdr.args_off + ctl->args_size, PAGE);
	total = size + PAGE + frame_size(ctl) + PAGE + ctl->process.place.scratch_size + PAGE +
		(threads ? 2 : 1) * (parasite_capacity(ctl->home.state) + PARASITE_STACK_SIZE + PAGE);
	TRY(parasite_arena_open_at(&ctl->process, total, ctl->ictx.remote_map_addr, ctl->ictx.flags & INFECT_NO_MEMFD,
				   &ctl->arena));
	error = fill_arena(ctl, size, threads);
	if (error < 0) {
		(void)unmap_remote(ctl);
		drop_arena(ctl);
	}
	return error;
}

int compel_infect_no_daemon(struct parasite_ctl *ctl, unsigned long nr_threads, unsigned long args_size)
{
	return ctl_result(infect_process(ctl, nr_threads > 1, args_size));
}

int compel_infect(struct parasite_ctl *ctl, unsigned long nr_threads, unsigned long args_size)
{
	int saved;

	if (ctl->ictx.log_fd < 0)
		return ctl_result(refuse(EBADF, "infect_ctx.log_fd is not set: the parasite must have a log"));
	if (compel_infect_no_daemon(ctl, nr_threads, args_size) < 0)
		return -1;
	if (compel_start_daemon(ctl) == 0)
		return 0;
	saved = errno;
	(void)unmap_remote(ctl);
	drop_arena(ctl);
	errno = saved;
	return -1;
}

int compel_cure_remote(struct parasite_ctl *ctl)
{
	int result = compel_stop_daemon(ctl), saved = errno, error = unmap_remote(ctl);

	if (error < 0 && result == 0)
		return ctl_result(error);
	errno = saved;
	return result;
}

int compel_cure_local(struct parasite_ctl *ctl)
{
	if (ctl->control >= 0)
		close(ctl->control);
	if (ctl->own_sock)
		close(ctl->ictx.sock);
	if (ctl->process.proc >= 0)
		close(ctl->process.proc);
	if (ctl->process.mem >= 0)
		close(ctl->process.mem);
	drop_arena(ctl);
	pool_destroy(&ctl->pool);
	free(ctl);
	return 0;
}

int compel_cure(struct parasite_ctl *ctl)
{
	int result = compel_cure_remote(ctl), saved = errno;

	(void)compel_cure_local(ctl);
	errno = saved;
	return result;
}

void *compel_parasite_args_p(struct parasite_ctl *ctl)
{
	return ctl->local ? ctl->local + ctl->pbd.hdr.args_off : NULL;
}

void *compel_parasite_args_s(struct parasite_ctl *ctl, unsigned long args_size)
{
	if (args_size <= ctl->args_size)
		return compel_parasite_args_p(ctl);
	(void)refuse(EINVAL, "%lu bytes of arguments do not fit: compel_infect() was told %zu", args_size,
		     ctl->args_size);
	return NULL;
}

void compel_get_stack(struct parasite_ctl *ctl, void **rstack, void **r_thread_stack)
{
	if (rstack)
		*rstack = (void *)ctl->leader.stack;
	if (r_thread_stack)
		*r_thread_stack = (void *)ctl->thread.stack;
}
