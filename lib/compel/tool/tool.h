/* SPDX-License-Identifier: LGPL-2.1-only */
/* Inside of the tool compel. */
#pragma once

#include <compel/handle-elf.h>
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/vector.h"

/* A relocatable ELF file in memory, whose tables were checked to lie within it. */
struct object {
	const char *path;
	const uint8_t *bytes;
	size_t size;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *sections;
	size_t n_sections;
	const Elf64_Sym *symbols;
	size_t n_symbols;
	uint64_t *places; /* of each section in the blob, NOWHERE = not in it; malloc'ed */
};

#define NOWHERE (~0ull)

/* All of these fail() with the file's name; -EINVAL for a damaged file, -EOPNOTSUPP for one that cannot be made a
 * parasite. */
int object_parse(struct object *object, const char *path, const void *bytes, size_t size);
void object_done(struct object *object);
/* A text of a string table; "?" if the offset or the table is bad. */
const char *object_text(const struct object *object, size_t table, uint32_t offset);
const char *object_section_name(const struct object *object, size_t section);
const char *object_symbol_name(const struct object *object, const Elf64_Sym *symbol);
/* The content of a section, NULL if it has none in the file. */
const void *object_content(const struct object *object, size_t section);

/* The blob that is made of it. */
struct blob {
	struct buffer bytes;
	VECTOR(compel_reloc_t) relocs;
	size_t slots;  /* of the GOT behind the bytes */
	uint64_t got;  /* where a GOT begins that is a part of the bytes, if the CPU's instructions want that */
	uint64_t data; /* offset of .data */
};

int blob_make(struct object *object, struct blob *blob);
void blob_done(struct blob *blob);
/* Offset of an exported symbol, or -ENOENT, not logged. */
int64_t blob_find_symbol(const struct object *object, const char *name);

/* The header: text that a C or C++ program includes. */
int header_write(const struct object *object, const struct blob *blob, const char *prefix, struct buffer *out);

/* A symbol's value in the blob; absolute ones do not move with it. */
struct symbol_value {
	uint64_t value;
	bool absolute;
	const char *name;
};

/* By the arch: e_machine, flags that its compilers need (each with a blank in front), and one relocation at offset
 * place of the blob. */
extern const uint16_t hgen_arch_machine;
extern const char hgen_arch_cflags[];
int hgen_arch_relocate(struct blob *blob, const char *path, uint32_t type, uint64_t place, int64_t addend,
		       const struct symbol_value *symbol);
