/* SPDX-License-Identifier: LGPL-2.1-only */
/* Registers to and from the record thread_info_aarch64. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arch_regs.h"
#include "arch_state.h"
#include "base/array.h"
#include "base/fail.h"
#include "core-aarch64.pb-c.h"

#define REGISTERS    31
#define VECTOR_WORDS 64 /* of 64 bits */

/* Sets that are kept as they are. */
struct raw_set {
	size_t set, data; /* members of the state and of the record */
	size_t has;
};

#define RAW(member)                                                                              \
	{                                                                                        \
		offsetof(struct arch_thread_state, member), offsetof(ThreadInfoAarch64, member), \
			offsetof(ThreadInfoAarch64, has_##member)                                \
	}

static const struct raw_set raw_sets[] = { RAW(sve), RAW(ssve), RAW(za), RAW(zt) };

CoreEntry__March arch_core_type(void)
{
	return CORE_ENTRY__MARCH__AARCH64;
}

bool arch_core_is_compat(const CoreEntry *core)
{
	return false;
}

/* --- dump --- */

static uint64_t word_of(const struct register_set *set, size_t i)
{
	uint64_t word = 0;

	if (set->size >= (i + 1) * sizeof(word))
		memcpy(&word, set->data + i * sizeof(word), sizeof(word));
	return word;
}

static void keys_to_record(const struct arch_thread_state *state, ThreadInfoAarch64 *info, struct pool *pool)
{
	if (!state->paca.size && !state->pacg.size)
		return;
	info->pac_keys = pool_new(pool, PacKeys);
	pac_keys__init(info->pac_keys);
	if (state->paca.size) {
		PacAddressKeys *keys = info->pac_keys->pac_address_keys = pool_new(pool, PacAddressKeys);

		pac_address_keys__init(keys);
		keys->apiakey_lo = word_of(&state->paca, 0);
		keys->apiakey_hi = word_of(&state->paca, 1);
		keys->apibkey_lo = word_of(&state->paca, 2);
		keys->apibkey_hi = word_of(&state->paca, 3);
		keys->apdakey_lo = word_of(&state->paca, 4);
		keys->apdakey_hi = word_of(&state->paca, 5);
		keys->apdbkey_lo = word_of(&state->paca, 6);
		keys->apdbkey_hi = word_of(&state->paca, 7);
		keys->pac_enabled_key = word_of(&state->pac_enabled, 0);
	}
	if (state->pacg.size) {
		PacGenericKeys *keys = info->pac_keys->pac_generic_keys = pool_new(pool, PacGenericKeys);

		pac_generic_keys__init(keys);
		keys->apgakey_lo = word_of(&state->pacg, 0);
		keys->apgakey_hi = word_of(&state->pacg, 1);
	}
}

static void word_to_record(const struct register_set *set, size_t i, protobuf_c_boolean *has, uint64_t *ret)
{
	*ret = word_of(set, i);
	*has = *ret != 0;
}

static void extensions_to_record(const struct arch_thread_state *state, ThreadInfoAarch64 *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(raw_sets); i++) {
		const struct raw_set *raw = &raw_sets[i];
		const struct register_set *set = (const void *)((const char *)state + raw->set);

		if (!set->size)
			continue;
		*(protobuf_c_boolean *)((char *)info + raw->has) = true;
		*(ProtobufCBinaryData *)((char *)info + raw->data) = (ProtobufCBinaryData){ set->size, set->data };
	}
	word_to_record(&state->tls, 1, &info->has_tpidr2, &info->tpidr2);
	word_to_record(&state->tagged_addr_ctrl, 0, &info->has_tagged_addr_ctrl, &info->tagged_addr_ctrl);
	word_to_record(&state->fpmr, 0, &info->has_fpmr, &info->fpmr);
	word_to_record(&state->poe, 0, &info->has_por, &info->por);
}

int arch_state_to_core(const struct arch_thread_state *state, CoreEntry *core, struct pool *pool)
{
	ThreadInfoAarch64 *info = pool_new(pool, ThreadInfoAarch64);

	thread_info_aarch64__init(info);
	info->gpregs = pool_new(pool, UserAarch64RegsEntry);
	user_aarch64_regs_entry__init(info->gpregs);
	info->gpregs->n_regs = REGISTERS;
	info->gpregs->regs = pool_copy(pool, state->general.regs, sizeof(state->general.regs));
	info->gpregs->sp = state->general.sp;
	info->gpregs->pc = state->general.pc;
	info->gpregs->pstate = state->general.pstate;
	info->fpsimd = pool_new(pool, UserAarch64FpsimdContextEntry);
	user_aarch64_fpsimd_context_entry__init(info->fpsimd);
	info->fpsimd->n_vregs = VECTOR_WORDS;
	info->fpsimd->vregs = pool_copy(pool, state->fpsimd.vregs, sizeof(state->fpsimd.vregs));
	info->fpsimd->fpsr = state->fpsimd.fpsr;
	info->fpsimd->fpcr = state->fpsimd.fpcr;
	info->tls = word_of(&state->tls, 0);
	keys_to_record(state, info, pool);
	extensions_to_record(state, info);
	core->mtype = arch_core_type();
	core->ti_aarch64 = info;
	return 0;
}

