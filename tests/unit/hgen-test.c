/* SPDX-License-Identifier: GPL-2.0-only */
/* compel hgen: relocations of parasites by hand-made ELF files, and files that somebody has damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <compel/infect.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "lib/compel/tool/tool.h"

enum section { NONE, TEXT, RELA_TEXT, DATA, BSS, EH_FRAME, RELA_EH_FRAME, SYMTAB, STRTAB, SECTIONS };
enum symbol { UNDEF, IN_TEXT, IN_DATA, IN_BSS, HEAD, CMD, ARGS, MISSING, ABSOLUTE, IN_EH_FRAME, SYMBOLS };

static const char strings[] =
	"\0.text\0.rela.text\0.data\0.bss\0.eh_frame\0.rela.eh_frame\0.symtab\0.strtab\0in_text\0in_data\0in_bss\0"
	"__export_parasite_head_start\0__export_parasite_service_cmd\0__export_parasite_service_args_"
	"ptr\0missing\0absolute\0";

#define RELAS 4

/* A whole file. */
struct file {
	Elf64_Ehdr head;
	Elf64_Shdr sections[SECTIONS];
	Elf64_Sym symbols[SYMBOLS];
	Elf64_Rela relas[RELAS];
	uint8_t text[64], data[32], eh_frame[16];
	char strings[sizeof(strings)];
};

static uint32_t text_of(const char *text)
{
	const char *found = memmem(strings, sizeof(strings), text, strlen(text) + 1);

	assert_non_null(found);
	return (uint32_t)(found - strings);
}

#define SECTION(file, index, name, type, flags, member, align) \
	set_section(file, index, name, type, flags, offsetof(struct file, member), sizeof((file)->member), align)

static void set_section(struct file *file, enum section i, const char *name, uint32_t type, uint64_t flags,
			uint64_t offset, uint64_t size, uint64_t align)
{
	file->sections[i] = (Elf64_Shdr){
		.sh_name = text_of(name),
		.sh_type = type,
		.sh_flags = flags,
		.sh_offset = offset,
		.sh_size = size,
		.sh_addralign = align,
	};
}

static void set_symbol(struct file *file, enum symbol i, const char *name, uint16_t section, uint64_t value)
{
	file->symbols[i] = (Elf64_Sym){ .st_name = text_of(name), .st_shndx = section, .st_value = value };
}

static void set_rela(struct file *file, int i, uint64_t offset, enum symbol symbol, uint32_t type, int64_t addend)
{
	file->relas[i] =
		(Elf64_Rela){ .r_offset = offset, .r_info = ELF64_R_INFO((uint64_t)symbol, type), .r_addend = addend };
}

