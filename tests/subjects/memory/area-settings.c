// SPDX-License-Identifier: GPL-2.0-only
/* Areas keep their memory policies (mbind(2)), their names (PR_SET_VMA_ANON_NAME) and their seals (mseal(2)), also
 * where a child has inherited others. */
#include <linux/mempolicy.h>
#include <sys/prctl.h>

#include "subject.h"

SUBJECT()

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef __NR_mseal
#define __NR_mseal 462
#endif

#define PAGE (size_t) getpagesize()
#define AREA (4 * PAGE)

static uint8_t *private, *shared, *sealed;
static bool numa, names, seals;

static int mode_of(const void *at)
{
	unsigned long nodes[16] = { 0 };
	int mode = -1;

	CHECK_EQUAL(syscall(SYS_get_mempolicy, &mode, nodes, 1024, at, MPOL_F_ADDR), 0);
	if (mode == MPOL_BIND || mode == MPOL_INTERLEAVE)
		CHECK_EQUAL(nodes[0], 1);
	return mode;
}

static bool has_name(const uint8_t *at, const char *name)
{
	char line[400], start[40];
	FILE *file = fopen("/proc/self/maps", "re");
	bool found = false;

	CHECK(file);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)at);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, start) == line)
			found = strstr(line, name);
	fclose(file);
	return found;
}

static void name_area(void *at, size_t size, const char *name)
{
	names = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, size, name) == 0 && (!name || has_name(at, name));
}

static void set_policy(void *at, int mode)
{
	unsigned long nodes = 1;

	numa = syscall(SYS_mbind, at, PAGE, mode, &nodes, 64, 0) == 0;
}

static int child(void *arg)
{
	name_area(private + PAGE, PAGE, NULL); /* which the parent has */
	set_policy(private + PAGE, MPOL_DEFAULT);
	wait_for_restore();
	if (names)
		CHECK(!has_name(private + PAGE, "second"));
	if (numa)
		CHECK_EQUAL(mode_of(private + PAGE), MPOL_DEFAULT);
	check_filled(private, AREA, 1);
	return 0;
}

int main(void)
{
	const int flags = MAP_ANONYMOUS | MAP_NORESERVE;
	pid_t pid;

	private = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, -1, 0);
	shared = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | flags, -1, 0);
	sealed = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, -1, 0);
	CHECK(private != MAP_FAILED && shared != MAP_FAILED && sealed != MAP_FAILED);
	fill(private, AREA, 1);
	fill(shared, AREA, 2);
	fill(sealed, AREA, 3);
	set_policy(private + PAGE, MPOL_BIND);
	set_policy(private + 3 * PAGE, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES);
	set_policy(shared + PAGE, MPOL_PREFERRED);
	name_area(private, PAGE, "first one (a-b)");
	name_area(private + PAGE, PAGE, "second");
	name_area(shared, AREA, "common");
	must(mprotect(sealed + PAGE, PAGE, PROT_READ));
	seals = syscall(__NR_mseal, sealed, 2 * PAGE, 0) == 0;
	pid = start_child(child, NULL);

	checkpoint_with(1);

	join_child(pid, 0);
	check_filled(private, AREA, 1);
	check_filled(shared, AREA, 2);
	check_filled(sealed, AREA, 3);
	if (numa) {
		CHECK_EQUAL(mode_of(private), MPOL_DEFAULT);
		CHECK_EQUAL(mode_of(private + PAGE), MPOL_BIND);
		CHECK_EQUAL(mode_of(private + 2 * PAGE), MPOL_DEFAULT);
		CHECK_EQUAL(mode_of(private + 3 * PAGE), MPOL_INTERLEAVE | MPOL_F_STATIC_NODES);
		CHECK_EQUAL(mode_of(shared + PAGE), MPOL_PREFERRED);
	}
	if (names) {
		CHECK(has_name(private, "[anon:first one (a-b)]"));
		CHECK(has_name(private + PAGE, "[anon:second]"));
		CHECK(has_name(shared, "[anon_shmem:common]"));
	}
	if (seals) {
		CHECK(munmap(sealed, PAGE) < 0 && errno == EPERM);
		CHECK(mprotect(sealed + PAGE, PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EPERM);
		sealed[0] ^= 1;
	}
	CHECK_EQUAL(munmap(sealed + 2 * PAGE, PAGE), 0);
	return 0;
}
