/* SPDX-License-Identifier: LGPL-2.1-only */
/* Asking CPUID. */
#include "arch_cpuid.h"

#include <cpuid.h>
#include <string.h>

/* Where each word comes from; leaf 0 = made up by Linux. */
static const struct {
	uint32_t leaf, subleaf;
	enum arch_cpuid_register reg;
} words[ARCH_CPUID_WORDS] = {
	[0] = { 0x1, 0, CPUID_EDX },	     [1] = { 0x80000001, 0, CPUID_EDX },
	[2] = { 0x80860001, 0, CPUID_EDX },					 /* Transmeta */
	[4] = { 0x1, 0, CPUID_ECX },	     [5] = { 0xc0000001, 0, CPUID_EDX }, /* VIA */
	[6] = { 0x80000001, 0, CPUID_ECX },  [9] = { 0x7, 0, CPUID_EBX },
	[10] = { 0xd, 1, CPUID_EAX },	     [12] = { 0x7, 1, CPUID_EAX },
	[13] = { 0x80000008, 0, CPUID_EBX }, [14] = { 0x6, 0, CPUID_EAX },
	[15] = { 0x8000000a, 0, CPUID_EDX }, [16] = { 0x7, 0, CPUID_ECX },
	[17] = { 0x80000007, 0, CPUID_EBX }, [18] = { 0x7, 0, CPUID_EDX },
};

bool arch_cpuid_leaf(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	uint32_t highest, unused;

	memset(regs, 0, 4 * sizeof(*regs));
	__cpuid(leaf & 0xffff0000, highest, unused, unused, unused);
	if (highest < leaf || (highest ^ leaf) >> 16) /* an unknown range answers with whatever */
		return false;
	__cpuid_count(leaf, subleaf, regs[CPUID_EAX], regs[CPUID_EBX], regs[CPUID_ECX], regs[CPUID_EDX]);
	return true;
}

static void read_identity(struct arch_cpuid *cpu)
{
	uint32_t regs[4];

	arch_cpuid_leaf(0, 0, regs);
	memcpy(cpu->vendor, &regs[CPUID_EBX], 4);
	memcpy(cpu->vendor + 4, &regs[CPUID_EDX], 4);
	memcpy(cpu->vendor + 8, &regs[CPUID_ECX], 4);

	arch_cpuid_leaf(1, 0, regs);
	cpu->family = (regs[CPUID_EAX] >> 8) & 0xf;
	cpu->model = (regs[CPUID_EAX] >> 4) & 0xf;
	cpu->stepping = regs[CPUID_EAX] & 0xf;
	if (cpu->family >= 6)
		cpu->model |= (regs[CPUID_EAX] >> 12) & 0xf0;
	if (cpu->family == 0xf)
		cpu->family += (regs[CPUID_EAX] >> 20) & 0xff;
}

static void read_model_name(struct arch_cpuid *cpu)
{
	char text[sizeof(cpu->model_name)] = "", *start = text;
	uint32_t regs[4];
	size_t size;

	for (uint32_t i = 0; i < 3; i++) {
		arch_cpuid_leaf(0x80000002 + i, 0, regs);
		memcpy(text + 16 * i, regs, 16);
	}
	start += strspn(start, " ");
	for (size = strlen(start); size && start[size - 1] == ' '; size--)
		start[size - 1] = 0;
	memcpy(cpu->model_name, start, size + 1);
}

void arch_cpuid_read(struct arch_cpuid *ret)
{
	uint32_t regs[4];

	memset(ret, 0, sizeof(*ret));
	read_identity(ret);
	read_model_name(ret);
	for (size_t i = 0; i < ARCH_CPUID_WORDS; i++)
		if (words[i].leaf && arch_cpuid_leaf(words[i].leaf, words[i].subleaf, regs))
			ret->capability[i] = regs[words[i].reg];
}
