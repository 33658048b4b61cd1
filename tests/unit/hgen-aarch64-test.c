// SPDX-License-Identifier: GPL-2.0-only
/* Relocations of aarch64 parasites, on every CPU: instructions as the assembler and the linker make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "lib/compel/tool/tool.h"

#define SIZE 0x3000

static struct blob blob;

static void drop_blob(void)
{
	buffer_done(&blob.bytes);
	vector_done(&blob.relocs);
}

static void make_blob(uint32_t code, uint64_t place)
{
	drop_blob();
	blob = (struct blob){ .got = SIZE };
	buffer_extend(&blob.bytes, SIZE);
	memset(blob.bytes.data, 0, SIZE);
	memcpy(blob.bytes.data + place, &code, sizeof(code));
}

static uint32_t code_at(uint64_t place)
{
	uint32_t code;

	memcpy(&code, blob.bytes.data + place, sizeof(code));
	return code;
}

static int relocate(uint32_t type, uint64_t place, uint64_t value, int64_t addend)
{
	const struct symbol_value symbol = { .value = value, .name = "it" };

	return hgen_arch_relocate(&blob, "a file", type, place, addend, &symbol);
}

static void test_instructions(void **state)
{
	static const struct {
		uint32_t type, code;
		uint64_t place, value;
		int64_t addend;
		uint32_t wanted;
	} cases[] = {
		{ R_AARCH64_CALL26, 0x94000000, 0x100, 0x80, 0, 0x97ffffe0 },		     /* bl -128 */
		{ R_AARCH64_JUMP26, 0x14000000, 0x100, 0x200, 8, 0x14000042 },		     /* b +264 */
		{ R_AARCH64_CONDBR19, 0x54000001, 0x100, 0xf8, 0, 0x54ffffc1 },		     /* b.ne -8 */
		{ R_AARCH64_TSTBR14, 0x37000000, 0x100, 0x110, 0, 0x37000080 },		     /* tbnz w0, #0, +16 */
		{ R_AARCH64_ADR_PREL_LO21, 0x10000000, 0x100, 0x103, 0, 0x70000000 },	     /* adr x0, +3 */
		{ R_AARCH64_LD_PREL_LO19, 0x58000000, 0x100, 0x108, 0, 0x58000040 },	     /* ldr x0, +8 */
		{ R_AARCH64_ADR_PREL_PG_HI21, 0x90000000, 0xffc, 0x2008, 0, 0xd0000000 },    /* adrp x0, +2 pages */
		{ R_AARCH64_ADR_PREL_PG_HI21, 0x90000000, 0x2000, 0xff8, 0, 0xd0ffffe0 },    /* adrp x0, -2 pages */
		{ R_AARCH64_ADD_ABS_LO12_NC, 0x91000000, 0x100, 0x2008, 1, 0x91002400 },     /* add x0, x0, #9 */
		{ R_AARCH64_LDST8_ABS_LO12_NC, 0x39400000, 0x100, 0x2fff, 0, 0x397ffc00 },   /* ldrb w0, [x0, #4095] */
		{ R_AARCH64_LDST16_ABS_LO12_NC, 0x79400000, 0x100, 0x2002, 0, 0x79400400 },  /* ldrh w0, [x0, #2] */
		{ R_AARCH64_LDST32_ABS_LO12_NC, 0xb9400000, 0x100, 0x2010, 0, 0xb9401000 },  /* ldr w0, [x0, #16] */
		{ R_AARCH64_LDST64_ABS_LO12_NC, 0xf9400000, 0x100, 0x2010, 0, 0xf9400800 },  /* ldr x0, [x0, #16] */
		{ R_AARCH64_LDST128_ABS_LO12_NC, 0x3dc00000, 0x100, 0x2010, 0, 0x3dc00400 }, /* ldr q0, [x0, #16] */
		{ R_AARCH64_PREL32, 0, 0x100, 0x40, 4, 0xffffff44 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_blob(cases[i].code, cases[i].place);
		assert_int_equal(relocate(cases[i].type, cases[i].place, cases[i].value, cases[i].addend), 0);
		assert_int_equal(code_at(cases[i].place), cases[i].wanted);
		assert_int_equal(blob.relocs.n, 0);
	}
}

