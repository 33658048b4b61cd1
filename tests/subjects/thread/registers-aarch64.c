// SPDX-License-Identifier: GPL-2.0-only
/* Threads that compute keep every register: general, FP/SIMD with FPCR, SVE with its length, those of streaming mode,
 * ZA, the thread pointer, and the keys by which pointers are signed. */
#include "subject.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

SUBJECT()

#define SVE_SET_VL 50 /* PR_SVE_SET_VL */
#define SVE_GET_VL 51
#define SME_GET_VL 64
#define CAP_SVE	   (1ul << 22)
#define CAP_PACA   (1ul << 30)
#define CAP_PACG   (1ul << 31)
#define CAP2_SME   (1ul << 23)
#define LARGEST_VL 256

static volatile uint32_t go;

/* x0 to x7 and x9 to x28, but for three. */
static void *general(void *arg)
{
	uint64_t in[20], out[20];

	fill(in, sizeof(in), 1);
	announce_waiter();
	__asm__ volatile("ldp x0, x1, [%[in]]\n\tldp x2, x3, [%[in], #16]\n\tldp x4, x5, [%[in], #32]\n\t"
			 "ldp x6, x7, [%[in], #48]\n\tldp x9, x10, [%[in], #64]\n\tldp x11, x12, [%[in], #80]\n\t"
			 "ldp x13, x14, [%[in], #96]\n\tldp x15, x16, [%[in], #112]\n\tldp x17, x19, [%[in], #128]\n\t"
			 "ldp x20, x21, [%[in], #144]\n\t"
			 "cmp x0, x0\n"
			 "1:\tldr w8, [%[go]]\n\t"
			 "b.ne 2f\n\t" /* the flags are kept as well */
			 "cbz w8, 1b\n"
			 "2:\tstp x0, x1, [%[out]]\n\tstp x2, x3, [%[out], #16]\n\tstp x4, x5, [%[out], #32]\n\t"
			 "stp x6, x7, [%[out], #48]\n\tstp x9, x10, [%[out], #64]\n\tstp x11, x12, [%[out], #80]\n\t"
			 "stp x13, x14, [%[out], #96]\n\tstp x15, x16, [%[out], #112]\n\t"
			 "stp x17, x19, [%[out], #128]\n\tstp x20, x21, [%[out], #144]\n\t"
			 :
			 : [in] "r"(in), [out] "r"(out), [go] "r"(&go)
			 : "memory", "cc", "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			   "x12", "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21");
	CHECK(go);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	return NULL;
}

/* clang-format off */
#define ALL_32(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) \
	X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define VECTOR_REGISTERS \
	"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", \
	"v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"
/* clang-format on */

static void *vectors(void *arg)
{
	static uint8_t in[512], out[512];
	uint64_t fpcr = 3ull << 22 /* round towards zero */, after;

	fill(in, sizeof(in), 2);
	announce_waiter();
#define LOAD(n)	 "ldr q" #n ", [%[in], #16*" #n "]\n\t"
#define STORE(n) "str q" #n ", [%[out], #16*" #n "]\n\t"
	__asm__ volatile("msr fpcr, %[fpcr]\n\t" ALL_32(LOAD) "1:\tldr w8, [%[go]]\n\t"
							      "cbz w8, 1b\n\t" ALL_32(STORE) "mrs %[after], fpcr\n\t"
											     "msr fpcr, xzr\n\t"
			 : [after] "=&r"(after)
			 : [in] "r"(in), [out] "r"(out), [go] "r"(&go), [fpcr] "r"(fpcr)
			 : "memory", "x8", VECTOR_REGISTERS);
#undef LOAD
#undef STORE
	CHECK_EQUAL(after, fpcr);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	return NULL;
}

/* Vectors and predicates for vectors of vl bytes, between two instructions. */
#define LOAD(n)	 "ldr z" #n ", [%[in], #" #n ", mul vl]\n\t"
#define STORE(n) "str z" #n ", [%[out], #" #n ", mul vl]\n\t"
#define KEEP_VECTORS(before, behind)                                                                                \
	__asm__ volatile(                                                                                           \
		".arch_extension sve\n\t" before ALL_32(                                                            \
			LOAD) "ldr p0, [%[in_p]]\n\tldr p15, [%[in_p], #1, mul vl]\n\t"                             \
			      "1:\tldr w8, [%[go]]\n\t"                                                             \
			      "cbz w8, 1b\n\t" ALL_32(STORE) "str p0, [%[out_p]]\n\t"                               \
							     "str p15, [%[out_p], #1, mul vl]\n\t" behind           \
		:                                                                                                   \
		: [in] "r"(in), [out] "r"(out), [in_p] "r"(in + 32 * vl), [out_p] "r"(out + 32 * vl), [go] "r"(&go) \
		: "memory", "x8", VECTOR_REGISTERS)

/* SVE, at a length that is not the usual one. */
static void *scalable(void *arg)
{
	static uint8_t in[33 * LARGEST_VL] __attribute__((aligned(16))),
		out[33 * LARGEST_VL] __attribute__((aligned(16)));
	long vl = must(prctl(SVE_GET_VL)) & 0xffff;

	if (vl > 16)
		vl = must(prctl(SVE_SET_VL, vl / 2)) & 0xffff;
	fill(in, sizeof(in), 3);
	announce_waiter();
	KEEP_VECTORS("", "");
	CHECK(memcmp(in, out, 32 * (size_t)vl + 2 * ((size_t)vl / 8)) == 0);
	CHECK_EQUAL(must(prctl(SVE_GET_VL)) & 0xffff, vl);
	return NULL;
}

/* The same in the streaming mode of SME: smstart sm, smstop sm. */
static void *streaming(void *arg)
{
	static uint8_t in[33 * LARGEST_VL] __attribute__((aligned(16))),
		out[33 * LARGEST_VL] __attribute__((aligned(16)));
	long vl = must(prctl(SME_GET_VL)) & 0xffff;

	fill(in, sizeof(in), 5);
	announce_waiter();
	KEEP_VECTORS(".inst 0xd503437f\n\t", ".inst 0xd503427f\n\t");
	CHECK(memcmp(in, out, 32 * (size_t)vl + 2 * ((size_t)vl / 8)) == 0);
	return NULL;
}
#undef LOAD
#undef STORE

/* The array of SME, switched on by smstart za: by its encoding, as not every assembler knows it. */
static void *array(void *arg)
{
	uint64_t vl, value = 0;
	static uint8_t in[LARGEST_VL], out[LARGEST_VL];

	fill(in, sizeof(in), 4);
	announce_waiter();
	__asm__ volatile(".inst 0xd503457f\n\t"	    /* smstart za */
			 ".inst 0x04bf5820 + 9\n\t" /* rdsvl x9, #1 */
			 "mov w12, #0\n\t"
			 "mov x10, %[in]\n\t"
			 ".inst 0xe1000140\n\t" /* ldr za[w12, 0], [x10] */
			 "1:\tldr w8, [%[go]]\n\t"
			 "cbz w8, 1b\n\t"
			 "mov w12, #0\n\t"
			 "mov x10, %[out]\n\t"
			 ".inst 0xe1200140\n\t"		  /* str za[w12, 0], [x10] */
			 "mrs %[value], s3_3_c4_c2_2\n\t" /* SVCR */
			 ".inst 0xd503447f\n\t"		  /* smstop za */
			 "mov %[vl], x9\n\t"
			 : [vl] "=&r"(vl), [value] "=&r"(value)
			 : [in] "r"(in), [out] "r"(out), [go] "r"(&go)
			 : "memory", "x8", "x9", "x10", "x12");
	CHECK_EQUAL(value & 3, 2);
	CHECK(memcmp(in, out, vl <= LARGEST_VL ? vl : 0) == 0);
	return NULL;
}

/* Another thread signs with the same keys of the process; the generic key is used by pacga. */
static uint64_t sign(uint64_t address, uint64_t context)
{
	register uint64_t x17 __asm__("x17") = address, x16 __asm__("x16") = context;

	__asm__ volatile("hint #8" /* pacia1716 */ : "+r"(x17) : "r"(x16));
	return x17;
}

static uint64_t generic(uint64_t value, uint64_t context)
{
	register uint64_t x0 __asm__("x0") = value, x1 __asm__("x1") = context;

	__asm__ volatile(".inst 0x9ac13000" /* pacga x0, x0, x1 */ : "+r"(x0) : "r"(x1));
	return x0;
}

int main(void)
{
	unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
	void *(*works[5])(void *) = { general, vectors };
	uint64_t address = (uintptr_t)main, is_signed = 0, proof = 0;
	pthread_t threads[5];
	unsigned n = 2;
	void *before = __builtin_thread_pointer();

	if (caps & CAP_SVE)
		works[n++] = scalable;
	if (caps2 & CAP2_SME) {
		works[n++] = array;
		works[n++] = streaming;
	}
	if (caps & CAP_PACA)
		is_signed = sign(address, 7);
	if (caps & CAP_PACG)
		proof = generic(address, 7);
	for (unsigned i = 0; i < n; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, works[i], NULL), 0);
	checkpoint_with((int)n);
	go = 1;
	for (unsigned i = 0; i < n; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	if (caps & CAP_PACA)
		CHECK_EQUAL(sign(address, 7), is_signed);
	if (caps & CAP_PACG)
		CHECK_EQUAL(generic(address, 7), proof);
	CHECK(__builtin_thread_pointer() == before);
	return 0;
}
