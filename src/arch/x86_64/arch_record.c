/* SPDX-License-Identifier: LGPL-2.1-only */
/* Registers to and from the record thread_info_x86. */
#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "arch_regs.h"
#include "arch_state.h"
#include "base/array.h"
#include "base/fail.h"
#include "core-x86.pb-c.h"

/* The plain registers, the same in both directions: record member, ptrace member. */
/* clang-format off */
#define GENERAL_REGISTERS(X) \
	X(r15, r15) X(r14, r14) X(r13, r13) X(r12, r12) X(bp, rbp) X(bx, rbx) X(r11, r11) X(r10, r10) \
	X(r9, r9) X(r8, r8) X(ax, rax) X(cx, rcx) X(dx, rdx) X(si, rsi) X(di, rdi) X(orig_ax, orig_rax) \
	X(ip, rip) X(cs, cs) X(flags, eflags) X(sp, rsp) X(ss, ss) X(fs_base, fs_base) X(gs_base, gs_base) \
	X(ds, ds) X(es, es) X(fs, fs) X(gs, gs)
/* clang-format on */

/* Components of the XSAVE area that are lists in the record. */
struct component {
	unsigned feature;
	size_t n, count; /* members of UserX86XsaveEntry: the list and its length */
	unsigned item, items;
};

#define COMPONENT(feature_, member, item_, items_)                                                   \
	{                                                                                            \
		.feature = (feature_), .n = offsetof(UserX86XsaveEntry, member),                     \
		.count = offsetof(UserX86XsaveEntry, n_##member), .item = (item_), .items = (items_) \
	}

static const struct component components[] = {
	COMPONENT(XCOMPONENT_YMM, ymmh_space, 4, 64),
	COMPONENT(XCOMPONENT_BNDREGS, bndreg_state, 8, 8),
	COMPONENT(XCOMPONENT_BNDCSR, bndcsr_state, 8, 8),
	COMPONENT(XCOMPONENT_OPMASK, opmask_reg, 8, 8),
	COMPONENT(XCOMPONENT_ZMM_HI256, zmm_upper, 8, 64),
	COMPONENT(XCOMPONENT_HI16_ZMM, hi16_zmm, 8, 128),
	COMPONENT(XCOMPONENT_PKRU, pkru, 4, 2),
};

#define FEATURES 19

struct place {
	size_t offset, size; /* size 0 = the CPU has none */
	bool known;
};

/*
 * Where this CPU keeps a component in the standard form: CPUID leaf 0xd, asked once each. In a virtual machine the
 * instruction traps and takes microseconds, which hundreds of threads would feel.
 */
static void place_of(unsigned feature, size_t *offset, size_t *size)
{
	static __thread struct place places[FEATURES];
	struct place *place = &places[feature];
	unsigned a, b, c, d;

	if (!place->known) {
		__cpuid_count(0xd, feature, a, b, c, d);
		*place = (struct place){ .offset = b, .size = a, .known = true };
	}
	*size = place->size;
	*offset = place->offset;
}

static uint64_t features_of(const struct arch_thread_state *state)
{
	uint64_t mask;

	memcpy(&mask, state->xstate + XSTATE_SW_RESERVED, sizeof(mask));
	return mask;
}

static int refuse_unknown(const struct arch_thread_state *state, uint64_t live)
{
	uint64_t known = 0x3;

	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		known |= 1ull << components[i].feature;
	live &= ~known & ~(1ull << XCOMPONENT_TILECFG);
	if (live)
		return refuse(EOPNOTSUPP,
			      "extended registers with XSAVE bits 0x%" PRIx64
			      " are in use (AMX tiles?): the image format has no place for them; "
			      "checkpoint when the program has released them",
			      live);
	return 0;
}

static void xsave_to_record(const struct arch_thread_state *state, UserX86XsaveEntry *record, struct pool *pool)
{
	uint64_t features = features_of(state);

	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		const struct component *c = &components[i];
		size_t offset, size, want = c->item * c->items;
		void *data;

		if (!(features & (1ull << c->feature)))
			continue;
		place_of(c->feature, &offset, &size);
		if (!size || offset + size > state->xstate_size)
			continue;
		data = state->xstate + offset;
		if (size < want) {
			data = pool_alloc(pool, want);
			memcpy(data, state->xstate + offset, size);
		}
		*(void **)((char *)record + c->n) = data;
		*(size_t *)((char *)record + c->count) = c->items;
	}
}

