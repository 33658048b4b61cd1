/* SPDX-License-Identifier: LGPL-2.1-only */
/* Reading a relocatable ELF file that somebody may have damaged: elf(5). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "lib/compel/tool/tool.h"

static bool lies_within(const struct object *object, uint64_t offset, uint64_t size)
{
	return offset <= object->size && size <= object->size - offset;
}

static int check_head(struct object *object)
{
	const Elf64_Ehdr *head = (const void *)object->bytes;

	if (object->size < sizeof(*head) || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(EINVAL, "%s: is not an ELF file", object->path);
	if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
	    head->e_machine != hgen_arch_machine)
		return refuse(EOPNOTSUPP,
			      "%s: is for another CPU (class %u, machine %u); 32-bit parasites are not supported",
			      object->path, head->e_ident[EI_CLASS], head->e_machine);
	if (head->e_type != ET_REL)
		return refuse(EOPNOTSUPP, "%s: is not relocatable: link it with $(compel ldflags)", object->path);
	if (head->e_shentsize != sizeof(Elf64_Shdr) || !head->e_shnum || head->e_shoff % 8 ||
	    !lies_within(object, head->e_shoff, (uint64_t)head->e_shnum * sizeof(Elf64_Shdr)))
		return refuse(EINVAL, "%s: the table of sections is damaged or has more than 65279 entries",
			      object->path);
	object->head = head;
	object->sections = (const void *)(object->bytes + head->e_shoff);
	object->n_sections = head->e_shnum;
	return 0;
}

static int check_sections(struct object *object)
{
	for (size_t i = 0; i < object->n_sections; i++) {
		const Elf64_Shdr *s = &object->sections[i];

		if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL &&
		    !lies_within(object, s->sh_offset, s->sh_size))
			return refuse(EINVAL, "%s: section %zu (%s) lies outside of the file", object->path, i,
				      object_section_name(object, i));
		if (s->sh_type != SHT_SYMTAB)
			continue;
		if (object->symbols)
			return refuse(EINVAL, "%s: has two symbol tables", object->path);
		if (s->sh_entsize != sizeof(Elf64_Sym) || s->sh_offset % 8 || s->sh_link >= object->n_sections)
			return refuse(EINVAL, "%s: the symbol table is damaged", object->path);
		object->symbols = (const void *)(object->bytes + s->sh_offset);
		object->n_symbols = s->sh_size / sizeof(Elf64_Sym);
	}
	return object->symbols ? 0 : refuse(EINVAL, "%s: has no symbol table: it must not be stripped", object->path);
}

int object_parse(struct object *object, const char *path, const void *bytes, size_t size)
{
	*object = (struct object){ .path = path, .bytes = bytes, .size = size };
	TRY(check_head(object));
	object->places = xmalloc(object->n_sections * sizeof(*object->places));
	for (size_t i = 0; i < object->n_sections; i++)
		object->places[i] = NOWHERE;
	return check_sections(object);
}

void object_done(struct object *object)
{
	free(object->places);
	object->places = NULL;
}

const char *object_text(const struct object *object, size_t table, uint32_t offset)
{
	const Elf64_Shdr *s;

	if (table >= object->n_sections)
		return "?";
	s = &object->sections[table];
	if (s->sh_type != SHT_STRTAB || !lies_within(object, s->sh_offset, s->sh_size) || offset >= s->sh_size ||
	    !memchr(object->bytes + s->sh_offset + offset, 0, s->sh_size - offset))
		return "?";
	return (const char *)object->bytes + s->sh_offset + offset;
}

const char *object_section_name(const struct object *object, size_t section)
{
	return object_text(object, object->head->e_shstrndx, object->sections[section].sh_name);
}

const char *object_symbol_name(const struct object *object, const Elf64_Sym *symbol)
{
	for (size_t i = 0; i < object->n_sections; i++)
		if (object->sections[i].sh_type == SHT_SYMTAB)
			return object_text(object, object->sections[i].sh_link, symbol->st_name);
	return "?";
}

const void *object_content(const struct object *object, size_t section)
{
	const Elf64_Shdr *s = &object->sections[section];

	return s->sh_type == SHT_NOBITS || s->sh_type == SHT_NULL ? NULL : object->bytes + s->sh_offset;
}
