/* SPDX-License-Identifier: GPL-2.0-only */
/* Which CPU can run what ran on another one. The other one is this CPU, a bit changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch_cpu.h"
#include "arch_regs.h"
#include "arch_state.h"
#include "base/fail.h"
#include "base/pool.h"
#include "flow/cpuinfo.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "options/options.h"

struct cpus {
	struct pool *pool;
	CpuinfoEntry *image, *host;
	CpuinfoX86Entry *x86; /* of the image */
};

static int set_up(void **state)
{
	static struct cpus cpus;

	failure_reset();
	cpus.pool = pool_create();
	arch_cpu_describe(cpus.pool, &cpus.image);
	arch_cpu_describe(cpus.pool, &cpus.host);
	*state = &cpus;
	if (!cpus.image->n_x86_entry)
		skip();
	cpus.x86 = cpus.image->x86_entry[0];
	return 0;
}

static int tear_down(void **state)
{
	struct cpus *cpus = *state;

	pool_destroy(&cpus->pool);
	return 0;
}

static int compare(struct cpus *cpus, unsigned mode)
{
	failure_reset();
	return arch_cpu_compare(cpus->image, cpus->host, mode);
}

/* The description must agree with what the kernel says about the same CPU. */
static void test_describe(void **state)
{
	struct cpus *cpus = *state;
	char line[8192], wanted[64];
	FILE *file = fopen("/proc/cpuinfo", "r");
	int seen = 0;

	assert_non_null(file);
	while (seen < 3 && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "cpu family", 10) == 0) {
			snprintf(wanted, sizeof(wanted), ": %u\n", cpus->x86->cpu_family);
		} else if (strncmp(line, "model\t", 6) == 0) {
			snprintf(wanted, sizeof(wanted), ": %u\n", cpus->x86->model);
		} else if (strncmp(line, "model name", 10) == 0) {
			snprintf(wanted, sizeof(wanted), ": %s\n", cpus->x86->model_id);
		} else {
			continue;
		}
		seen++;
		assert_non_null(strstr(line, wanted));
	}
	fclose(file);
	assert_int_equal(seen, 3);
	assert_int_equal(cpus->x86->n_capability, 19);
	assert_int_equal(cpus->x86->capability_ver, 2);
	assert_true(cpus->x86->capability[0] & 1u << 26); /* SSE2: every 64-bit CPU */
	assert_true(cpus->x86->capability[1] & 1u << 29); /* LM */
}

static void test_same(void **state)
{
	assert_int_equal(compare(*state, 0), 0);
	assert_int_equal(compare(*state, ARCH_CPU_FPU | ARCH_CPU_INS | ARCH_CPU_ALL), 0);
}

static void test_instruction_missing(void **state)
{
	struct cpus *cpus = *state;

	cpus->x86->capability[6] |= 1u << 16; /* fma4 */
	cpus->host->x86_entry[0]->capability[6] &= ~(1u << 16);
	assert_int_equal(compare(cpus, ARCH_CPU_FPU), 0);
	assert_int_equal(compare(cpus, ARCH_CPU_INS), -EOPNOTSUPP);
	assert_non_null(strstr(failure_text(), "\"fma4\""));
	assert_int_equal(compare(cpus, ARCH_CPU_ALL), -EOPNOTSUPP);
}

/* A host that has more is fine, but not the same. */
static void test_instruction_more(void **state)
{
	struct cpus *cpus = *state;

	cpus->x86->capability[4] &= ~1u; /* pni */
	assert_int_equal(compare(cpus, ARCH_CPU_FPU | ARCH_CPU_INS), 0);
	assert_int_equal(compare(cpus, ARCH_CPU_ALL), -EOPNOTSUPP);
}

static void test_linux_words(void **state)
{
	struct cpus *cpus = *state;

	cpus->x86->capability[3] = cpus->x86->capability[7] = cpus->x86->capability[8] = cpus->x86->capability[11] =
		~0u;
	assert_int_equal(compare(cpus, ARCH_CPU_FPU | ARCH_CPU_INS | ARCH_CPU_ALL), 0);
}

static void test_fpu(void **state)
{
	struct cpus *cpus = *state;
	uint64_t mask = cpus->x86->xfeatures_mask;

	cpus->x86->xfeatures_mask = mask | 1ull << 40;
	assert_int_equal(compare(cpus, ARCH_CPU_INS), 0);
	assert_int_equal(compare(cpus, ARCH_CPU_FPU), -EOPNOTSUPP);
	cpus->x86->xfeatures_mask = 3;
	assert_int_equal(compare(cpus, ARCH_CPU_FPU), 0);
	cpus->x86->xsave_size++;
	assert_int_equal(compare(cpus, ARCH_CPU_FPU), -EOPNOTSUPP);
	cpus->x86->xsave_size--;
	cpus->x86->xsave_size_max++;
	assert_int_equal(compare(cpus, ARCH_CPU_FPU), -EOPNOTSUPP);
}

static void test_senseless(void **state)
{
	struct cpus *cpus = *state;

	cpus->x86->n_capability = 12;
	assert_int_equal(compare(cpus, 0), -EINVAL);
	cpus->x86->capability_ver = 1;
	assert_int_equal(compare(cpus, ARCH_CPU_INS), 0);
	cpus->x86->capability_ver = 3;
	assert_int_equal(compare(cpus, 0), -EINVAL);
	cpus->image->n_x86_entry = 0;
	assert_int_equal(compare(cpus, 0), -EINVAL);
}

static void test_image(void **state)
{
	struct store *store = store_create_memory();

	failure_reset();
	assert_int_equal(cpuinfo_check(store, OPT_CPU_ALL), -ENOENT);
	assert_int_equal(cpuinfo_write(store), 0);
	assert_int_equal(cpuinfo_check(store, OPT_CPU_ALL), 0);
	store_close(&store);
}

/* Its registers as a record that has nothing but the rights of protection keys, on this CPU. */
static int restore_keys(struct pool *pool, uint32_t rights)
{
	static UserX86RegsEntry general = USER_X86_REGS_ENTRY__INIT;
	static UserX86FpregsEntry fpu = USER_X86_FPREGS_ENTRY__INIT;
	static UserX86XsaveEntry xsave = USER_X86_XSAVE_ENTRY__INIT;
	static ThreadInfoX86 info = THREAD_INFO_X86__INIT;
	static CoreEntry core = CORE_ENTRY__INIT;
	struct arch_thread_state *state;
	uint32_t words[64] = { 0 }, keys[2] = { rights };

	general.cs = 0x33;
	fpu.n_st_space = 32;
	fpu.n_xmm_space = 64;
	fpu.st_space = fpu.xmm_space = words;
	fpu.xsave = &xsave;
	xsave.xstate_bv = 3 | 1u << XCOMPONENT_PKRU;
	xsave.n_pkru = 2;
	xsave.pkru = keys;
	info.gpregs = &general;
	info.fpregs = &fpu;
	core.mtype = arch_core_type();
	core.thread_info = &info;
	failure_reset();
	return arch_state_from_core(&core, pool, &state);
}

/* Every thread of a CPU with protection keys has rights; only who has changed them needs such a CPU. */
static void test_keys(void **state)
{
	struct cpus *cpus = *state;
	bool has_keys = cpus->x86->xfeatures_mask & 1u << XCOMPONENT_PKRU;

	assert_int_equal(restore_keys(cpus->pool, 0x55555554), 0);
	assert_int_equal(restore_keys(cpus->pool, 0x55555550), has_keys ? 0 : -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_describe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_instruction_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_instruction_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_linux_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fpu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_senseless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
		cmocka_unit_test(test_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
