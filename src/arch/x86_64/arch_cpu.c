/* SPDX-License-Identifier: LGPL-2.1-only */
/* The record of an x86 CPU, and the comparison of two. */
#include "arch_cpu.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "arch_cpuid.h"
#include "base/array.h"
#include "base/fail.h"
#include "base/pool.h"

enum {
	CAPABILITY_WORDS = ARCH_CPUID_WORDS,
	CAPABILITY_WORDS_OLD = 12, /* capability_ver 1 */
};

/* Words that the kernel makes up itself. We leave them empty, another writer of images may not: they are not compared.
 */
#define LINUX_WORDS (1u << 3 | 1u << 7 | 1u << 8 | 1u << 11)

struct instruction_set {
	uint8_t word, bit;
	const char *name; /* as in /proc/cpuinfo */
};

/*
 * What programs may use once they have seen it. Word 12 was something else (bits 0 to 2: cache monitoring) in the
 * kernels of the first images with 19 words, so its first bits say nothing for sure.
 */
static const struct instruction_set instruction_sets[] = {
	{ 0, 0, "fpu" },
	{ 0, 4, "tsc" },
	{ 0, 8, "cx8" },
	{ 0, 11, "sep" },
	{ 0, 15, "cmov" },
	{ 0, 19, "clflush" },
	{ 0, 23, "mmx" },
	{ 0, 24, "fxsr" },
	{ 0, 25, "sse" },
	{ 0, 26, "sse2" },
	{ 1, 11, "syscall" },
	{ 1, 22, "mmxext" },
	{ 1, 27, "rdtscp" },
	{ 1, 29, "lm" },
	{ 1, 30, "3dnowext" },
	{ 1, 31, "3dnow" },
	{ 4, 0, "pni" },
	{ 4, 1, "pclmulqdq" },
	{ 4, 9, "ssse3" },
	{ 4, 12, "fma" },
	{ 4, 13, "cx16" },
	{ 4, 19, "sse4_1" },
	{ 4, 20, "sse4_2" },
	{ 4, 22, "movbe" },
	{ 4, 23, "popcnt" },
	{ 4, 25, "aes" },
	{ 4, 26, "xsave" },
	{ 4, 27, "osxsave" },
	{ 4, 28, "avx" },
	{ 4, 29, "f16c" },
	{ 4, 30, "rdrand" },
	{ 6, 0, "lahf_lm" },
	{ 6, 5, "abm" },
	{ 6, 6, "sse4a" },
	{ 6, 7, "misalignsse" },
	{ 6, 8, "3dnowprefetch" },
	{ 6, 11, "xop" },
	{ 6, 15, "lwp" },
	{ 6, 16, "fma4" },
	{ 6, 21, "tbm" },
	{ 6, 29, "mwaitx" },
	{ 9, 0, "fsgsbase" },
	{ 9, 3, "bmi1" },
	{ 9, 4, "hle" },
	{ 9, 5, "avx2" },
	{ 9, 8, "bmi2" },
	{ 9, 9, "erms" },
	{ 9, 11, "rtm" },
	{ 9, 14, "mpx" },
	{ 9, 16, "avx512f" },
	{ 9, 17, "avx512dq" },
	{ 9, 18, "rdseed" },
	{ 9, 19, "adx" },
	{ 9, 21, "avx512ifma" },
	{ 9, 23, "clflushopt" },
	{ 9, 24, "clwb" },
	{ 9, 26, "avx512pf" },
	{ 9, 27, "avx512er" },
	{ 9, 28, "avx512cd" },
	{ 9, 29, "sha_ni" },
	{ 9, 30, "avx512bw" },
	{ 9, 31, "avx512vl" },
	{ 10, 0, "xsaveopt" },
	{ 10, 1, "xsavec" },
	{ 10, 2, "xgetbv1" },
	{ 12, 3, "rao_int" },
	{ 12, 4, "avx_vnni" },
	{ 12, 5, "avx512_bf16" },
	{ 12, 7, "cmpccxadd" },
	{ 12, 21, "amx_fp16" },
	{ 12, 23, "avx_ifma" },
	{ 13, 0, "clzero" },
	{ 13, 2, "xsaveerptr" },
	{ 13, 4, "rdpru" },
	{ 16, 1, "avx512vbmi" },
	{ 16, 3, "pku" },
	{ 16, 4, "ospke" },
	{ 16, 5, "waitpkg" },
	{ 16, 6, "avx512_vbmi2" },
	{ 16, 8, "gfni" },
	{ 16, 9, "vaes" },
	{ 16, 10, "vpclmulqdq" },
	{ 16, 11, "avx512_vnni" },
	{ 16, 12, "avx512_bitalg" },
	{ 16, 14, "avx512_vpopcntdq" },
	{ 16, 22, "rdpid" },
	{ 16, 25, "cldemote" },
	{ 16, 27, "movdiri" },
	{ 16, 28, "movdir64b" },
	{ 18, 2, "avx512_4vnniw" },
	{ 18, 3, "avx512_4fmaps" },
	{ 18, 4, "fsrm" },
	{ 18, 8, "avx512_vp2intersect" },
	{ 18, 14, "serialize" },
	{ 18, 16, "tsxldtrk" },
	{ 18, 22, "amx_bf16" },
	{ 18, 23, "avx512_fp16" },
	{ 18, 24, "amx_tile" },
	{ 18, 25, "amx_int8" },
};

