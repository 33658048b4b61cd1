/* SPDX-License-Identifier: LGPL-2.1-only */
/* aarch64 registers through ptrace. */
#include "arch_regs.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "arch_state.h"
#include "base/array.h"
#include "base/fail.h"

#define SVE_PLACE   7
#define LARGEST_SET (72 * 1024) /* ZA with vectors of 256 bytes has 64 KiB */
#define SET(member, number, name)                                        \
	{                                                                \
		offsetof(struct arch_thread_state, member), number, name \
	}

/* Streaming mode comes last: to write the other vectors leaves it. ZT is there only when ZA is on. */
const struct set_place state_sets[STATE_SETS] = {
	SET(tls, SET_TLS, "thread pointer"),
	SET(paca, SET_PACA_KEYS, "keys for addresses"),
	SET(pacg, SET_PACG_KEYS, "generic key"),
	SET(pac_enabled, SET_PAC_ENABLED_KEYS, "set of enabled keys"),
	SET(tagged_addr_ctrl, SET_TAGGED_ADDR_CTRL, "control of tagged addresses"),
	SET(fpmr, SET_FPMR, "FPMR"),
	SET(poe, SET_POE, "permission overlay"),
	[SVE_PLACE] = SET(sve, SET_SVE, "SVE registers"),
	SET(za, SET_ZA, "ZA registers"),
	SET(zt, SET_ZT, "ZT register"),
};
static const struct set_place streaming_set = SET(ssve, SET_SSVE, "SVE registers of streaming mode");

void regs_go_to(struct user_pt_regs *regs, uint64_t pc)
{
	regs->pc = pc;
	regs->pstate &= ~(uint64_t)(PSR_BTYPE_MASK | 1u << 21 /* SS */ | 1u << 20 /* IL */);
}

static int get_general(pid_t tid, struct user_pt_regs *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return -errno;
	return iov.iov_len == sizeof(*regs) ? 0 : -EOPNOTSUPP;
}

static int read_general(pid_t tid, struct user_pt_regs *regs)
{
	int error = get_general(tid, regs);

	if (error == -EOPNOTSUPP)
		return refuse(EOPNOTSUPP, "thread %d is in 32-bit mode: programs of 32-bit Arm cannot be checkpointed",
			      tid);
	return error < 0 ? fail(-error, "reading the registers of thread %d", tid) : 0;
}

int regs_set(pid_t tid, const struct user_pt_regs *regs)
{
	struct iovec iov = { (void *)regs, sizeof(*regs) };

	if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return fail_errno("setting the registers of thread %d", tid);
	return 0;
}

/* --- sets of registers --- */

/* EINVAL: the kernel does not know it, ENODEV: the CPU has none, ENODATA: it is switched off. */
static int read_set(pid_t tid, struct pool *pool, const struct set_place *place, struct register_set *ret)
{
	static __thread uint8_t buffer[LARGEST_SET] __attribute__((aligned(16)));
	struct iovec iov = { buffer, sizeof(buffer) };

	*ret = (struct register_set){ 0 };
	if (ptrace(PTRACE_GETREGSET, tid, (long)place->number, &iov) < 0)
		return errno == EINVAL || errno == ENODEV || errno == ENODATA
			       ? 0
			       : fail_errno("reading the %s of thread %d", place->name, tid);
	ret->size = iov.iov_len;
	ret->data = pool_copy(pool, buffer, iov.iov_len);
	return 0;
}

static int write_set(pid_t tid, const struct set_place *place, const struct register_set *set)
{
	struct iovec iov = { set->data, set->size };

	if (set->size && ptrace(PTRACE_SETREGSET, tid, (long)place->number, &iov) < 0)
		return fail_errno("setting the %s of thread %d", place->name, tid);
	return 0;
}

size_t state_vectors_size(size_t vl)
{
	return 32 * vl + 17 * (vl / 8);
}

bool state_holds_vectors(const struct register_set *set)
{
	struct user_sve_header header;

	if (set->size < sizeof(header))
		return false;
	memcpy(&header, set->data, sizeof(header));
	return (header.flags & SVE_PT_REGS_MASK) == SVE_PT_REGS_SVE && header.vl &&
	       set->size >= SVE_PT_SVE_OFFSET + state_vectors_size(header.vl);
}

/* What fpsimd has, too, is left out. Of ZA that is switched off there is the header alone. */
static void shorten_vectors(struct register_set *set)
{
	if (set->size > sizeof(struct user_sve_header) && !state_holds_vectors(set)) {
		struct user_sve_header *header = (void *)set->data;

		set->size = header->size = sizeof(*header);
	}
}

/* Guarded control stacks: an own stack of the kernel's for return addresses. */
static int refuse_guarded_stack(pid_t tid)
{
	uint64_t gcs[4] = { 0 }; /* features_enabled, features_locked, gcspr_el0 */
	struct iovec iov = { gcs, sizeof(gcs) };

	if (ptrace(PTRACE_GETREGSET, tid, (long)SET_GCS, &iov) == 0 && gcs[0] & 1)
		return refuse(EOPNOTSUPP,
			      "the thread has a guarded control stack (GCS): it cannot be checkpointed yet");
	return 0;
}

#define MTE_TCF_MASK 0x6u /* PR_MTE_TCF_MASK of linux/prctl.h: checks, or late checks */

