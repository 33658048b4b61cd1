/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buffer.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "golden.h"

#define USUAL (VMF(MR) | VMF(MW) | VMF(ME))

static const struct mapping *at(const struct mappings *mappings, uint64_t address)
{
	const struct mapping *mapping = mappings_find(mappings, address);

	assert_non_null(mapping);
	return mapping;
}

static void check_heads(const struct mappings *m)
{
	const struct mapping *file = at(m, 0x100010000), *gone = at(m, 0x100020000);

	assert_int_equal(m->n, 22);
	assert_true(m->items[0].start == 0x400000 && m->items[0].end == 0x41f000);
	assert_string_equal(m->items[0].name, "/usr/bin/python3.11");
	assert_ptr_equal(m->items[1].name, m->items[0].name);
	assert_int_equal(m->items[1].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(m->items[1].pgoff, 0x1f000);
	assert_true(m->items[1].dev == makedev(0xfe, 0) && m->items[1].inode == 247970);

	assert_true(file->shared && !file->deleted && file->pgoff == 0x3000);
	assert_int_equal(file->prot, PROT_READ);
	assert_string_equal(file->name, "/tmp/base-g/new\nline \\x (1)");
	assert_true(gone->deleted && !gone->shared);
	assert_string_equal(gone->name, "/tmp/base-g/gone");
	assert_string_equal(at(m, 0x100021000)->name, "/tmp/base-g/gone");
	assert_true(at(m, 0x100021000)->deleted);
	assert_null(at(m, 0x100030000)->name);
	assert_int_equal(at(m, 0x100030000)->prot, PROT_NONE);
	assert_string_equal(at(m, 0x100041fff)->name, "/dev/zero");
	assert_true(at(m, 0x100041fff)->shared && at(m, 0x100041fff)->deleted);
	assert_true(at(m, 0x7fa20fcba000)->end == 0x7fa20fcbe000);
	assert_string_equal(at(m, 0xffffffffff600000)->name, "[vsyscall]");
	assert_null(mappings_find(m, 0));
	assert_null(mappings_find(m, 0x100004000));
	assert_null(mappings_find(m, UINT64_MAX));
}

static void test_maps(void **state)
{
	struct mappings m = { 0 };
	size_t size;
	char *text = read_golden("proc/maps", &size);

	assert_int_equal(mappings_parse(&m, text, size), size);
	check_heads(&m);
	assert_int_equal(m.items[0].vm_flags, 0);
	mappings_done(&m);
	free(text);
}

static void test_smaps(void **state)
{
	struct mappings m = { 0 };
	size_t size;
	char *text = read_golden("proc/smaps", &size);

	assert_int_equal(mappings_parse(&m, text, size), size);
	check_heads(&m);
	assert_true(at(&m, 0x100000000)->vm_flags == (USUAL | VMF(RD) | VMF(WR) | VMF(LO) | VMF(DC) | VMF(AC)));
	assert_int_equal(at(&m, 0x100000000)->locked_kb, 16);
	assert_int_equal(at(&m, 0x100000000)->anonymous_kb, 16);
	assert_int_equal(at(&m, 0x100000000)->kernel_page_size, 4096);
	assert_true(at(&m, 0x100040000)->vm_flags & VMF(DD));
	assert_true(at(&m, 0x100060000)->vm_flags & VMF(GD));
	assert_true((at(&m, 0x100080000)->vm_flags & (VMF(WF) | VMF(NH) | VMF(MG))) == (VMF(WF) | VMF(NH) | VMF(MG)));
	assert_true(at(&m, 0x100090000)->vm_flags & VMF(GU));
	assert_true((at(&m, 0x1000a0000)->vm_flags & (VMF(UM) | VMF(UW))) == (VMF(UM) | VMF(UW)));
	assert_true(at(&m, 0x100200000)->vm_flags & VMF(HG));
	assert_int_equal(at(&m, 0x100200000)->anon_huge_kb, 2048);
	assert_int_equal(at(&m, 0x100200000)->rss_kb, 2048);
	assert_true(at(&m, 0x100800000)->vm_flags & VMF(HT));
	assert_int_equal(at(&m, 0x100800000)->kernel_page_size, 2 << 20);
	assert_true(at(&m, 0xffffffffff600000)->vm_flags == VMF(EX));
	mappings_done(&m);
	free(text);
}

/* Whatever the size of the pieces in which the text comes. */
static void test_pieces(void **state)
{
	size_t size;
	char *text = read_golden("proc/smaps", &size);

	for (size_t piece = 100; piece < 5000; piece += 611) {
		struct mappings m = { 0 };
		size_t done = 0, end = 0;

		while (done < size) {
			ssize_t used;

			end = end + piece < size ? end + piece : size;
			used = mappings_parse(&m, text + done, end - done);
			assert_true(used >= 0);
			done += (size_t)used;
		}
		check_heads(&m);
		mappings_done(&m);
	}
	free(text);
}

static void test_unknown_flags_and_keys(void **state)
{
	static const char text[] = "1000-2000 rw-p 00000000 00:00 0 \nNewKey: 12 kB\nProtectionKey:         3\n"
				   "Swap:      8 kB\nVmFlags: rd zz 99 wr\n";
	struct mappings m = { 0 };

	assert_int_equal(mappings_parse(&m, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(m.n, 1);
	assert_true(m.items[0].vm_flags == (VMF(RD) | VMF(WR) | VMF_UNKNOWN));
	assert_int_equal(m.items[0].pkey, 3);
	assert_int_equal(m.items[0].swap_kb, 8);
	mappings_done(&m);
}

static void test_broken_texts(void **state)
{
	static const char *const texts[] = {
		"Size: 8 kB\n",
		"1000-2000\n",
		"1000-2000 rw-p\n",
		"2000-1000 rw-p 00000000 00:00 0 \n",
		"1000-2000 rw-p 00000000 00:00 x\n",
		"11111111111111111-2000 rw-p 00000000 00:00 0\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mappings m = { 0 };

		assert_int_equal(mappings_parse(&m, texts[i], strlen(texts[i])), -EINVAL);
		mappings_done(&m);
	}
}

/* The real thing: neighbours of many kinds, more text than one read takes. */
static void test_own_process(void **state)
{
	enum { N = 2000 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *area = mmap(NULL, N * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int proc = proc_open(getpid());
	struct mappings m;

	assert_true(area != MAP_FAILED && proc >= 0);
	for (size_t i = 0; i < N; i += 2)
		assert_int_equal(mprotect(area + i * page, page, PROT_READ | PROT_WRITE), 0);
	for (int mode = MAPPINGS_PLAIN; mode <= MAPPINGS_FULL; mode++) {
		assert_int_equal(mappings_read(proc, (enum mappings_mode)mode, &m), 0);
		for (size_t i = 0; i < N; i++) {
			const struct mapping *mapping = at(&m, (uintptr_t)area + i * page);

			assert_int_equal(mapping->prot, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
			assert_int_equal(!!(mapping->vm_flags & VMF(WR)), mode == MAPPINGS_FULL && i % 2 == 0);
		}
		mappings_done(&m);
	}
	munmap(area, N * page);
	close(proc);
	assert_int_equal(mappings_read(-1, MAPPINGS_PLAIN, &m), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),	     cmocka_unit_test(test_smaps),
		cmocka_unit_test(test_pieces),	     cmocka_unit_test(test_unknown_flags_and_keys),
		cmocka_unit_test(test_broken_texts), cmocka_unit_test(test_own_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