/* What XSAVE needs; the last one is compared for --cpu-cap fpu only, programs cannot use it themselves. */
static const struct instruction_set fpu_sets[] = {
	{ 0, 0, "fpu" },
	{ 0, 24, "fxsr" },
	{ 4, 27, "osxsave" },
	{ 10, 3, "xsaves" },
};

/* Components of the extended state: x87, SSE, AVX, MPX, AVX-512, PT, PKRU, PASID, shadow stacks, HDC, UINTR, LBR, HWP,
 * AMX, APX. */
#define KNOWN_XFEATURES 0xfffffull

static CpuinfoX86Entry__Vendor vendor_id(const char *vendor)
{
	if (strcmp(vendor, "GenuineIntel") == 0)
		return CPUINFO_X86_ENTRY__VENDOR__INTEL;
	return strcmp(vendor, "AuthenticAMD") == 0 ? CPUINFO_X86_ENTRY__VENDOR__AMD
						   : CPUINFO_X86_ENTRY__VENDOR__UNKNOWN;
}

void arch_cpu_describe(struct pool *pool, CpuinfoEntry **ret)
{
	CpuinfoEntry *entry = pool_new(pool, CpuinfoEntry);
	CpuinfoX86Entry *x86 = pool_new(pool, CpuinfoX86Entry);
	struct arch_cpuid cpu;
	uint32_t regs[4];

	cpuinfo_entry__init(entry);
	cpuinfo_x86_entry__init(x86);
	entry->n_x86_entry = 1;
	entry->x86_entry = pool_array(pool, CpuinfoX86Entry *, 1);
	entry->x86_entry[0] = x86;

	arch_cpuid_read(&cpu);
	x86->vendor_id = vendor_id(cpu.vendor);
	x86->cpu_family = cpu.family;
	x86->model = cpu.model;
	x86->stepping = cpu.stepping;
	x86->model_id = pool_string(pool, cpu.model_name);
	x86->capability_ver = 2;
	x86->n_capability = CAPABILITY_WORDS;
	x86->capability = pool_copy(pool, cpu.capability, sizeof(cpu.capability));

	if (arch_cpuid_leaf(0xd, 0, regs)) {
		x86->has_xfeatures_mask = x86->has_xsave_size = x86->has_xsave_size_max = true;
		x86->xfeatures_mask = (uint64_t)regs[CPUID_EDX] << 32 | regs[CPUID_EAX];
		x86->xsave_size = regs[CPUID_EBX];
		x86->xsave_size_max = regs[CPUID_ECX];
	}
	*ret = entry;
}

static bool has_set(const CpuinfoX86Entry *x86, const struct instruction_set *set)
{
	return set->word < x86->n_capability && x86->capability[set->word] & 1u << set->bit;
}

/* Refuses the first one that the image has and the host does not have. */
static int compare_sets(const CpuinfoX86Entry *image, const CpuinfoX86Entry *host, const struct instruction_set *sets,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_set(image, &sets[i]) && !has_set(host, &sets[i]))
			return refuse(EOPNOTSUPP,
				      "the CPU does not have \"%s\", which the CPU of the images (%s) has: the tasks "
				      "may use it. "
				      "Restore on another machine, or accept the risk by another --cpu-cap",
				      sets[i].name, image->model_id ?: "?");
	return 0;
}