static void fpu_to_record(const struct arch_thread_state *state, UserX86FpregsEntry *record, struct pool *pool)
{
	struct fxsave fx;

	memcpy(&fx, state->xstate, sizeof(fx));
	record->cwd = fx.cwd;
	record->swd = fx.swd;
	record->twd = fx.twd;
	record->fop = fx.fop;
	record->rip = fx.rip;
	record->rdp = fx.rdp;
	record->mxcsr = fx.mxcsr;
	record->mxcsr_mask = fx.mxcsr_mask;
	record->n_st_space = 32;
	record->st_space = (uint32_t *)(state->xstate + offsetof(struct fxsave, st_space));
	record->n_xmm_space = 64;
	record->xmm_space = (uint32_t *)(state->xstate + offsetof(struct fxsave, xmm_space));
}

/* Those of 32-bit mode. The kernel shows results of system calls and what lies beside them with a sign. */
static void narrow_registers(UserX86RegsEntry *record)
{
	record->r8 = record->r9 = record->r10 = record->r11 = record->r12 = record->r13 = record->r14 = record->r15 = 0;
#define X(member, reg) record->member = (uint32_t)record->member;
	GENERAL_REGISTERS(X)
#undef X
}

/* 64-bit programs have no TLS segments; the format wants the three entries all the same. */
static void tls_to_record(const struct arch_thread_state *state, ThreadInfoX86 *info, struct pool *pool)
{
	const struct user_desc none = { .read_exec_only = 1, .seg_not_present = 1 };

	info->n_tls = TLS_ENTRIES;
	info->tls = pool_array(pool, UserDescT *, TLS_ENTRIES);
	for (unsigned i = 0; i < TLS_ENTRIES; i++) {
		const struct user_desc *desc = state_is_compat(state) ? &state->tls[i] : &none;
		UserDescT *record = info->tls[i] = pool_new(pool, UserDescT);

		user_desc_t__init(record);
		record->entry_number = TLS_FIRST + i;
		record->base_addr = desc->base_addr;
		record->limit = desc->limit;
		record->seg_32bit = desc->seg_32bit;
		record->contents_h = desc->contents >> 1 & 1;
		record->contents_l = desc->contents & 1;
		record->read_exec_only = desc->read_exec_only;
		record->limit_in_pages = desc->limit_in_pages;
		record->seg_not_present = desc->seg_not_present;
		record->usable = desc->useable;
	}
}

static int tls_from_record(const ThreadInfoX86 *info, struct arch_thread_state *state)
{
	for (unsigned i = 0; i < TLS_ENTRIES; i++)
		state->tls[i] =
			(struct user_desc){ .entry_number = TLS_FIRST + i, .read_exec_only = 1, .seg_not_present = 1 };
	for (size_t i = 0; i < info->n_tls; i++) {
		const UserDescT *record = info->tls[i];

		if (record->entry_number - TLS_FIRST >= TLS_ENTRIES)
			return refuse(EINVAL, "thread area %u is not one of %d to %d: the image is damaged",
				      record->entry_number, TLS_FIRST, TLS_FIRST + TLS_ENTRIES - 1);
		state->tls[record->entry_number - TLS_FIRST] = (struct user_desc){
			.entry_number = record->entry_number,
			.base_addr = record->base_addr,
			.limit = record->limit,
			.seg_32bit = record->seg_32bit,
			.contents = (unsigned)record->contents_h << 1 | (unsigned)record->contents_l,
			.read_exec_only = record->read_exec_only,
			.limit_in_pages = record->limit_in_pages,
			.seg_not_present = record->seg_not_present,
			.useable = record->usable,
		};
	}
	return 0;
}

