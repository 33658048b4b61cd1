/* SPDX-License-Identifier: LGPL-2.1-only */
/* Relocations of aarch64: ELF for the Arm 64-bit Architecture (AAELF64), section 5.7. A blob lies at a multiple of
 * 4096. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "lib/compel/tool/tool.h"

const uint16_t hgen_arch_machine = EM_AARCH64;
const char hgen_arch_cflags[] = " -mno-outline-atomics"; /* they are functions of libgcc */

#define PAGE(address) ((address) & ~4095ull)

/* Where a part of an instruction goes that holds a number: its bits, the lowest of them in the instruction. */
struct field {
	unsigned bits, at;
	unsigned scale; /* so many low bits are not in it, and must be 0 */
};

static int too_far(const char *path, uint64_t place)
{
	return refuse(ERANGE, "%s: the relocation at 0x%" PRIx64 " reaches too far", path, place);
}

static int check_place(const struct blob *blob, const char *path, uint64_t place, size_t size)
{
	if (place > blob->bytes.size || size > blob->bytes.size - place)
		return refuse(EINVAL, "%s: the relocation at 0x%" PRIx64 " lies outside", path, place);
	return 0;
}

static int put_value(struct blob *blob, const char *path, uint64_t place, int64_t value, size_t size)
{
	TRY(check_place(blob, path, place, size));
	if (size == 4 && value != (int32_t)value)
		return too_far(path, place);
	memcpy(blob->bytes.data + place, &value, size);
	return 0;
}

static int put_field(struct blob *blob, const char *path, uint64_t place, uint64_t value, struct field field)
{
	uint32_t code, mask = ((1u << field.bits) - 1) << field.at;

	TRY(check_place(blob, path, place, sizeof(code)));
	if (value & ((1u << field.scale) - 1))
		return refuse(EINVAL, "%s: the relocation at 0x%" PRIx64 " wants an address that is a multiple of %u",
			      path, place, 1u << field.scale);
	memcpy(&code, blob->bytes.data + place, sizeof(code));
	code = (code & ~mask) | ((uint32_t)(value >> field.scale) << field.at & mask);
	memcpy(blob->bytes.data + place, &code, sizeof(code));
	return 0;
}

/* A signed distance, as branches have it. */
static int put_distance(struct blob *blob, const char *path, uint64_t place, int64_t distance, struct field field)
{
	int64_t reach = 1ll << (field.bits + field.scale - 1);

	if (distance < -reach || distance >= reach)
		return too_far(path, place);
	return put_field(blob, path, place, (uint64_t)distance, field);
}

/* adr and adrp have their two lowest bits elsewhere. */
static int put_adr(struct blob *blob, const char *path, uint64_t place, int64_t distance)
{
	if (distance < -(1 << 20) || distance >= 1 << 20)
		return too_far(path, place);
	TRY(put_field(blob, path, place, (uint64_t)distance & 3, (struct field){ 2, 29, 0 }));
	return put_field(blob, path, place, (uint64_t)distance >> 2, (struct field){ 19, 5, 0 });
}

static int put_pages(struct blob *blob, const char *path, uint64_t place, uint64_t target)
{
	return put_adr(blob, path, place, (int64_t)(PAGE(target) - PAGE(place)) >> 12);
}

static void keep_address(struct blob *blob, uint64_t place, int64_t addend, uint64_t value)
{
	*vector_push(&blob->relocs) = (compel_reloc_t){
		.offset = (unsigned)place,
		.type = COMPEL_TYPE_LONG,
		.addend = (long)addend,
		.value = (long)value,
	};
}

/* The symbol's slot of the GOT, which is a part of the blob here: its place in a page stands in the instructions. */
static uint64_t find_slot(struct blob *blob, const struct symbol_value *symbol, int64_t addend)
{
	uint64_t slot;

	for (size_t i = 0; i < blob->relocs.n; i++) {
		const compel_reloc_t *r = &blob->relocs.items[i];

		if (r->offset >= blob->got && r->value == (long)symbol->value && r->addend == (long)addend)
			return r->offset;
	}
	slot = blob->bytes.size > blob->got ? blob->bytes.size : blob->got;
	buffer_extend(&blob->bytes, slot + 8 - blob->bytes.size);
	keep_address(blob, slot, addend, symbol->value);
	return slot;
}

static int put_address(struct blob *blob, const char *path, uint64_t place, int64_t addend,
		       const struct symbol_value *symbol)
{
	TRY(put_value(blob, path, place, symbol->absolute ? (int64_t)symbol->value + addend : 0, 8));
	if (!symbol->absolute)
		keep_address(blob, place, addend, symbol->value);
	return 0;
}

