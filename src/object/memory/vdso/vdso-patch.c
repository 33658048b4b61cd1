/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program keeps the addresses of the functions of the vdso that it was started with. On another kernel that vdso is
 * plain memory; each of its functions becomes a jump to the function of the same name in the vdso of this kernel.
 */
#include "object/memory/vdso/vdso-patch.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch_vdso.h"
#include "base/fail.h"
#include "base/log.h"

/* The dynamic symbols of a vdso image; all offsets are checked against its size. */
struct symbols {
	const uint8_t *image;
	size_t size;
	bool is_32;    /* of 32-bit programs */
	uint64_t base; /* lowest virtual address */
	const void *table;
	size_t n;
	const char *names;
	size_t names_size;
};

static const void *image_part(const struct symbols *s, uint64_t offset, uint64_t length)
{
	return offset <= s->size && length <= s->size - offset ? s->image + offset : NULL;
}

/* --- ELF of both classes, in the words of the larger one --- */

static size_t size_of(const struct symbols *s, size_t size_32, size_t size_64)
{
	return s->is_32 ? size_32 : size_64;
}

static int read_header(struct symbols *s, Elf64_Ehdr *ret)
{
	const Elf64_Ehdr *header = image_part(s, 0, sizeof(*header));
	const Elf32_Ehdr *short_header = (const void *)header;

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return -EINVAL;
	s->is_32 = header->e_ident[EI_CLASS] == ELFCLASS32;
	if (s->is_32)
		*ret = (Elf64_Ehdr){ .e_phoff = short_header->e_phoff, .e_phnum = short_header->e_phnum };
	else
		*ret = *header;
	return 0;
}

static Elf64_Phdr program_at(const struct symbols *s, const void *table, size_t i)
{
	const Elf32_Phdr *p = (const Elf32_Phdr *)table + i;

	if (!s->is_32)
		return ((const Elf64_Phdr *)table)[i];
	return (Elf64_Phdr){
		.p_type = p->p_type, .p_offset = p->p_offset, .p_vaddr = p->p_vaddr, .p_filesz = p->p_filesz
	};
}

static Elf64_Dyn dynamic_at(const struct symbols *s, const void *table, size_t i)
{
	const Elf32_Dyn *d = (const Elf32_Dyn *)table + i;

	if (!s->is_32)
		return ((const Elf64_Dyn *)table)[i];
	return (Elf64_Dyn){ .d_tag = d->d_tag, .d_un.d_val = d->d_un.d_val };
}

static Elf64_Sym symbol_at(const struct symbols *s, size_t i)
{
	const Elf32_Sym *symbol = (const Elf32_Sym *)s->table + i;

	if (!s->is_32)
		return ((const Elf64_Sym *)s->table)[i];
	return (Elf64_Sym){
		.st_name = symbol->st_name,
		.st_info = symbol->st_info,
		.st_shndx = symbol->st_shndx,
		.st_value = symbol->st_value,
	};
}

/* --- */

static int find_dynamic(struct symbols *s, const void **ret, size_t *ret_n)
{
	Elf64_Ehdr header;
	const void *programs;

	TRY(read_header(s, &header));
	programs = image_part(s, header.e_phoff, header.e_phnum * size_of(s, sizeof(Elf32_Phdr), sizeof(Elf64_Phdr)));
	if (!programs)
		return -EINVAL;
	*ret = NULL;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr program = program_at(s, programs, i);

		if (program.p_type == PT_LOAD)
			s->base = program.p_vaddr - program.p_offset;
		if (program.p_type == PT_DYNAMIC) {
			*ret = image_part(s, program.p_offset, program.p_filesz);
			*ret_n = program.p_filesz / size_of(s, sizeof(Elf32_Dyn), sizeof(Elf64_Dyn));
		}
	}
	return *ret ? 0 : -EINVAL;
}

/* The number of symbols stands in no dynamic entry; the table ends where its strings begin, in every vdso that was ever
 * linked. */
static int read_symbols(const uint8_t *image, size_t size, struct symbols *s)
{
	const void *dynamic;
	uint64_t table = 0, names = 0;
	size_t n, entry;

	*s = (struct symbols){ .image = image, .size = size };
	TRY(find_dynamic(s, &dynamic, &n));
	for (size_t i = 0; i < n; i++) {
		Elf64_Dyn item = dynamic_at(s, dynamic, i);

		if (item.d_tag == DT_SYMTAB)
			table = item.d_un.d_ptr - s->base;
		if (item.d_tag == DT_STRTAB)
			names = item.d_un.d_ptr - s->base;
		if (item.d_tag == DT_STRSZ)
			s->names_size = item.d_un.d_val;
	}
	s->names = image_part(s, names, s->names_size);
	if (!table || !names || names < table || !s->names || !s->names_size || s->names[s->names_size - 1])
		return -EINVAL;
	entry = size_of(s, sizeof(Elf32_Sym), sizeof(Elf64_Sym));
	s->n = (names - table) / entry;
	s->table = image_part(s, table, s->n * entry);
	return s->table ? 0 : -EINVAL;
}

/* NULL: it is no function of its own. */
static const char *name_of(const struct symbols *s, const Elf64_Sym *symbol)
{
	if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_name >= s->names_size ||
	    symbol->st_shndx == SHN_UNDEF)
		return NULL;
	return s->names + symbol->st_name;
}

/* Its address from the beginning of the image; -1: there is none. */
static int64_t find_function(const struct symbols *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		Elf64_Sym symbol = symbol_at(s, i);
		const char *other = name_of(s, &symbol);

		if (other && strcmp(other, name) == 0)
			return (int64_t)(symbol.st_value - s->base);
	}
	return -1;
}

static void write_jump(bool is_32, uint8_t *code, uint64_t from, uint64_t to)
{
	if (is_32)
		arch_write_compat_jump(code, from, to);
	else
		arch_write_jump(code, to);
}

int vdso_patch(uint8_t *image, size_t size, uint64_t address, const uint8_t *own, size_t own_size, uint64_t own_address)
{
	struct symbols theirs, ours;

	if (read_symbols(image, size, &theirs) < 0)
		return refuse(EINVAL, "the vdso in the images is garbled: they are damaged");
	if (read_symbols(own, own_size, &ours) < 0 || ours.is_32 != theirs.is_32)
		return refuse(EOPNOTSUPP, "criu does not understand the vdso of this kernel");
	for (size_t i = 0; i < theirs.n; i++) {
		Elf64_Sym symbol = symbol_at(&theirs, i);
		const char *name = name_of(&theirs, &symbol);
		uint64_t at = symbol.st_value - theirs.base;
		int64_t target;

		if (!name || arch_vdso_function_stays(name))
			continue;
		if (at > size || size - at < (theirs.is_32 ? ARCH_COMPAT_JUMP_SIZE : ARCH_JUMP_SIZE))
			return refuse(EINVAL,
				      "function %s of the vdso in the images lies outside of it: they are damaged",
				      name);
		target = find_function(&ours, name);
		log_debug("vdso: %s %s", name, target >= 0 ? "leads to this kernel's" : "is not there in this kernel");
		if (target >= 0)
			write_jump(theirs.is_32, image + at, address + at, own_address + (uint64_t)target);
		else if (theirs.is_32)
			arch_write_compat_no_syscall(image + at);
		else
			arch_write_no_syscall(image + at);
	}
	return 0;
}