static int compare_fpu(const CpuinfoX86Entry *image, const CpuinfoX86Entry *host)
{
	uint64_t missing = image->xfeatures_mask & ~host->xfeatures_mask;

	TRY(compare_sets(image, host, fpu_sets, ARRAY_SIZE(fpu_sets)));
	if (!image->has_xfeatures_mask) /* an older image */
		return 0;
	if (missing)
		return refuse(EOPNOTSUPP,
			      "the CPU does not have the components 0x%" PRIx64 " of the extended state in the images",
			      missing);
	if (image->xsave_size != host->xsave_size || image->xsave_size_max != host->xsave_size_max)
		return refuse(EOPNOTSUPP,
			      "the extended state has another size: %u of at most %u bytes in the images, %u of %u on "
			      "this CPU",
			      image->xsave_size, image->xsave_size_max, host->xsave_size, host->xsave_size_max);
	return 0;
}

static int compare_all(const CpuinfoX86Entry *image, const CpuinfoX86Entry *host)
{
	for (size_t i = 0; i < image->n_capability; i++)
		if (!(LINUX_WORDS & 1u << i) && image->capability[i] != host->capability[i])
			return refuse(EOPNOTSUPP,
				      "word %zu of the CPU's capabilities differs: 0x%08x in the images, 0x%08x here",
				      i, image->capability[i], host->capability[i]);
	return 0;
}

int arch_cpu_compare(const CpuinfoEntry *image_entry, const CpuinfoEntry *host_entry, unsigned mode)
{
	const CpuinfoX86Entry *host = host_entry->x86_entry[0], *image;
	uint64_t unknown = host->xfeatures_mask & ~KNOWN_XFEATURES;

	if (unknown)
		return refuse(EOPNOTSUPP,
			      "this CPU has components 0x%" PRIx64 " of the extended state that criu does not know",
			      unknown);
	if (image_entry->n_x86_entry != 1 || image_entry->n_ppc64_entry || image_entry->n_s390_entry)
		return refuse(EINVAL, "cpuinfo.img does not describe one x86 CPU");
	image = image_entry->x86_entry[0];
	if (image->n_capability != (image->capability_ver == 1 ? CAPABILITY_WORDS_OLD : CAPABILITY_WORDS) ||
	    image->capability_ver < 1 || image->capability_ver > 2)
		return refuse(EINVAL, "cpuinfo.img: version %u with %zu words of capabilities", image->capability_ver,
			      image->n_capability);
	if (mode & ARCH_CPU_FPU)
		TRY(compare_fpu(image, host));
	if (mode & ARCH_CPU_INS)
		TRY(compare_sets(image, host, instruction_sets, ARRAY_SIZE(instruction_sets)));
	if (mode & ARCH_CPU_ALL)
		TRY(compare_all(image, host));
	return 0;
}

uint64_t arch_cpu_state_of(const CoreEntry *core)
{
	const UserX86FpregsEntry *registers = core->thread_info ? core->thread_info->fpregs : NULL;

	return registers && registers->xsave ? registers->xsave->xstate_bv : 0;
}

/* Intel's manual, volume 1, 13.1: the components by their bits. Several make up one extension. */
void arch_cpu_print_state(uint64_t components, char *to, size_t capacity)
{
	static const struct {
		uint64_t bits;
		const char *name;
	} rows[] = {
		{ 1 << 0, "x87" },    { 1 << 1, "sse" },  { 1 << 2, "avx" },  { 3 << 3, "mpx" },
		{ 7 << 5, "avx512" }, { 1 << 9, "pkru" }, { 3 << 11, "cet" }, { 3 << 17, "amx" },
	};
	size_t n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows) && n < capacity; i++)
		if (components & rows[i].bits)
			n += (size_t)snprintf(to + n, capacity - n, "%s%s", n ? " " : "", rows[i].name);
}

const char *arch_cpu_model(const CpuinfoEntry *image)
{
	return image->n_x86_entry == 1 ? image->x86_entry[0]->model_id : NULL;
}