/* Where a segment begins that is one of the thread areas. CPUs with FSGSBASE keep that beside it. */
static void find_base(const struct arch_thread_state *state, uint64_t selector, unsigned long long *base)
{
	unsigned i = (unsigned)(selector >> 3) - TLS_FIRST;

	if (i < TLS_ENTRIES && !(selector & 4))
		*base = state->tls[i].base_addr;
}

/* Of a thread in 32-bit mode: images of others have no bases, and a call's number without its sign. */
static int compat_from_record(const ThreadInfoX86 *info, struct arch_thread_state *state)
{
	struct user_regs_struct *regs = &state->general;

	if (!regs_are_compat(regs))
		return refuse(EINVAL, "the record is of 32-bit mode, the code segment 0x%llx is not: it is damaged",
			      (unsigned long long)regs->cs);
	TRY(tls_from_record(info, state));
	find_base(state, regs->fs, &regs->fs_base);
	find_base(state, regs->gs, &regs->gs_base);
	regs->orig_rax = (unsigned long long)(int32_t)regs->orig_rax;
	return 0;
}

CoreEntry__March arch_core_type(void)
{
	return CORE_ENTRY__MARCH__X86_64;
}

bool arch_core_is_compat(const CoreEntry *core)
{
	const ThreadInfoX86 *info = core->thread_info;

	return info && info->gpregs && info->gpregs->has_mode && info->gpregs->mode == USER_X86_REGS_MODE__COMPAT;
}

int arch_state_to_core(const struct arch_thread_state *state, CoreEntry *core, struct pool *pool)
{
	ThreadInfoX86 *info = pool_new(pool, ThreadInfoX86);
	UserX86XsaveEntry *xsave = pool_new(pool, UserX86XsaveEntry);
	uint64_t live;

	thread_info_x86__init(info);
	info->gpregs = pool_new(pool, UserX86RegsEntry);
	info->fpregs = pool_new(pool, UserX86FpregsEntry);
	user_x86_regs_entry__init(info->gpregs);
	user_x86_fpregs_entry__init(info->fpregs);
	user_x86_xsave_entry__init(xsave);
#define X(member, reg) info->gpregs->member = state->general.reg;
	GENERAL_REGISTERS(X)
#undef X
	info->gpregs->has_mode = true;
	info->gpregs->mode = state_is_compat(state) ? USER_X86_REGS_MODE__COMPAT : USER_X86_REGS_MODE__NATIVE;
	if (state_is_compat(state))
		narrow_registers(info->gpregs);
	fpu_to_record(state, info->fpregs, pool);
	memcpy(&live, state->xstate + XSTATE_HEADER, sizeof(live));
	TRY(refuse_unknown(state, live));
	xsave->xstate_bv = live;
	xsave_to_record(state, xsave, pool);
	info->fpregs->xsave = xsave;

	tls_to_record(state, info, pool);
	core->mtype = arch_core_type();
	core->thread_info = info;
	return 0;
}

static int fpu_from_record(const UserX86FpregsEntry *record, struct arch_thread_state *state)
{
	struct fxsave fx = {
		.cwd = (uint16_t)record->cwd,
		.swd = (uint16_t)record->swd,
		.twd = (uint16_t)record->twd,
		.fop = (uint16_t)record->fop,
		.rip = record->rip,
		.rdp = record->rdp,
		.mxcsr = record->mxcsr,
		.mxcsr_mask = record->mxcsr_mask,
	};

	if (record->n_st_space != 32 || record->n_xmm_space != 64)
		return refuse(EINVAL, "the FPU record has %zu and %zu words instead of 32 and 64", record->n_st_space,
			      record->n_xmm_space);
	memcpy(fx.st_space, record->st_space, sizeof(fx.st_space));
	memcpy(fx.xmm_space, record->xmm_space, sizeof(fx.xmm_space));
	memcpy(state->xstate, &fx, sizeof(fx));
	return 0;
}

/*
 * With protection keys Linux gives every thread the right to memory without one, and no other: who has never used keys
 * needs no CPU that has them, and gets this on one that has.
 */
#define PKRU_USUAL 0x55555554u