static int refuse_memory_tags(const struct arch_thread_state *state)
{
	uint64_t control = 0;

	if (state->tagged_addr_ctrl.size >= sizeof(long))
		memcpy(&control, state->tagged_addr_ctrl.data, sizeof(control));
	if (control & MTE_TCF_MASK)
		return refuse(EOPNOTSUPP, "the thread checks tags of memory (MTE): it cannot be checkpointed yet");
	return 0;
}

/* Programs may hold addresses that are signed by them. */
static int require_keys(const struct arch_thread_state *state)
{
	unsigned long caps = getauxval(AT_HWCAP);

	if ((caps & (1ul << 30) /* HWCAP_PACA */ && !state->paca.size) ||
	    (caps & (1ul << 31) /* HWCAP_PACG */ && !state->pacg.size))
		return refuse(EOPNOTSUPP,
			      "the CPU signs pointers, and the kernel does not tell the thread's keys: it must "
			      "be built with CONFIG_CHECKPOINT_RESTORE");
	return 0;
}

int arch_state_get_extended(pid_t tid, struct pool *pool, struct arch_thread_state *state)
{
	struct iovec iov = { &state->fpsimd, sizeof(state->fpsimd) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRFPREG, &iov) < 0)
		return fail_errno("reading the vector registers of thread %d", tid);
	for (unsigned i = 0; i < ARRAY_SIZE(state_sets); i++)
		TRY(read_set(tid, pool, &state_sets[i], state_set_at(state, &state_sets[i])));
	TRY(read_set(tid, pool, &streaming_set, &state->ssve));
	shorten_vectors(&state->sve);
	if (state_holds_vectors(&state->ssve))
		state->sve.size = 0; /* they are the same ones */
	else
		shorten_vectors(&state->ssve);
	if (state->za.size <= sizeof(struct user_za_header))
		state->zt.size = 0;
	TRY(refuse_guarded_stack(tid));
	TRY(refuse_memory_tags(state));
	return require_keys(state);
}

int arch_state_get(pid_t tid, struct pool *pool, struct arch_thread_state **ret)
{
	struct user_pt_regs regs;

	TRY(read_general(tid, &regs));
	*ret = pool_new(pool, struct arch_thread_state);
	(*ret)->general = regs;
	(*ret)->tid = tid;
	return arch_state_get_extended(tid, pool, *ret);
}

struct arch_thread_state *arch_state_get_general(pid_t tid, struct pool *pool)
{
	struct arch_thread_state *state = pool_new(pool, struct arch_thread_state);

	state->tid = tid;
	return get_general(tid, &state->general) == 0 ? state : NULL;
}

struct arch_thread_state *arch_state_copy(const struct arch_thread_state *state, struct pool *pool)
{
	return pool_copy(pool, state, sizeof(*state));
}

static int write_vectors(pid_t tid, const struct arch_thread_state *state)
{
	if (state_holds_vectors(&state->ssve))
		return write_set(tid, &streaming_set, &state->ssve);
	return state_holds_vectors(&state->sve) ? write_set(tid, &state_sets[SVE_PLACE], &state->sve) : 0;
}

/* Every system call of the blob drops what the vectors hold beyond fpsimd, and leaves streaming mode. */
int arch_state_set_general(pid_t tid, const struct arch_thread_state *state)
{
	TRY(regs_set(tid, &state->general));
	return write_vectors(tid, state);
}

/* The length of its vectors, prctl(2), PR_SVE_SET_VL. The kernel takes the next shorter one that the CPU has. */
static int write_length(pid_t tid, const struct register_set *set)
{
	struct user_sve_header header, now;
	struct iovec iov = { &now, sizeof(now) }, wanted = { &header, sizeof(header) };

	if (set->size < sizeof(header))
		return 0;
	memcpy(&header, set->data, sizeof(header));
	header.flags &= (uint16_t)~SVE_PT_REGS_MASK;
	header.size = sizeof(header);
	if (ptrace(PTRACE_SETREGSET, tid, (long)SET_SVE, &wanted) < 0 ||
	    ptrace(PTRACE_GETREGSET, tid, (long)SET_SVE, &iov) < 0)
		return fail_errno("setting the length of vectors of thread %d", tid);
	if (now.vl != header.vl)
		return refuse(EOPNOTSUPP, "thread %d has vectors of %u bytes, which this CPU has not", tid, header.vl);
	return 0;
}

int arch_state_set_extended(pid_t tid, const struct arch_thread_state *state)
{
	struct iovec iov = { (void *)&state->fpsimd, sizeof(state->fpsimd) };

	for (unsigned i = 0; i < ARRAY_SIZE(state_sets); i++) {
		const struct register_set *set = state_set_at(state, &state_sets[i]);

		if (state_sets[i].number == SET_SVE)
			TRY(write_length(tid, set));
		else
			TRY(write_set(tid, &state_sets[i], set));
	}
	if (ptrace(PTRACE_SETREGSET, tid, NT_PRFPREG, &iov) < 0)
		return fail_errno("setting the vector registers of thread %d", tid);
	return write_vectors(tid, state);
}

int arch_state_set(pid_t tid, const struct arch_thread_state *state)
{
	TRY(regs_set(tid, &state->general));
	return arch_state_set_extended(tid, state);
}

bool arch_state_is_compat(const struct arch_thread_state *state)
{
	return false; /* they were refused */
}
