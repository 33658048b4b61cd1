/* SPDX-License-Identifier: GPL-2.0-only */
/* The two processes that make one copy. */
#include "flow/copies/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "flow/init.h"
#include "kern/pidfd.h"
#include "object/memory/template/template.h"
#include "session/copy.h"

/* --- the init --- */

/*
 * The line is a socket: the worker tells its pid when it has made its namespaces, one more byte when the tasks may
 * outlive criu, and both are answered. If it ends before, the copy has failed.
 */
static _Noreturn void run_init(int line)
{
	AUTO_CLOSE int worker = -1;
	pid_t pid;
	char word;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	init_become(true, line);
	(void)setsid();
	if (io_read_exact(line, &pid, sizeof(pid)) < 0)
		_exit(1);
	worker = pidfd_of_process(pid);
	/* So nsenter(1) with our pid leads to where the tasks are. */
	if (worker < 0 || setns(worker, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) < 0 || chdir("/") < 0 ||
	    io_write(line, "", 1) < 0 || io_read_exact(line, &word, 1) < 0)
		_exit(1);
	(void)prctl(PR_SET_PDEATHSIG, 0);
	if (io_write(line, "", 1) < 0)
		_exit(1);
	close(line);
	/* Its children are ours from now on. */
	(void)pidfd_wait_exit(worker, -1);
	_exit(init_reap_all(0));
}

static int tell_init(int line, const void *word, size_t size)
{
	char answer;
	int error = io_write(line, word, size);

	if (error == 0)
		error = io_read_exact(line, &answer, 1);
	return error < 0 ? fail(-error, "--copies: the first process of the pid namespace has ended") : 0;
}

/* --- the worker --- */

static const char *put_number(struct pool *pool, const char *text, unsigned number)
{
	const char *mark = text ? strstr(text, COPY_MARK) : NULL;

	if (!mark)
		return text;
	return pool_printf(pool, "%.*s%u%s", (int)(mark - text), text, number,
			   put_number(pool, mark + strlen(COPY_MARK), number));
}

/* What each copy has elsewhere, or under another name. */
static void put_numbers(struct options *own, struct pool *pool, unsigned number)
{
	struct opt_pair *maps = pool_copy(pool, own->map_paths.items, own->map_paths.n * sizeof(*maps));
	struct opt_cgroup_root *roots = pool_copy(pool, own->cgroup_roots.items, own->cgroup_roots.n * sizeof(*roots));
	const char **external = pool_copy(pool, own->external.items, own->external.n * sizeof(*external));

	for (size_t i = 0; i < own->map_paths.n; i++)
		maps[i].to = put_number(pool, maps[i].to, number);
	for (size_t i = 0; i < own->cgroup_roots.n; i++)
		roots[i].path = put_number(pool, roots[i].path, number);
	for (size_t i = 0; i < own->external.n; i++)
		external[i] = put_number(pool, external[i], number);
	own->map_paths.items = maps;
	own->cgroup_roots.items = roots;
	own->external.items = external;
}

static int start_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? fail_errno("--copy-net: starting the loopback device")
							       : 0;
}

static int make_namespaces(const struct options *options, const struct copy *copy)
{
	if (options->copy_net) {
		if (unshare(CLONE_NEWNET) < 0)
			return fail_errno("--copy-net: a network namespace");
		TRY(start_loopback());
	}
	if (copy->hostname && (unshare(CLONE_NEWUTS) < 0 || sethostname(copy->hostname, strlen(copy->hostname)) < 0))
		return fail_errno("--copy-hostname: setting the host name %s", copy->hostname);
	return 0;
}

static int write_environment(const char *path, const struct copy *copy)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0 || dprintf(fd, "CRIU_COPY=%u\nCRIU_COPIES=%u\n", copy->number, copy->of) < 0 ||
	    (copy->hostname && dprintf(fd, "CRIU_COPY_HOSTNAME=%s\n", copy->hostname) < 0))
		return fail_errno("--copy-env: writing a file");
	return 0;
}

