// SPDX-License-Identifier: GPL-2.0-only
/* A userfaultfd: missing pages are still missing, one waits for its content; protected ones still protected; a child
 * has a copy of it. */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT()

#define PAGE (unsigned)getpagesize()

static int uffd;
static char *missing, *guarded;

static int work(void *arg)
{
	wait_for_restore();
	CHECK(fcntl(uffd, F_GETFL) & O_NONBLOCK);
	return 0;
}

static struct uffd_msg next(void)
{
	struct pollfd ask = { uffd, POLLIN, 0 };
	struct uffd_msg message;

	CHECK_EQUAL(poll(&ask, 1, 60000), 1);
	CHECK_EQUAL(read(uffd, &message, sizeof(message)), sizeof(message));
	CHECK_EQUAL(message.event, UFFD_EVENT_PAGEFAULT);
	return message;
}

static void copy_in(char *to, char with)
{
	char *page = must(malloc(PAGE));
	struct uffdio_copy copy = { .dst = (uintptr_t)to, .src = (uintptr_t)page, .len = PAGE };

	memset(page, with, PAGE);
	CHECK_EQUAL(ioctl(uffd, UFFDIO_COPY, &copy), 0);
	free(page);
}

static void *waits(void *arg)
{
	announce_waiter();
	CHECK_EQUAL(((volatile char *)missing)[5 * PAGE], 'w');
	return NULL;
}

static void *touches(void *arg)
{
	char *page = arg;

	*page = 'T';
	return NULL;
}

static void watch(char *start, size_t size, unsigned mode)
{
	struct uffdio_register area = { .range = { (uintptr_t)start, size }, .mode = mode };

	must(ioctl(uffd, UFFDIO_REGISTER, &area));
}

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	pthread_t waiter, thread;
	struct uffd_msg message;

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0)
		skip("userfaultfd: %s", strerror(errno));
	missing = must(mmap(NULL, 1024 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	guarded = must(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memset(guarded, 'g', 16 * PAGE);
	watch(missing, 1024 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	watch(guarded, 16 * PAGE, UFFDIO_REGISTER_MODE_WP);
	copy_in(missing, 'a');
	copy_in(missing + 600 * PAGE, 0); /* zeros, but there */
	struct uffdio_zeropage zero = { .range = { (uintptr_t)missing + 2 * PAGE, PAGE } };
	must(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	struct uffdio_writeprotect protect = { .range = { (uintptr_t)guarded + 3 * PAGE, 2 * PAGE },
					       .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	must(ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
	CHECK_EQUAL(pthread_create(&waiter, NULL, waits, NULL), 0);
	pid_t child = start_child(work, NULL);

	checkpoint_with(2);

	CHECK(missing[0] == 'a' && missing[PAGE - 1] == 'a');
	CHECK_EQUAL(missing[2 * PAGE], 0); /* would wait for ever if it was not there */
	CHECK_EQUAL(missing[600 * PAGE], 0);
	message = next();
	CHECK_EQUAL(message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), (uintptr_t)missing + 5 * PAGE);
	copy_in(missing + 5 * PAGE, 'w');
	CHECK_EQUAL(pthread_join(waiter, NULL), 0);
	guarded[PAGE] = 'x';
	CHECK_EQUAL(guarded[3 * PAGE], 'g');
	CHECK_EQUAL(pthread_create(&thread, NULL, touches, guarded + 4 * PAGE), 0);
	message = next();
	CHECK(message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	CHECK_EQUAL(message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), (uintptr_t)guarded + 4 * PAGE);
	protect = (struct uffdio_writeprotect){ .range = { (uintptr_t)guarded + 4 * PAGE, PAGE } };
	CHECK_EQUAL(ioctl(uffd, UFFDIO_WRITEPROTECT, &protect), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(guarded[4 * PAGE], 'T');
	CHECK_EQUAL(pthread_create(&thread, NULL, touches, missing + 700 * PAGE), 0);
	message = next();
	CHECK_EQUAL(message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), (uintptr_t)missing + 700 * PAGE);
	copy_in(missing + 700 * PAGE, 'y');
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	join_child(child, 0);
	return 0;
}
