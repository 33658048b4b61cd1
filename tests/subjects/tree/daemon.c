// SPDX-License-Identifier: GPL-2.0-only
/* Daemons that forked twice: the leader of their session is dead, a subreaper has adopted them; each has its own
 * memory. */
#include <sys/prctl.h>

#include "subject.h"

SUBJECT()

static int value = 1;
static char *memory;

#define SIZE (64 << 10)

static int live(void *arg)
{
	unsigned seed = (unsigned)(long)arg;
	pid_t session = getsid(0), group = getpgid(0);
	char *own = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK(own != MAP_FAILED);
	value = (int)seed;
	fill(own, SIZE, seed);
	wait_for_restore();
	CHECK_EQUAL(getsid(0), session);
	CHECK_EQUAL(getpgid(0), group);
	CHECK_EQUAL(value, seed);
	check_filled(own, SIZE, seed);
	check_filled(memory, SIZE, 1);
	return (int)seed;
}

/* Leads a session, has two children in it, and leaves them alone. */
static int lead(void *arg)
{
	must(setsid());
	start_child(live, (void *)((long)arg + 1));
	start_child(live, (void *)((long)arg + 2));
	return 0;
}

int main(void)
{
	long statuses = 0;
	int status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	memory = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(memory != MAP_FAILED);
	fill(memory, SIZE, 1);
	join_child(start_child(lead, (void *)10L), 0);
	join_child(start_child(lead, (void *)20L), 0);

	checkpoint_with(4);

	CHECK_EQUAL(value, 1);
	check_filled(memory, SIZE, 1);
	for (int i = 0; i < 4; i++) {
		CHECK(waitpid(-1, &status, 0) > 0);
		CHECK(WIFEXITED(status));
		statuses += WEXITSTATUS(status);
	}
	CHECK_EQUAL(statuses, 11 + 12 + 21 + 22);
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	return 0;
}
