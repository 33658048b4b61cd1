// SPDX-License-Identifier: GPL-2.0-only
/* Entries of the local descriptor table (modify_ldt(2)), and a segment register that uses one. */
#include <asm/ldt.h>

#include "subject.h"

SUBJECT()

#define SELECTOR(entry) ((entry) << 3 | 4 | 3)

static uint32_t *memory;

static void set_entry(unsigned number, unsigned base, unsigned limit)
{
	struct user_desc entry = {
		.entry_number = number, .base_addr = base, .limit = limit, .seg_32bit = 1, .useable = 1
	};

	must((int)syscall(SYS_modify_ldt, 0x11, &entry, sizeof(entry)));
}

int main(void)
{
	uint8_t before[LDT_ENTRY_SIZE * 64] = { 0 }, after[sizeof(before)] = { 0 };
	struct user_desc code = {
		.entry_number = 40, .limit = 0xfffff, .seg_32bit = 1, .contents = 2, .limit_in_pages = 1
	};
	uint16_t selector;
	uint32_t value;

	if ((int)syscall(SYS_modify_ldt, 0, before, sizeof(before)) < 0)
		skip("this kernel has no modify_ldt");
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(memory != MAP_FAILED);
	*memory = 4711;
	set_entry(2, (unsigned)(uintptr_t)memory, 4095);
	set_entry(7, 0x12345678, 0x123);
	must((int)syscall(SYS_modify_ldt, 0x11, &code, sizeof(code)));
	must((int)syscall(SYS_modify_ldt, 0, before, sizeof(before)));
	CHECK(before[2 * LDT_ENTRY_SIZE]);
	selector = SELECTOR(2);
	__asm__ volatile("mov %0, %%gs" : : "r"(selector));

	checkpoint();

	CHECK((int)syscall(SYS_modify_ldt, 0, after, sizeof(after)) > 0);
	CHECK(!memcmp(before, after, sizeof(before)));
	__asm__ volatile("mov %%gs, %0" : "=r"(selector));
	CHECK_EQUAL(selector, SELECTOR(2));
	__asm__ volatile("movl %%gs:0, %0" : "=r"(value));
	CHECK_EQUAL(value, 4711u);
	return 0;
}