/* A file of our own lies upon the one of this name. /proc, which comes anew, lends its place for a moment. */
static int place_environment(const char *path, const struct copy *copy)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("criu-copy", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") < 0)
		return fail_errno("--copy-env: making a file system");
	TRY(write_environment("/proc/env", copy));
	if (mount("/proc/env", path, NULL, MS_BIND, NULL) < 0)
		return fail_errno("--copy-env: mounting a file of each copy upon %s, which must exist", path);
	return umount2("/proc", MNT_DETACH) < 0 ? fail_errno("--copy-env: leaving the file system") : 0;
}

/* For scripts. */
static void set_variables(const struct copy *copy)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", copy->number);
	setenv("CRIU_COPY", text, 1);
	snprintf(text, sizeof(text), "%u", copy->of);
	setenv("CRIU_COPIES", text, 1);
}

static int make_surroundings(const struct options *options, const struct copy *copy)
{
	const pid_t pid = getpid();

	set_variables(copy);
	TRY(make_namespaces(options, copy));
	if (options->copy_env)
		TRY(place_environment(options->copy_env, copy));
	TRY(init_show_own_pids("--copies"));
	return tell_init(copy->init, &pid, sizeof(pid));
}

static int run_worker(const struct options *options, restore_t *restore, struct copy *copy)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	struct restored restored = { 0 };
	struct options own = *options;

	LOG_SCOPE("copy %u", copy->number);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (options->restore_detached)
		(void)setsid();
	own.restore_detached = true;
	own.copies = 0;
	own.pidfile = NULL;
	put_numbers(&own, pool, copy->number);
	copy->hostname = put_number(pool, options->copy_hostname, copy->number);
	TRY(make_surroundings(options, copy));
	return restore(&own, NULL, copy, &restored);
}

int copy_await_others(const struct copy *copy, pid_t root)
{
	const struct address_range shared = memory_template_range(copy->template);
	char go;

	if (shared.end) /* the tasks have it */
		munmap((void *)shared.start, shared.end - shared.start);
	log_flush();
	if (io_write(copy->ready, &root, sizeof(root)) < 0 || io_read_exact(copy->gate, &go, 1) < 0)
		return -ECANCELED; /* who gave up has said why */
	(void)prctl(PR_SET_PDEATHSIG, 0);
	return tell_init(copy->init, "", 1);
}

/* --- both are made --- */

static int fork_both(const struct options *options, restore_t *restore, const struct birth *others, struct birth *birth,
		     struct copy *copy, int line)
{
	TRY(memory_template_pass_on(copy->template, false));
	birth->init = fork();
	if (birth->init == 0)
		run_init(line);
	TRY(memory_template_pass_on(copy->template, true));
	birth->worker = birth->init > 0 ? fork() : -1;
	if (birth->worker < 0)
		return fail_errno("--copies: making a process");
	if (birth->worker > 0)
		return 0;
	/* Whoever waits for the end of one of these must not wait for us. */
	close(line);
	close(birth->ready);
	close(birth->gate);
	for (const struct birth *other = others; other < birth; other++) {
		close(other->ready);
		close(other->gate);
	}
	birth->init = run_worker(options, restore, copy) < 0;
	log_flush();
	_exit(birth->init);
}

static int make_pid_namespace(void)
{
	AUTO_CLOSE int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	/* The kernel makes one only for whose children live in its own. */
	if (own < 0 || setns(own, CLONE_NEWPID) < 0 || unshare(CLONE_NEWPID) < 0)
		return fail_errno("--copies: a pid namespace");
	return 0;
}

int copy_begin(const struct options *options, restore_t *restore, const struct memory_template *template,
	       const struct birth *others, struct birth *birth)
{
	AUTO_CLOSE int ready = -1, gate = -1, line = -1, theirs = -1;
	int ends[2];
	struct copy copy = { .number = birth->number, .of = birth->of, .template = template };

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	birth->ready = ends[0];
	copy.ready = ready = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	copy.gate = gate = ends[0];
	birth->gate = ends[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno("making a pair of sockets");
	copy.init = line = ends[0];
	theirs = ends[1];
	TRY(make_pid_namespace());
	log_flush();
	return fork_both(options, restore, others, birth, &copy, theirs);
}
