// SPDX-License-Identifier: GPL-2.0-only
/*
 * Namespaces in which nobody lives: of each kind one that a mounted file keeps (unshare --uts=FILE), and one that only
 * a descriptor keeps.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <time.h>
#include <sys/utsname.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define DAYS  (100 * 24 * 3600)
#define KEY   0x5eed
#define NAMES 5

static const struct {
	const char *name;
	int flag;
} kinds[NAMES] = { { "uts", CLONE_NEWUTS },
		   { "ipc", CLONE_NEWIPC },
		   { "user", CLONE_NEWUSER },
		   { "time_for_children", CLONE_NEWTIME },
		   { "mnt", CLONE_NEWNS } };

static int to_parent[2], to_child[2];

static void say(int fd)
{
	must(write(fd, "", 1));
}

static void hear(int fd)
{
	char c;

	CHECK_EQUAL(read(fd, &c, 1), 1);
}

/* Furnishes a namespace of each kind. */
static int maker(void *name)
{
	char *memory;
	int other;

	must(unshare(CLONE_NEWUSER));
	say(to_parent[1]);
	hear(to_child[0]);
	must(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWTIME | CLONE_NEWNS));
	must(sethostname(name, strlen(name)));
	/* The image format knows segments by their numbers only: the two namespaces have different ones. */
	other = strcmp(name, "open") ? -1 : must(shmget(KEY + 1, 4096, IPC_CREAT | 0600));
	memory = shmat(must(shmget(KEY, 4096, IPC_CREAT | 0600)), NULL, 0);
	CHECK(memory != (void *)-1);
	strcpy(memory, name);
	if (other >= 0)
		must(shmctl(other, IPC_RMID, NULL));
	write_text("/proc/self/timens_offsets", "monotonic 8640000 0\n");
	must(mount(name, "/mnt", "tmpfs", 0, NULL));
	write_text("/mnt/name", name);
	say(to_parent[1]);
	hear(to_child[0]);
	return 0;
}

static void make(const char *name, void (*keep)(pid_t pid, unsigned kind))
{
	pid_t pid = start_child(maker, (void *)name);

	hear(to_parent[0]);
	write_id_maps(pid, "0 0 10", "0 0 10");
	say(to_child[1]);
	hear(to_parent[0]);
	for (unsigned i = 0; i < NAMES; i++)
		keep(pid, i);
	say(to_child[1]);
	join_child(pid, 0);
}

static void keep_file(pid_t pid, unsigned kind)
{
	char path[64];

	close(must(open(kinds[kind].name, O_RDWR | O_CREAT, 0600)));
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kinds[kind].name);
	must(mount(path, kinds[kind].name, NULL, MS_BIND, NULL));
}

static int fds[NAMES];

static void keep_open(pid_t pid, unsigned kind)
{
	fds[kind] = open_formatted(O_RDONLY, "/proc/%d/ns/%s", pid, kinds[kind].name);
}

struct visit {
	int fds[NAMES];
	const char *name;
};

static int child_of_visitor(void *arg)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	CHECK(now.tv_sec > DAYS);
	return 0;
}

static int visitor(void *arg)
{
	struct visit *visit = arg;
	struct utsname names;
	unsigned map[3];
	char *memory;
	FILE *file;

	CHECK_EQUAL(setns(visit->fds[2], CLONE_NEWUSER), 0);
	for (unsigned i = 0; i < NAMES; i++)
		if (i != 2)
			CHECK_EQUAL(setns(visit->fds[i], kinds[i].flag), 0);
	uname(&names);
	CHECK(!strcmp(names.nodename, visit->name));
	memory = shmat(shmget(KEY, 4096, 0600), NULL, SHM_RDONLY);
	CHECK(memory != (void *)-1 && !strcmp(memory, visit->name));
	CHECK(reads_text("/mnt/name", visit->name));
	file = fopen("/proc/self/uid_map", "r");
	CHECK(file && fscanf(file, "%u %u %u", &map[0], &map[1], &map[2]) == 3);
	CHECK_EQUAL(map[1], 0);
	CHECK_EQUAL(map[2], 10);
	join_child(start_child(child_of_visitor, NULL), 0);
	return 0;
}

int main(void)
{
	struct visit visit = { .name = "mounted" };
	cpu_set_t cpus;

	/* A file of a mount namespace may be mounted in older ones only, which Linux 6.18 tells by ids of each CPU. */
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus));
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(pipe(to_parent));
	must(pipe(to_child));
	make("mounted", keep_file);
	make("open", keep_open);

	checkpoint();

	for (unsigned i = 0; i < NAMES; i++)
		visit.fds[i] = must(open(kinds[i].name, O_RDONLY));
	join_child(start_child(visitor, &visit), 0);
	memcpy(visit.fds, fds, sizeof(fds));
	visit.name = "open";
	join_child(start_child(visitor, &visit), 0);
	return 0;
}
