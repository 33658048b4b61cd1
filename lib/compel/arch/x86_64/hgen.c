/* SPDX-License-Identifier: LGPL-2.1-only */
/* Relocations of x86-64: psABI, section 4.4. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fail.h"
#include "lib/compel/tool/tool.h"

const uint16_t hgen_arch_machine = EM_X86_64;
const char hgen_arch_cflags[] = "";

static int put_value(struct blob *blob, const char *path, uint64_t place, int64_t value, size_t size)
{
	if (place > blob->bytes.size || size > blob->bytes.size - place)
		return refuse(EINVAL, "%s: the relocation at 0x%" PRIx64 " lies outside", path, place);
	if (size == 4 && value != (int32_t)value)
		return refuse(ERANGE, "%s: the relocation at 0x%" PRIx64 " reaches too far", path, place);
	memcpy(blob->bytes.data + place, &value, size);
	return 0;
}

static void keep_relocation(struct blob *blob, unsigned type, uint64_t place, int64_t addend, uint64_t value)
{
	*vector_push(&blob->relocs) = (compel_reloc_t){
		.offset = (unsigned)place,
		.type = type,
		.addend = (long)addend,
		.value = (long)value,
	};
}

/* Between two places of the blob; to an absolute address nothing is relative. */
static int put_distance(struct blob *blob, const char *path, uint64_t place, int64_t addend,
			const struct symbol_value *symbol, size_t size)
{
	if (symbol->absolute)
		return refuse(EOPNOTSUPP, "%s: %s has an absolute address and is used relative to the code", path,
			      symbol->name);
	return put_value(blob, path, place, (int64_t)(symbol->value + (uint64_t)addend - place), size);
}

int hgen_arch_relocate(struct blob *blob, const char *path, uint32_t type, uint64_t place, int64_t addend,
		       const struct symbol_value *symbol)
{
	switch (type) {
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return put_distance(blob, path, place, addend, symbol, 4);
	case R_X86_64_PC64:
		return put_distance(blob, path, place, addend, symbol, 8);
	case R_X86_64_64:
		TRY(put_value(blob, path, place, symbol->absolute ? (int64_t)symbol->value + addend : 0, 8));
		if (!symbol->absolute)
			keep_relocation(blob, COMPEL_TYPE_LONG, place, addend, symbol->value);
		return 0;
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		if (symbol->absolute)
			return refuse(EOPNOTSUPP, "%s: %s has an absolute address and is looked up in the GOT", path,
				      symbol->name);
		TRY(put_value(blob, path, place, 0, 4));
		keep_relocation(blob, COMPEL_TYPE_GOTPCREL, place, addend, symbol->value);
		blob->slots++;
		return 0;
	case R_X86_64_32:
	case R_X86_64_32S:
		if (symbol->absolute)
			return put_value(blob, path, place, (int64_t)symbol->value + addend, 4);
		return refuse(EOPNOTSUPP,
			      "%s: %s is used by a 32-bit address: compile with $(compel cflags), which have -fpie",
			      path, symbol->name);
	}
	return refuse(EOPNOTSUPP, "%s: %s is used by a relocation of type %u, which a parasite cannot have", path,
		      symbol->name, type);
}