static uint64_t adapt_keys(const UserX86XsaveEntry *record, struct arch_thread_state *state, uint64_t host)
{
	const uint64_t keys = 1ull << XCOMPONENT_PKRU;
	const uint32_t usual = PKRU_USUAL;
	size_t offset, size;

	if (!(host & keys))
		return record->n_pkru && record->pkru[0] == usual ? record->xstate_bv & ~keys : record->xstate_bv;
	if (record->n_pkru)
		return record->xstate_bv;
	place_of(XCOMPONENT_PKRU, &offset, &size);
	if (size < sizeof(usual) || offset + size > state->xstate_size)
		return record->xstate_bv;
	memcpy(state->xstate + offset, &usual, sizeof(usual));
	return record->xstate_bv | keys;
}

static int xsave_from_record(const UserX86XsaveEntry *record, struct arch_thread_state *state, uint64_t host)
{
	uint64_t live = adapt_keys(record, state, host);

	if (live & ~host)
		return refuse(EOPNOTSUPP,
			      "the thread uses extended registers (XSAVE bits 0x%" PRIx64
			      ") that this CPU lacks (it has 0x%" PRIx64
			      "): restore on a machine with the same CPU features",
			      live & ~host, host);
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		const struct component *c = &components[i];
		size_t offset, size, have = *(const size_t *)((const char *)record + c->count);

		if (!have || !(live & (1ull << c->feature)))
			continue;
		if (have != c->items)
			return refuse(EINVAL, "the XSAVE record has %zu items for feature %u instead of %u", have,
				      c->feature, c->items);
		place_of(c->feature, &offset, &size);
		if (!size || offset + size > state->xstate_size)
			return refuse(EOPNOTSUPP, "this CPU has no room for XSAVE feature %u", c->feature);
		if (size > have * c->item)
			size = have * c->item;
		memcpy(state->xstate + offset, *(void *const *)((const char *)record + c->n), size);
	}
	memcpy(state->xstate + XSTATE_HEADER, &live, sizeof(live));
	return 0;
}

/* Features enabled in XCR0, and the size of the area for all of them. Asked once, as above. */
static uint64_t host_features(size_t *ret_size)
{
	static __thread uint64_t mask;
	static __thread unsigned size;
	unsigned a, c, d;

	if (!size) {
		__cpuid_count(0xd, 0, a, size, c, d);
		mask = (uint64_t)d << 32 | a;
	}
	*ret_size = size;
	return mask;
}

int arch_state_from_core(const CoreEntry *core, struct pool *pool, struct arch_thread_state **ret)
{
	const ThreadInfoX86 *info = core->thread_info;
	struct arch_thread_state *state;
	uint64_t host;
	size_t size;

	if (core->mtype != arch_core_type() || !info || !info->gpregs || !info->fpregs)
		return refuse(
			EINVAL,
			"the record holds no x86-64 registers (machine type %d): it was made on another architecture",
			core->mtype);
	if (info->fpregs->xsave && info->fpregs->xsave->cet && info->fpregs->xsave->cet->cet)
		return refuse(EOPNOTSUPP, "the thread has a shadow stack: it cannot be restored yet");
	host = host_features(&size);
	state = pool_new(pool, struct arch_thread_state);
	state->xstate_size = size;
	state->xstate = pool_alloc(pool, size);
#define X(member, reg) state->general.reg = info->gpregs->member;
	GENERAL_REGISTERS(X)
#undef X
	if (arch_core_is_compat(core))
		TRY(compat_from_record(info, state));
	else if (state_is_compat(state))
		return refuse(EINVAL, "the record is of 64-bit mode, the code segment 0x%llx is not: it is damaged",
			      (unsigned long long)state->general.cs);
	TRY(fpu_from_record(info->fpregs, state));
	if (info->fpregs->xsave) {
		TRY(xsave_from_record(info->fpregs->xsave, state, host));
	} else {
		uint64_t live = 3;

		memcpy(state->xstate + XSTATE_HEADER, &live, sizeof(live));
	}
	memcpy(state->xstate + XSTATE_SW_RESERVED, &host, sizeof(host));
	*ret = state;
	return 0;
}

uint64_t *arch_core_tid_address(CoreEntry *core)
{
	return &core->thread_info->clear_tid_addr;
}
