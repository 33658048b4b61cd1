// SPDX-License-Identifier: GPL-2.0-only
/* A thread that spins inside a restartable sequence: being stopped for the checkpoint must count as an abort. */
#include "subject.h"

#include <pthread.h>
#include <sched.h>

SUBJECT()

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static volatile long aborts, entered, go;
static volatile pid_t tid;

/* Spins in the section until *go is set. Returns 0 if it came to its end, 1 if it was aborted. */
static long spin(volatile uint64_t *section)
{
	long aborted;

#ifdef __aarch64__
	__asm__ volatile(".pushsection .data.rseq_section, \"aw\"\n"
			 ".balign 32\n"
			 "3:\n"
			 ".long 0, 0\n"
			 ".quad 1f, 2f - 1f, 4f\n"
			 ".popsection\n"
			 "adrp x9, 3b\n"
			 "add x9, x9, :lo12:3b\n"
			 "str x9, [%[section]]\n"
			 "mov x9, #1\n"
			 "1:\n"
			 "str x9, [%[entered]]\n"
			 "5:\n"
			 "ldr x10, [%[go]]\n"
			 "cbz x10, 5b\n"
			 "2:\n"
			 "mov %[aborted], #0\n"
			 "b 6f\n"
			 ".long 0xd428bc00\n" /* the signature stands before the abort handler */
			 "4:\n"
			 "mov %[aborted], #1\n"
			 "6:\n"
			 : [aborted] "=&r"(aborted)
			 : [section] "r"(section), [go] "r"(&go), [entered] "r"(&entered)
			 : "x9", "x10", "memory", "cc");
#else
	__asm__ volatile(".pushsection .data.rseq_section, \"aw\"\n"
			 ".balign 32\n"
			 "3:\n"
			 ".long 0, 0\n"
			 ".quad 1f, 2f - 1f, 4f\n"
			 ".popsection\n"
			 "lea 3b(%%rip), %%rax\n"
			 "mov %%rax, (%[section])\n"
			 "1:\n"
			 "movq $1, %[entered]\n"
			 "5:\n"
			 "cmpq $0, %[go]\n"
			 "je 5b\n"
			 "2:\n"
			 "mov $0, %[aborted]\n"
			 "jmp 6f\n"
			 ".long 0x53053053\n" /* the signature stands before the abort handler */
			 "4:\n"
			 "mov $1, %[aborted]\n"
			 "6:\n"
			 : [aborted] "=&r"(aborted), [entered] "+m"(entered)
			 : [section] "r"(section), [go] "m"(go)
			 : "rax", "memory", "cc");
#endif
	return aborted;
}

static void *work(void *arg)
{
	volatile uint64_t *section = (volatile uint64_t *)((char *)__builtin_thread_pointer() + __rseq_offset + 8);

	tid = (pid_t)syscall(SYS_gettid);
	announce_waiter();
	while (spin(section))
		aborts++;
	return NULL;
}

/* How often the thread was taken off its CPU: the first sign that it was stopped. */
static long switches(void)
{
	char path[64], text[8192];
	long voluntary, involuntary;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	fd = must(open(path, O_RDONLY));
	size = must(read(fd, text, sizeof(text) - 1));
	text[size] = 0;
	close(fd);
	CHECK_EQUAL(sscanf(strstr(text, "\nvoluntary_ctxt_switches"), " voluntary_ctxt_switches: %ld", &voluntary), 1);
	CHECK_EQUAL(sscanf(strstr(text, "nonvoluntary"), "nonvoluntary_ctxt_switches: %ld", &involuntary), 1);
	return voluntary * 100000 + involuntary;
}

int main(void)
{
	struct sched_param param = { .sched_priority = 1 };
	long aborts_before, switches_before;
	pthread_t thread;

	if (!&__rseq_size || !__rseq_size)
		skip("this C library does not register restartable sequences");
	CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	while (!entered)
		sleep_ms(1);
	/* So that nothing else takes it off its CPU. */
	must(sched_setscheduler(tid, SCHED_FIFO, &param));
	sleep_ms(5);
	switches_before = switches();
	aborts_before = aborts;

	checkpoint_with(1);

	/* It may have been aborted between the two readings, so compare only if it was off its CPU since. */
	if (switches() != switches_before)
		CHECK(aborts > aborts_before);
	go = 1;
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	return 0;
}
