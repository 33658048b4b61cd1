/* SPDX-License-Identifier: LGPL-2.1-only */
/* Putting the sections of a parasite one behind the other, and resolving what does not depend on where it will lie. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "lib/compel/tool/tool.h"

#define LARGEST	      (64u << 20)
#define LARGEST_ALIGN 4096

/* Parts that compilers add and no parasite looks at. */
static bool is_useless(const char *name)
{
	static const char *const useless[] = { ".eh_frame", ".note", ".comment", ".ARM.exidx" };

	for (size_t i = 0; i < ARRAY_SIZE(useless); i++)
		if (strncmp(name, useless[i], strlen(useless[i])) == 0)
			return true;
	return false;
}

static int place_section(struct object *object, struct blob *blob, size_t i)
{
	const Elf64_Shdr *s = &object->sections[i];
	const char *name = object_section_name(object, i);
	uint64_t align = s->sh_addralign ?: 1, at;
	const void *content;

	if (!(s->sh_flags & SHF_ALLOC) || is_useless(name))
		return 0;
	if (s->sh_flags & SHF_TLS)
		return refuse(EOPNOTSUPP, "%s: has thread-local variables (%s): a parasite has no threads",
			      object->path, name);
	if (align > LARGEST_ALIGN || align & (align - 1))
		return refuse(EOPNOTSUPP, "%s: %s wants to be aligned to %" PRIu64, object->path, name, align);
	at = (blob->bytes.size + align - 1) & ~(align - 1);
	if (s->sh_size > LARGEST || at + s->sh_size > LARGEST)
		return refuse(EOPNOTSUPP, "%s: is too big at %s: a parasite may have %u bytes", object->path, name,
			      LARGEST);
	if (strcmp(name, ".data") == 0)
		blob->data = at;
	object->places[i] = at;
	if (at + s->sh_size > blob->bytes.size)
		buffer_extend(&blob->bytes, at + s->sh_size - blob->bytes.size);
	content = object_content(object, i);
	if (content && s->sh_size)
		memcpy(blob->bytes.data + at, content, s->sh_size);
	return 0;
}

static int resolve_symbol(const struct object *object, uint64_t index, uint64_t got, struct symbol_value *ret)
{
	const Elf64_Sym *symbol;

	if (index >= object->n_symbols)
		return refuse(EINVAL, "%s: a relocation names symbol %" PRIu64 ", there are %zu", object->path, index,
			      object->n_symbols);
	symbol = &object->symbols[index];
	ret->name = object_symbol_name(object, symbol);
	ret->absolute = false;
	ret->value = symbol->st_value;
	if (symbol->st_shndx == SHN_ABS) {
		ret->absolute = true;
		return 0;
	}
	if (symbol->st_shndx == SHN_UNDEF && strcmp(ret->name, "_GLOBAL_OFFSET_TABLE_") == 0) {
		ret->value = got;
		return 0;
	}
	if (symbol->st_shndx == SHN_UNDEF)
		return refuse(ENOENT,
			      "%s: %s is not defined: a parasite has no libraries but those of $(compel plugins)",
			      object->path, ret->name);
	if (symbol->st_shndx == SHN_COMMON)
		return refuse(EOPNOTSUPP, "%s: %s has no place yet: link with $(compel ldflags)", object->path,
			      ret->name);
	if (symbol->st_shndx >= object->n_sections)
		return refuse(EINVAL, "%s: %s lies in section %u, there are %zu", object->path, ret->name,
			      symbol->st_shndx, object->n_sections);
	if (object->places[symbol->st_shndx] == NOWHERE)
		return refuse(EOPNOTSUPP, "%s: %s lies in %s, which is no part of a parasite", object->path, ret->name,
			      object_section_name(object, symbol->st_shndx));
	ret->value += object->places[symbol->st_shndx];
	return 0;
}

static int relocate_section(const struct object *object, struct blob *blob, size_t i)
{
	const Elf64_Shdr *s = &object->sections[i];
	const char *content = object_content(object, i);
	uint64_t target = s->sh_info;

	if (target >= object->n_sections)
		return refuse(EINVAL, "%s: %s relocates section %" PRIu64 ", there are %zu", object->path,
			      object_section_name(object, i), target, object->n_sections);
	if (object->places[target] == NOWHERE)
		return 0;
	if (s->sh_type == SHT_REL || s->sh_entsize != sizeof(Elf64_Rela))
		return refuse(EINVAL, "%s: %s has relocations of a wrong kind", object->path,
			      object_section_name(object, i));
	for (size_t n = 0; n < s->sh_size / sizeof(Elf64_Rela); n++) {
		struct symbol_value symbol;
		Elf64_Rela rela;

		memcpy(&rela, content + n * sizeof(rela), sizeof(rela));
		if (!ELF64_R_TYPE(rela.r_info))
			continue;
		if (rela.r_offset >= object->sections[target].sh_size ||
		    object->sections[target].sh_size - rela.r_offset < 4)
			return refuse(EINVAL, "%s: relocation %zu of %s lies outside", object->path, n,
				      object_section_name(object, target));
		TRY(resolve_symbol(object, ELF64_R_SYM(rela.r_info), blob->got, &symbol));
		TRY(hgen_arch_relocate(blob, object->path, (uint32_t)ELF64_R_TYPE(rela.r_info),
				       object->places[target] + rela.r_offset, rela.r_addend, &symbol));
	}
	return 0;
}

int blob_make(struct object *object, struct blob *blob)
{
	*blob = (struct blob){ 0 };
	for (size_t i = 0; i < object->n_sections; i++)
		TRY(place_section(object, blob, i));
	if (!blob->bytes.size)
		return refuse(EINVAL, "%s: there is nothing in it", object->path);
	blob->got = (blob->bytes.size + 7) & ~7ull;
	for (size_t i = 0; i < object->n_sections; i++)
		if (object->sections[i].sh_type == SHT_RELA || object->sections[i].sh_type == SHT_REL)
			TRY(relocate_section(object, blob, i));
	return 0;
}

void blob_done(struct blob *blob)
{
	buffer_done(&blob->bytes);
	vector_done(&blob->relocs);
}

int64_t blob_find_symbol(const struct object *object, const char *name)
{
	for (size_t i = 0; i < object->n_symbols; i++) {
		const Elf64_Sym *symbol = &object->symbols[i];

		if (symbol->st_shndx && symbol->st_shndx < object->n_sections &&
		    object->places[symbol->st_shndx] != NOWHERE &&
		    strcmp(object_symbol_name(object, symbol), name) == 0)
			return (int64_t)(object->places[symbol->st_shndx] + symbol->st_value);
	}
	return -ENOENT;
}