/* One slot for each symbol, behind all else, and an address in it. */
static void test_got(void **state)
{
	make_blob(0x90000000, 0);
	assert_int_equal(relocate(R_AARCH64_ADR_GOT_PAGE, 0, 0x40, 0), 0);
	assert_int_equal(code_at(0), 0xf0000000); /* adrp x0, +3 pages */
	assert_int_equal(blob.bytes.size, SIZE + 8);
	memcpy(blob.bytes.data + 4, (uint32_t[]){ 0xf9400000 }, 4);
	assert_int_equal(relocate(R_AARCH64_LD64_GOT_LO12_NC, 4, 0x40, 0), 0);
	assert_int_equal(code_at(4), 0xf9400000);
	assert_int_equal(blob.relocs.n, 1);
	memcpy(blob.bytes.data + 8, (uint32_t[]){ 0xf9400000 }, 4);
	assert_int_equal(relocate(R_AARCH64_LD64_GOTPAGE_LO15, 8, 0x48, 0), 0);
	assert_int_equal(code_at(8), 0xf9400400); /* ldr x0, [x0, #8] */
	assert_int_equal(blob.bytes.size, SIZE + 16);
	assert_int_equal(blob.relocs.n, 2);
	assert_int_equal(blob.relocs.items[1].offset, SIZE + 8);
	assert_int_equal(blob.relocs.items[1].value, 0x48);
	assert_int_equal(blob.relocs.items[1].type, COMPEL_TYPE_LONG);
}

static void test_addresses(void **state)
{
	const struct symbol_value absolute = { .value = 0x1234, .absolute = true, .name = "it" };

	make_blob(0, 0);
	assert_int_equal(relocate(R_AARCH64_ABS64, 8, 0x40, 3), 0);
	assert_int_equal(blob.relocs.n, 1);
	assert_int_equal(blob.relocs.items[0].addend, 3);
	assert_int_equal(hgen_arch_relocate(&blob, "a file", R_AARCH64_ABS64, 16, 1, &absolute), 0);
	assert_int_equal(code_at(16), 0x1235);
	assert_int_equal(blob.relocs.n, 1);
	assert_int_equal(hgen_arch_relocate(&blob, "a file", R_AARCH64_CALL26, 0, 0, &absolute), -EOPNOTSUPP);
}

static void test_refused(void **state)
{
	make_blob(0, 0);
	assert_int_equal(relocate(R_AARCH64_CALL26, SIZE - 2, 0x40, 0), -EINVAL);
	assert_int_equal(relocate(R_AARCH64_CALL26, 0, 0x42, 0), -EINVAL);
	assert_int_equal(relocate(R_AARCH64_LDST64_ABS_LO12_NC, 0, 0x44, 0), -EINVAL);
	assert_int_equal(relocate(R_AARCH64_TSTBR14, 0, 0x8000, 0), -ERANGE);
	assert_int_equal(relocate(R_AARCH64_CALL26, 0, 1ull << 27, 0), -ERANGE);
	assert_int_equal(relocate(R_AARCH64_ADR_PREL_LO21, 0, 1ull << 20, 0), -ERANGE);
	assert_int_equal(relocate(R_AARCH64_PREL32, 0, 1ull << 40, 0), -ERANGE);
	assert_int_equal(relocate(R_AARCH64_ABS32, 0, 0x40, 0), -EOPNOTSUPP);
	assert_int_equal(relocate(R_AARCH64_MOVW_UABS_G0, 0, 0x40, 0), -EOPNOTSUPP);
	assert_int_equal(code_at(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_got),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_refused),
	};
	int failed;

	log_open("/dev/null"); /* refusals */
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	drop_blob();
	return failed;
}