/* Text of 64 bytes at 0, data of 32 at 64, 24 bytes of bss at 96. */
static void make_file(struct file *file)
{
	memset(file, 0, sizeof(*file));
	memcpy(file->head.e_ident, ELFMAG, SELFMAG);
	file->head.e_ident[EI_CLASS] = ELFCLASS64;
	file->head.e_ident[EI_DATA] = ELFDATA2LSB;
	file->head.e_type = ET_REL;
	file->head.e_machine = EM_X86_64;
	file->head.e_shoff = offsetof(struct file, sections);
	file->head.e_shentsize = sizeof(Elf64_Shdr);
	file->head.e_shnum = SECTIONS;
	file->head.e_shstrndx = STRTAB;
	memcpy(file->strings, strings, sizeof(strings));
	memset(file->text, 0x90, sizeof(file->text));
	memset(file->data, 0x11, sizeof(file->data));
	SECTION(file, TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, text, 16);
	SECTION(file, RELA_TEXT, ".rela.text", SHT_RELA, 0, relas, 8);
	SECTION(file, DATA, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, data, 32);
	SECTION(file, BSS, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, data, 8);
	SECTION(file, EH_FRAME, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, eh_frame, 8);
	SECTION(file, RELA_EH_FRAME, ".rela.eh_frame", SHT_RELA, 0, relas, 8);
	SECTION(file, SYMTAB, ".symtab", SHT_SYMTAB, 0, symbols, 8);
	SECTION(file, STRTAB, ".strtab", SHT_STRTAB, 0, strings, 1);
	file->sections[BSS].sh_size = 24;
	file->sections[BSS].sh_offset = 1ull << 40; /* means nothing */
	file->sections[RELA_TEXT].sh_info = TEXT;
	file->sections[RELA_EH_FRAME].sh_info = EH_FRAME;
	file->sections[RELA_TEXT].sh_entsize = file->sections[RELA_EH_FRAME].sh_entsize = sizeof(Elf64_Rela);
	file->sections[SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	file->sections[SYMTAB].sh_link = STRTAB;
	set_symbol(file, IN_TEXT, "in_text", TEXT, 4);
	set_symbol(file, IN_DATA, "in_data", DATA, 8);
	set_symbol(file, IN_BSS, "in_bss", BSS, 16);
	set_symbol(file, HEAD, "__export_parasite_head_start", TEXT, 32);
	set_symbol(file, CMD, "__export_parasite_service_cmd", DATA, 0);
	set_symbol(file, ARGS, "__export_parasite_service_args_ptr", BSS, 0);
	set_symbol(file, MISSING, "missing", SHN_UNDEF, 0);
	set_symbol(file, ABSOLUTE, "absolute", SHN_ABS, 0x1234);
	set_symbol(file, IN_EH_FRAME, ".eh_frame", EH_FRAME, 0);
}

/* Runs all of hgen but the writing of the file. */
static int make_header(const void *bytes, size_t size, struct blob *blob, struct buffer *text)
{
	AUTO(object_done) struct object object = { 0 };

	TRY(object_parse(&object, "p.po", bytes, size));
	TRY(blob_make(&object, blob));
	if (blob->bytes.size > 1 << 16) /* a damaged size: nothing to see in megabytes of zeros */
		return 0;
	return header_write(&object, blob, "p", text);
}

static int try(const struct file *file, const char *message)
{
	AUTO(blob_done) struct blob blob = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	int error;

	failure_reset();
	error = make_header(file, sizeof(*file), &blob, &text);
	if (!strstr(failure_text(), message))
		print_error("\"%s\" is not in \"%s\"\n", message, failure_text());
	assert_non_null(strstr(failure_text(), message));
	return error;
}

static uint64_t number_at(const void *at, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

static void test_layout(void **state)
{
	AUTO(blob_done) struct blob blob = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	struct file file;

	make_file(&file);
	assert_int_equal(make_header(&file, sizeof(file), &blob, &text), 0);
	assert_int_equal(blob.bytes.size, 64 + 32 + 24);
	assert_int_equal(blob.data, 64);
	assert_memory_equal(blob.bytes.data, file.text, 64);
	assert_memory_equal(blob.bytes.data + 64, file.data, 32);
	assert_int_equal(blob.bytes.data[96], 0);
	assert_int_equal(blob.relocs.n, 0);
	assert_non_null(strstr(text.data, "#define p_sym__export_parasite_head_start 0x20\n"));
	assert_non_null(strstr(text.data, "#define p_sym__export_parasite_service_cmd 0x40\n"));
	assert_non_null(strstr(text.data, "#define p_sym__export_parasite_service_args_ptr 0x60\n"));
	assert_non_null(strstr(text.data, "pbd->hdr.got_off = 0x78;\n"));
	assert_non_null(strstr(text.data, "pbd->hdr.args_off = 0x78;\n"));
	assert_non_null(strstr(text.data, "pbd->hdr.data_off = 0x40;\n"));
	assert_non_null(
		strstr(text.data, "static __attribute__((unused)) void p_setup_c_header(struct parasite_ctl *ctl)\n"));
}

static void test_relocations(void **state)
{
	AUTO(blob_done) struct blob blob = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	struct file file;

	make_file(&file);
	set_rela(&file, 0, 8, IN_DATA, R_X86_64_PC32, -4);
	set_rela(&file, 1, 16, IN_BSS, R_X86_64_64, 3);
	set_rela(&file, 2, 40, IN_TEXT, R_X86_64_REX_GOTPCRELX, -4);
	set_rela(&file, 3, 48, ABSOLUTE, R_X86_64_32S, 1);
	assert_int_equal(make_header(&file, sizeof(file), &blob, &text), 0);
	assert_int_equal(number_at(blob.bytes.data + 8, 4), 64 + 8 - 4 - 8);
	assert_int_equal(number_at(blob.bytes.data + 48, 4), 0x1235);
	assert_int_equal(blob.relocs.n, 2);
	assert_memory_equal(&blob.relocs.items[0], &((compel_reloc_t){ 16, COMPEL_TYPE_LONG, 3, 96 + 16 }),
			    sizeof(compel_reloc_t));
	assert_memory_equal(&blob.relocs.items[1], &((compel_reloc_t){ 40, COMPEL_TYPE_GOTPCREL, -4, 4 }),
			    sizeof(compel_reloc_t));
	assert_int_equal(blob.slots, 1);
	assert_non_null(strstr(text.data, "pbd->hdr.args_off = 0x80;\n"));
	assert_non_null(strstr(text.data, "pbd->hdr.nr_relocs = 2;\n"));
}

/* What the library makes of it when the blob gets its place. */
static void test_apply(void **state)
{
	AUTO(blob_done) struct blob blob = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	struct parasite_blob_desc desc = { .parasite_type = COMPEL_BLOB_CHEADER };
	unsigned char room[136] = { 0 };
	struct file file;

	make_file(&file);
	set_rela(&file, 1, 16, IN_BSS, R_X86_64_64, 3);
	set_rela(&file, 2, 40, IN_TEXT, R_X86_64_REX_GOTPCRELX, -4);
	set_rela(&file, 3, 48, IN_DATA, R_X86_64_GOTPCREL, -4);
	assert_int_equal(make_header(&file, sizeof(file), &blob, &text), 0);
	memcpy(room, blob.bytes.data, blob.bytes.size);
	desc.hdr.got_off = 120;
	desc.hdr.relocs = blob.relocs.items;
	desc.hdr.nr_relocs = (unsigned)blob.relocs.n;
	compel_relocs_apply(room, (void *)0x7f0000000000, &desc);
	assert_int_equal(number_at(room + 16, 8), 0x7f0000000000 + 96 + 16 + 3);
	assert_int_equal(number_at(room + 120, 8), 0x7f0000000000 + 4);
	assert_int_equal(number_at(room + 128, 8), 0x7f0000000000 + 64 + 8);
	assert_int_equal(number_at(room + 40, 4), 120 - 4 - 40);
	assert_int_equal(number_at(room + 48, 4), 128 - 4 - 48);
}

static void test_refused(void **state)
{
	struct file file;

	make_file(&file);
	set_rela(&file, 2, 0, MISSING, R_X86_64_PLT32, -4);
	assert_int_equal(try(&file, "missing is not defined"), -ENOENT);
	set_rela(&file, 2, 0, IN_DATA, R_X86_64_32S, 0);
	assert_int_equal(try(&file, "in_data is used by a 32-bit address"), -EOPNOTSUPP);
	set_rela(&file, 2, 0, IN_DATA, R_X86_64_TPOFF32, 0);
	assert_int_equal(try(&file, "relocation of type 23"), -EOPNOTSUPP);
	set_rela(&file, 2, 61, IN_DATA, R_X86_64_PC32, 0);
	assert_int_equal(try(&file, "relocation 2 of .text lies outside"), -EINVAL);
	set_rela(&file, 2, 60, IN_DATA, R_X86_64_PC32, 1ll << 33);
	assert_int_equal(try(&file, "reaches too far"), -ERANGE);
	set_rela(&file, 2, 0, IN_EH_FRAME, R_X86_64_PC32, 0);
	assert_int_equal(try(&file, "lies in .eh_frame"), -EOPNOTSUPP);
	set_rela(&file, 2, 0, SYMBOLS, R_X86_64_PC32, 0);
	assert_int_equal(try(&file, "names symbol 10, there are 10"), -EINVAL);
	make_file(&file);
	set_symbol(&file, HEAD, "missing", TEXT, 0);
	assert_int_equal(try(&file, "__export_parasite_head_start is missing"), -ENOENT);
	make_file(&file);
	file.sections[DATA].sh_flags |= SHF_TLS;
	assert_int_equal(try(&file, "thread-local"), -EOPNOTSUPP);
	make_file(&file);
	file.sections[BSS].sh_size = 1ull << 62;
	assert_int_equal(try(&file, "too big"), -EOPNOTSUPP);
	make_file(&file);
	file.sections[DATA].sh_addralign = 24;
	assert_int_equal(try(&file, "aligned to 24"), -EOPNOTSUPP);
}

static void test_other_files(void **state)
{
	struct file file;

	make_file(&file);
	file.head.e_type = ET_DYN;
	assert_int_equal(try(&file, "is not relocatable"), -EOPNOTSUPP);
	make_file(&file);
	file.head.e_machine = EM_386;
	assert_int_equal(try(&file, "another CPU"), -EOPNOTSUPP);
	make_file(&file);
	file.head.e_ident[0] = '#';
	assert_int_equal(try(&file, "is not an ELF file"), -EINVAL);
	make_file(&file);
	file.sections[SYMTAB].sh_type = SHT_PROGBITS;
	assert_int_equal(try(&file, "no symbol table"), -EINVAL);
	make_file(&file);
	file.head.e_shoff = sizeof(file) - 8;
	assert_int_equal(try(&file, "table of sections is damaged"), -EINVAL);
}

/* Every byte damaged in several ways, and every length: an answer and nothing else. In blocks of their own, so that
 * tools see what lies behind. */
static void test_damaged(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct file file;

	make_file(&file);
	set_rela(&file, 0, 8, IN_DATA, R_X86_64_PC32, -4);
	set_rela(&file, 1, 16, IN_BSS, R_X86_64_64, 3);
	set_rela(&file, 2, 40, IN_TEXT, R_X86_64_GOTPCREL, -4);
	for (size_t i = 0; i < sizeof(file) * (sizeof(values) + 1); i++) {
		size_t at = i / (sizeof(values) + 1), kind = i % (sizeof(values) + 1),
		       size = kind == sizeof(values) ? at : sizeof(file);
		AUTO(blob_done) struct blob blob = { 0 };
		AUTO(buffer_done) struct buffer text = { 0 };
		AUTO_FREE uint8_t *copy = malloc(size ? size : 1);
		int error;

		memcpy(copy, &file, size);
		if (kind < sizeof(values))
			copy[at] = values[kind];
		error = make_header(copy, size, &blob, &text);
		assert_true(error == 0 || error == -EINVAL || error == -EOPNOTSUPP || error == -ENOENT ||
			    error == -ERANGE);
		if (kind == sizeof(values) && at < sizeof(file.head))
			assert_int_equal(error, -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),	cmocka_unit_test(test_relocations), cmocka_unit_test(test_apply),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_other_files), cmocka_unit_test(test_damaged),
	};

	log_open("/dev/null"); /* thousands of refusals */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