/* Between two places of the blob. */
static int put_relative(struct blob *blob, const char *path, uint32_t type, uint64_t place, uint64_t target)
{
	int64_t distance = (int64_t)(target - place);

	switch (type) {
	case R_AARCH64_PREL32:
		return put_value(blob, path, place, distance, 4);
	case R_AARCH64_PREL64:
		return put_value(blob, path, place, distance, 8);
	case R_AARCH64_CALL26:
	case R_AARCH64_JUMP26:
		return put_distance(blob, path, place, distance, (struct field){ 26, 0, 2 });
	case R_AARCH64_CONDBR19:
	case R_AARCH64_LD_PREL_LO19:
		return put_distance(blob, path, place, distance, (struct field){ 19, 5, 2 });
	case R_AARCH64_TSTBR14:
		return put_distance(blob, path, place, distance, (struct field){ 14, 5, 2 });
	case R_AARCH64_ADR_PREL_LO21:
		return put_adr(blob, path, place, distance);
	case R_AARCH64_ADR_PREL_PG_HI21:
	case R_AARCH64_ADR_PREL_PG_HI21_NC:
		return put_pages(blob, path, place, target);
	case R_AARCH64_ADD_ABS_LO12_NC:
	case R_AARCH64_LDST8_ABS_LO12_NC:
		return put_field(blob, path, place, target & 4095, (struct field){ 12, 10, 0 });
	case R_AARCH64_LDST16_ABS_LO12_NC:
		return put_field(blob, path, place, target & 4095, (struct field){ 12, 10, 1 });
	case R_AARCH64_LDST32_ABS_LO12_NC:
		return put_field(blob, path, place, target & 4095, (struct field){ 12, 10, 2 });
	case R_AARCH64_LDST64_ABS_LO12_NC:
		return put_field(blob, path, place, target & 4095, (struct field){ 12, 10, 3 });
	case R_AARCH64_LDST128_ABS_LO12_NC:
		return put_field(blob, path, place, target & 4095, (struct field){ 12, 10, 4 });
	}
	return -ENOENT;
}

/* Through the GOT. */
static int put_lookup(struct blob *blob, const char *path, uint32_t type, uint64_t place, uint64_t slot)
{
	switch (type) {
	case R_AARCH64_ADR_GOT_PAGE:
		return put_pages(blob, path, place, slot);
	case R_AARCH64_LD64_GOT_LO12_NC:
		return put_field(blob, path, place, slot & 4095, (struct field){ 12, 10, 3 });
	case R_AARCH64_GOT_LD_PREL19:
		return put_distance(blob, path, place, (int64_t)(slot - place), (struct field){ 19, 5, 2 });
	}
	slot -= PAGE(blob->got); /* R_AARCH64_LD64_GOTPAGE_LO15 */
	return slot < 1u << 15 ? put_field(blob, path, place, slot, (struct field){ 12, 10, 3 }) : too_far(path, place);
}

int hgen_arch_relocate(struct blob *blob, const char *path, uint32_t type, uint64_t place, int64_t addend,
		       const struct symbol_value *symbol)
{
	uint64_t target = symbol->value + (uint64_t)addend;
	int error;

	switch (type) {
	case R_AARCH64_ABS64:
		return put_address(blob, path, place, addend, symbol);
	case R_AARCH64_ABS32:
		if (symbol->absolute)
			return put_value(blob, path, place, (int64_t)target, 4);
		return refuse(EOPNOTSUPP, "%s: %s is used by a 32-bit address: a parasite has none", path,
			      symbol->name);
	}
	if (symbol->absolute)
		return refuse(EOPNOTSUPP, "%s: %s has an absolute address and is used relative to the code", path,
			      symbol->name);
	switch (type) {
	case R_AARCH64_ADR_GOT_PAGE:
	case R_AARCH64_LD64_GOT_LO12_NC:
	case R_AARCH64_LD64_GOTPAGE_LO15:
	case R_AARCH64_GOT_LD_PREL19:
		return put_lookup(blob, path, type, place, find_slot(blob, symbol, addend));
	}
	error = put_relative(blob, path, type, place, target);
	return error != -ENOENT ? error
				: refuse(EOPNOTSUPP,
					 "%s: %s is used by a relocation of type %u, which a parasite cannot have: "
					 "compile with $(compel cflags)",
					 path, symbol->name, type);
}
