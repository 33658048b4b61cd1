// SPDX-License-Identifier: GPL-2.0-only
/* Ten thousand descriptors, with holes between them, far above the usual limit. */
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "subject.h"

SUBJECT(.seconds = 30)

#define N 2500

int main(void)
{
	struct rlimit limit;
	static int files[N], events[N], pipes[N][2];
	uint64_t value;
	char c;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 20000;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		skip("cannot raise the limit of open files");
	for (int i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i % 100);
		files[i] = must(open(name, O_RDWR | O_CREAT, 0600));
		must(lseek(files[i], i, SEEK_SET));
		events[i] = must(eventfd((unsigned)i, EFD_NONBLOCK));
		must(pipe(pipes[i]));
		must(write(pipes[i][1], "x", 1));
	}
	int last = must(fcntl(events[7], F_DUPFD, 19000));

	checkpoint();

	for (int i = 0; i < N; i++) {
		CHECK_EQUAL(lseek(files[i], 0, SEEK_CUR), i);
		CHECK_EQUAL(read(pipes[i][0], &c, 1), 1);
		if (i && i != 7) {
			CHECK_EQUAL(read(events[i], &value, sizeof(value)), sizeof(value));
			CHECK_EQUAL(value, i);
		}
	}
	CHECK_EQUAL(read(last, &value, sizeof(value)), sizeof(value));
	CHECK_EQUAL(value, 7);
	return 0;
}
