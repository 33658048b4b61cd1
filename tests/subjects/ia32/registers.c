// SPDX-License-Identifier: GPL-2.0-only
/* Threads of a 32-bit program that compute keep every register: general, x87, MXCSR, SSE, AVX; what a handler has
 * interrupted as well. */
#include "subject.h"

#include <pthread.h>

SUBJECT()

static volatile uint32_t go;

struct general {
	uint32_t ebx, ecx, edx, esi, edi;
};

/* Spins with values in all registers, that of the frame pointer excepted. */
static void spin_general(struct general *ret, double *ret_sum, uint16_t *ret_control)
{
	uint16_t control = 0x0c7f; /* round towards zero */
	double a = 1.5, b = 2.25, c = 4.125;

	__asm__ volatile("fldcw %[control]\n\tfldl %[a]\n\tfldl %[b]\n\tfldl %[c]\n\t"
			 "pushl %%eax\n\t"
			 "mov $0x80000001, %%ebx\n\tmov $2, %%ecx\n\tmov $0xfffffffd, %%edx\n\tmov $4, %%esi\n\tmov "
			 "$5, %%edi\n\t"
			 "1: pause\n\tcmpl $0, go\n\tje 1b\n\t"
			 "popl %%eax\n\t"
			 "mov %%ebx, (%%eax)\n\tmov %%ecx, 4(%%eax)\n\tmov %%edx, 8(%%eax)\n\tmov %%esi, 12(%%eax)\n\t"
			 "mov %%edi, 16(%%eax)\n\t"
			 :
			 : "a"(ret), [control] "m"(control), [a] "m"(a), [b] "m"(b), [c] "m"(c)
			 : "memory", "cc", "ebx", "ecx", "edx", "esi", "edi");
	__asm__ volatile("faddp\n\tfaddp\n\tfstpl %[sum]\n\tfnstcw %[after]\n\tfninit"
			 : [sum] "=m"(*ret_sum), [after] "=m"(*ret_control));
}

static void *general(void *arg)
{
	struct general got;
	uint16_t control;
	double sum;

	announce_waiter();
	spin_general(&got, &sum, &control);
	CHECK_EQUAL(got.ebx, 0x80000001);
	CHECK_EQUAL(got.ecx, 2);
	CHECK_EQUAL(got.edx, 0xfffffffd);
	CHECK_EQUAL(got.esi, 4);
	CHECK_EQUAL(got.edi, 5);
	CHECK(sum == 1.5 + 2.25 + 4.125);
	CHECK_EQUAL(control, 0x0c7f);
	return NULL;
}

#define WIDTH 32

__attribute__((target("avx"))) static void spin_256(const uint8_t *in, uint8_t *out)
{
#define LOAD(n)	 "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n\t"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n\t"
#define ALL(X)	 X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
	__asm__ volatile(ALL(LOAD) "1: pause\n\t"
				   "cmpl $0, go\n\t"
				   "je 1b\n\t" ALL(STORE)
			 :
			 : [in] "r"(in), [out] "r"(out)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

static void *vectors(void *arg)
{
	static uint8_t in[8 * WIDTH], out[8 * WIDTH];
	unsigned mxcsr = 0x3f80 | 0x6000, after;

	fill(in, sizeof(in), 1);
	if (!__builtin_cpu_supports("avx")) {
		announce_waiter();
		return NULL;
	}
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	announce_waiter();
	spin_256(in, out);
	__asm__ volatile("stmxcsr %0" : "=m"(after));
	CHECK_EQUAL(after & ~0x3fu, mxcsr & ~0x3fu);
	CHECK(!memcmp(in, out, sizeof(in)));
	return NULL;
}

/* A handler is waiting when the checkpoint comes; what it has interrupted lies in its frame. */
static volatile bool handled;

static void handle(int signal, siginfo_t *info, void *context)
{
	CHECK_EQUAL(info->si_value.sival_int, 4711);
	wait_for_restore();
	handled = true;
}

static void *interrupted(void *arg)
{
	double a = 3.5, sum;
	uint32_t esi;
	static const union sigval value = { .sival_int = 4711 };

	__asm__ volatile("fldl %0" : : "m"(a));
	pthread_sigqueue(pthread_self(), SIGUSR1, value);
	__asm__ volatile("mov $0x12345678, %%esi\n\t"
			 "mov %%esi, %0"
			 : "=m"(esi)
			 :
			 : "esi");
	__asm__ volatile("fstpl %0" : "=m"(sum));
	CHECK(handled);
	CHECK(sum == 3.5);
	CHECK_EQUAL(esi, 0x12345678);
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO };
	void *(*const work[])(void *) = { general, vectors, interrupted };
	pthread_t threads[3];

	must(sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work[i], NULL), 0);

	checkpoint_with(3);

	go = 1;
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	/* Handlers that are called from now on get frames of 32-bit programs, too. */
	__asm__ volatile("" : : : "memory");
	handled = false;
	must(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 4711 }));
	CHECK(handled);
	return 0;
}
