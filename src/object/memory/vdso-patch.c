/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program keeps the addresses of the functions of the vdso that it was started with. On another kernel that vdso is
 * plain memory; each of its functions becomes a jump to the function of the same name in the vdso of this kernel.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch_vdso.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/memory/vdso.h"

/* The dynamic symbols of a vdso image; all offsets are checked against its size. */
struct symbols {
	const uint8_t *image;
	size_t size;
	uint64_t base; /* lowest virtual address */
	const Elf64_Sym *symbols;
	size_t n;
	const char *names;
	size_t names_size;
};

static const void *image_part(const uint8_t *image, size_t size, uint64_t offset, uint64_t length)
{
	return offset <= size && length <= size - offset ? image + offset : NULL;
}

static int find_dynamic(struct symbols *s, const Elf64_Dyn **ret, size_t *ret_n)
{
	const Elf64_Ehdr *header = image_part(s->image, s->size, 0, sizeof(*header));
	const Elf64_Phdr *programs;

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return -EINVAL;
	programs = image_part(s->image, s->size, header->e_phoff, header->e_phnum * sizeof(*programs));
	if (!programs)
		return -EINVAL;
	*ret = NULL;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (programs[i].p_type == PT_LOAD)
			s->base = programs[i].p_vaddr - programs[i].p_offset;
		if (programs[i].p_type == PT_DYNAMIC) {
			*ret = image_part(s->image, s->size, programs[i].p_offset, programs[i].p_filesz);
			*ret_n = programs[i].p_filesz / sizeof(**ret);
		}
	}
	return *ret ? 0 : -EINVAL;
}

/* The number of symbols stands in no dynamic entry; the table ends where its strings begin, in every vdso that was ever
 * linked. */
static int read_symbols(const uint8_t *image, size_t size, struct symbols *s)
{
	const Elf64_Dyn *dynamic;
	uint64_t table = 0, names = 0;
	size_t n;

	*s = (struct symbols){ .image = image, .size = size };
	TRY(find_dynamic(s, &dynamic, &n));
	for (size_t i = 0; i < n; i++) {
		if (dynamic[i].d_tag == DT_SYMTAB)
			table = dynamic[i].d_un.d_ptr - s->base;
		if (dynamic[i].d_tag == DT_STRTAB)
			names = dynamic[i].d_un.d_ptr - s->base;
		if (dynamic[i].d_tag == DT_STRSZ)
			s->names_size = dynamic[i].d_un.d_val;
	}
	s->names = image_part(image, size, names, s->names_size);
	if (!table || !names || names < table || !s->names || !s->names_size || s->names[s->names_size - 1])
		return -EINVAL;
	s->n = (names - table) / sizeof(Elf64_Sym);
	s->symbols = image_part(image, size, table, s->n * sizeof(Elf64_Sym));
	return s->symbols ? 0 : -EINVAL;
}

static const char *name_of(const struct symbols *s, const Elf64_Sym *symbol)
{
	if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_name >= s->names_size ||
	    symbol->st_shndx == SHN_UNDEF)
		return NULL;
	return s->names + symbol->st_name;
}

static const Elf64_Sym *find_symbol(const struct symbols *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *other = name_of(s, &s->symbols[i]);

		if (other && strcmp(other, name) == 0)
			return &s->symbols[i];
	}
	return NULL;
}

int vdso_patch(uint8_t *image, size_t size, const uint8_t *own, size_t own_size, uint64_t own_address)
{
	struct symbols theirs, ours;

	if (read_symbols(image, size, &theirs) < 0)
		return refuse(EINVAL, "the vdso in the images is garbled: they are damaged");
	if (read_symbols(own, own_size, &ours) < 0)
		return refuse(EOPNOTSUPP, "criu does not understand the vdso of this kernel");
	for (size_t i = 0; i < theirs.n; i++) {
		const char *name = name_of(&theirs, &theirs.symbols[i]);
		uint64_t at = theirs.symbols[i].st_value - theirs.base;
		const Elf64_Sym *target;

		if (!name)
			continue;
		if (at > size || size - at < ARCH_JUMP_SIZE)
			return refuse(EINVAL,
				      "function %s of the vdso in the images lies outside of it: they are damaged",
				      name);
		target = find_symbol(&ours, name);
		log_debug("vdso: %s %s", name, target ? "leads to this kernel's" : "is not there in this kernel");
		if (target)
			arch_write_jump(image + at, own_address + target->st_value - ours.base);
		else
			arch_write_no_syscall(image + at);
	}
	return 0;
}
