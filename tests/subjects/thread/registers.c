// SPDX-License-Identifier: GPL-2.0-only
/* Threads that compute keep every register: general, x87, MXCSR, SSE, AVX and AVX-512, the bases of FS and GS. */
#include "subject.h"

#include <asm/prctl.h>
#include <pthread.h>

SUBJECT()

#define THREADS 3

static volatile uint32_t go;

struct vectors {
	uint64_t zmm[32][8], mask[8];
};

/* Loads all vector registers, spins until the flag is set, stores them again. No function is called in between. */
__attribute__((target("avx512f,avx512bw"))) static void spin_512(const struct vectors *in, struct vectors *out)
{
#define LOAD(n)	 "vmovdqu64 " #n "*64(%[in]), %%zmm" #n "\n\t"
#define STORE(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[out])\n\t"
/* clang-format off */
#define ALL(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) \
	X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
	/* clang-format on */
	__asm__ volatile(ALL(LOAD) "kmovq 2048(%[in]), %%k1\n\t"
				   "kmovq 2056(%[in]), %%k7\n\t"
				   "1: pause\n\t"
				   "cmpl $0, %[go]\n\t"
				   "je 1b\n\t" ALL(STORE) "kmovq %%k1, 2048(%[out])\n\t"
							  "kmovq %%k7, 2056(%[out])\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), [go] "m"(go)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "k1", "k7");
#undef LOAD
#undef STORE
#undef ALL
}

__attribute__((target("avx"))) static void spin_256(const struct vectors *in, struct vectors *out)
{
#define LOAD(n)	 "vmovdqu " #n "*64(%[in]), %%ymm" #n "\n\t"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*64(%[out])\n\t"
#define ALL(X)	 X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
	__asm__ volatile(ALL(LOAD) "1: pause\n\t"
				   "cmpl $0, %[go]\n\t"
				   "je 1b\n\t" ALL(STORE)
			 :
			 : [in] "r"(in), [out] "r"(out), [go] "m"(go)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* General registers and the x87 stack with a rounding mode of its own. */
static void spin_general(uint64_t seed, double *ret_sum, uint64_t ret[6], uint16_t *ret_control)
{
	uint16_t control = 0x0c7f; /* round towards zero */
	double a = 1.5 + (double)seed, b = 2.25, c = 4.125;

	__asm__ volatile(
		"fldcw %[control]\n\t"
		"fldl %[a]\n\tfldl %[b]\n\tfldl %[c]\n\t"
		"mov %[seed], %%r8\n\tlea 1(%%r8), %%r9\n\tlea 2(%%r8), %%r10\n\tlea 3(%%r8), %%r11\n\t"
		"lea 4(%%r8), %%r12\n\tlea 5(%%r8), %%r13\n\t"
		"1: pause\n\tcmpl $0, %[go]\n\tje 1b\n\t"
		"mov %%r8, (%[ret])\n\tmov %%r9, 8(%[ret])\n\tmov %%r10, 16(%[ret])\n\tmov %%r11, 24(%[ret])\n\t"
		"mov %%r12, 32(%[ret])\n\tmov %%r13, 40(%[ret])\n\t"
		"faddp\n\tfaddp\n\tfstpl %[sum]\n\tfnstcw %[after]\n\tfninit\n\t"
		: [sum] "=m"(*ret_sum), [after] "=m"(*ret_control)
		: [control] "m"(control), [a] "m"(a), [b] "m"(b), [c] "m"(c), [seed] "r"(seed), [ret] "r"(ret),
		  [go] "m"(go)
		: "memory", "cc", "r8", "r9", "r10", "r11", "r12", "r13");
}

static void *vectors(void *arg)
{
	long number = (long)arg;
	static struct vectors in[THREADS], out[THREADS];
	bool wide = __builtin_cpu_supports("avx512bw");
	unsigned mxcsr = 0x3f80 | 0x6000, after; /* flush to zero off, round towards zero */

	fill(&in[number], sizeof(in[number]), (unsigned)number);
	if (!wide && !__builtin_cpu_supports("avx")) {
		announce_waiter();
		return NULL;
	}
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	announce_waiter();
	if (wide)
		spin_512(&in[number], &out[number]);
	else
		spin_256(&in[number], &out[number]);
	__asm__ volatile("stmxcsr %0" : "=m"(after));
	CHECK_EQUAL(after & ~0x3fu, mxcsr & ~0x3fu);
	for (int i = 0; i < (wide ? 32 : 16); i++)
		CHECK(memcmp(in[number].zmm[i], out[number].zmm[i], wide ? 64 : 32) == 0);
	CHECK(!wide || memcmp(in[number].mask, out[number].mask, 16) == 0);
	return NULL;
}

static void *general(void *arg)
{
	static uint64_t base[2] = { 0, 0x1122334455667788 };
	uint64_t registers[6], value;
	uint16_t control;
	double sum;

	must(syscall(SYS_arch_prctl, ARCH_SET_GS, base));
	announce_waiter();
	spin_general(1000, &sum, registers, &control);
	for (uint64_t i = 0; i < 6; i++)
		CHECK_EQUAL(registers[i], 1000 + i);
	CHECK(sum == 1001.5 + 2.25 + 4.125);
	CHECK_EQUAL(control, 0x0c7f);
	__asm__ volatile("mov %%gs:8, %0" : "=r"(value));
	CHECK_EQUAL(value, base[1]);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS + 1];

	for (long i = 0; i < THREADS; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, vectors, (void *)i), 0);
	CHECK_EQUAL(pthread_create(&threads[THREADS], NULL, general, NULL), 0);
	checkpoint_with(THREADS + 1);
	go = 1;
	for (int i = 0; i <= THREADS; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