/* --- restore --- */

static struct register_set make_set(struct pool *pool, const void *data, size_t size)
{
	return (struct register_set){ size, pool_copy(pool, data, size) };
}

static void keys_from_record(const PacKeys *record, struct pool *pool, struct arch_thread_state *state)
{
	if (record->pac_address_keys) {
		const PacAddressKeys *k = record->pac_address_keys;
		const uint64_t keys[] = { k->apiakey_lo, k->apiakey_hi, k->apibkey_lo, k->apibkey_hi,
					  k->apdakey_lo, k->apdakey_hi, k->apdbkey_lo, k->apdbkey_hi };

		state->paca = make_set(pool, keys, sizeof(keys));
		state->pac_enabled = make_set(pool, &k->pac_enabled_key, sizeof(k->pac_enabled_key));
	}
	if (record->pac_generic_keys) {
		const uint64_t keys[] = { record->pac_generic_keys->apgakey_lo, record->pac_generic_keys->apgakey_hi };

		state->pacg = make_set(pool, keys, sizeof(keys));
	}
}

static int extensions_from_record(const ThreadInfoAarch64 *info, struct pool *pool, struct arch_thread_state *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(raw_sets); i++) {
		const struct raw_set *raw = &raw_sets[i];
		const ProtobufCBinaryData *data = (const void *)((const char *)info + raw->data);

		if (!*(const protobuf_c_boolean *)((const char *)info + raw->has))
			continue;
		if (data->len < sizeof(struct user_sve_header))
			return refuse(EINVAL, "a set of registers has %zu bytes: the image is damaged", data->len);
		*(struct register_set *)((char *)state + raw->set) = make_set(pool, data->data, data->len);
	}
	if (info->has_tagged_addr_ctrl)
		state->tagged_addr_ctrl = make_set(pool, &info->tagged_addr_ctrl, sizeof(info->tagged_addr_ctrl));
	if (info->has_fpmr)
		state->fpmr = make_set(pool, &info->fpmr, sizeof(info->fpmr));
	if (info->has_por)
		state->poe = make_set(pool, &info->por, sizeof(info->por));
	return 0;
}

int arch_state_from_core(const CoreEntry *core, struct pool *pool, struct arch_thread_state **ret)
{
	const ThreadInfoAarch64 *info = core->ti_aarch64;
	struct arch_thread_state *state;

	if (core->mtype != arch_core_type() || !info || !info->gpregs || !info->fpsimd)
		return refuse(
			EINVAL,
			"the record holds no aarch64 registers (machine type %d): it was made on another architecture",
			core->mtype);
	if (info->gpregs->n_regs != REGISTERS || info->fpsimd->n_vregs != VECTOR_WORDS)
		return refuse(EINVAL, "the record has %zu registers and %zu words of vectors instead of %d and %d",
			      info->gpregs->n_regs, info->fpsimd->n_vregs, REGISTERS, VECTOR_WORDS);
	state = pool_new(pool, struct arch_thread_state);
	memcpy(state->general.regs, info->gpregs->regs, sizeof(state->general.regs));
	state->general.sp = info->gpregs->sp;
	state->general.pc = info->gpregs->pc;
	state->general.pstate = info->gpregs->pstate;
	memcpy(state->fpsimd.vregs, info->fpsimd->vregs, sizeof(state->fpsimd.vregs));
	state->fpsimd.fpsr = info->fpsimd->fpsr;
	state->fpsimd.fpcr = info->fpsimd->fpcr;
	state->tls = make_set(pool, (const uint64_t[]){ info->tls, info->tpidr2 },
			      (info->has_tpidr2 ? 2 : 1) * sizeof(uint64_t));
	if (info->pac_keys)
		keys_from_record(info->pac_keys, pool, state);
	TRY(extensions_from_record(info, pool, state));
	*ret = state;
	return 0;
}

uint64_t *arch_core_tid_address(CoreEntry *core)
{
	return &core->ti_aarch64->clear_tid_addr;
}
