/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of restore --copies: look at the checkpoint, fill the memory that all share, make all, let all go. */
#include "flow/copies/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "flow/copies/copy.h"
#include "flow/init.h"
#include "flow/restore/load.h"
#include "flow/restore/session.h"
#include "object/memory/template/template.h"

struct copies {
	const struct options *options;
	restore_t *restore;
	struct memory_template *template;
	struct birth *births;
	unsigned n, n_begun, n_under_way, n_complete;
};

/* --- what all have in common --- */

static int fill_template(struct restore *r, struct memory_template **ret)
{
	TRY(restore_load(r));
	TRY(phase_restore_copies(r));
	r->workers = workers_create(0);
	return memory_template_make(r, ret);
}

static int load_template(const struct options *options, struct memory_template **ret)
{
	struct restore r = { 0 };
	int error = restore_begin(&r, options);

	if (error == 0)
		error = fill_template(&r, ret);
	restore_end(&r);
	return error;
}

/* --- making --- */

static int hear_worker(struct copies *copies, struct birth *birth)
{
	if (io_read_exact(birth->ready, &birth->inner, sizeof(birth->inner)) < 0)
		return failure_error() ? -failure_error() : refuse(EIO, "criu has ended in the middle of it");
	birth->root = init_find_child(birth->worker, birth->inner);
	if (!birth->root)
		return refuse(ESRCH, "its root task %d has ended", birth->inner);
	log_info("Its root %d is %d here, in the pid namespace of the init %d", birth->inner, birth->root, birth->init);
	birth->state = COMPLETE;
	copies->n_under_way--;
	copies->n_complete++;
	return 0;
}

/* Until one of them has something to say (timeout -1). Who is complete says no more before it is let go. */
static int hear_workers(struct copies *copies, int timeout)
{
	AUTO_FREE struct pollfd *polled = xzalloc((copies->n + 1) * sizeof(*polled));

	for (unsigned i = 0; i < copies->n_begun; i++)
		polled[i] = (struct pollfd){ .fd = copies->births[i].ready, .events = POLLIN };
	polled[copies->n_begun] = (struct pollfd){ .fd = interrupt_fd(), .events = POLLIN };
	if (poll(polled, copies->n_begun + 1, timeout) < 0 && errno != EINTR)
		return fail_errno("waiting for the copies");
	TRY(interrupt_check());
	for (unsigned i = 0; i < copies->n_begun; i++) {
		LOG_SCOPE("copy %u", copies->births[i].number);
		if (polled[i].revents && copies->births[i].state == COMPLETE)
			return refuse(EIO, "criu has ended in the middle of it");
		if (polled[i].revents)
			TRY(hear_worker(copies, &copies->births[i]));
	}
	return 0;
}

/* More at once than there are CPUs would only wait for each other. */
static int make_all(struct copies *copies)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const unsigned at_once = cpus > 0 ? (unsigned)cpus + 1 : 2;

	while (copies->n_complete < copies->n) {
		TRY(interrupt_check());
		if (copies->n_begun == copies->n || copies->n_under_way == at_once) {
			TRY(hear_workers(copies, -1));
			continue;
		}
		copies->births[copies->n_begun].state = UNDER_WAY;
		copies->n_under_way++;
		TRY(copy_begin(copies->options, copies->restore, copies->template, copies->births,
			       &copies->births[copies->n_begun++]));
	}
	return 0;
}

/* --- letting go, or taking back --- */

static int write_pidfile(const struct copies *copies)
{
	const char *path = copies->options->pidfile;
	AUTO_CLOSE int fd = -1;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno("--pidfile %s (it must not exist before)", path);
	for (unsigned i = 0; i < copies->n; i++)
		if (dprintf(fd, "%d\n", copies->births[i].root) < 0) {
			unlink(path);
			return fail_errno("--pidfile %s", path);
		}
	return 0;
}

static void close_lines(struct birth *birth)
{
	if (birth->ready >= 0)
		close(TAKE_FD(birth->ready));
	if (birth->gate >= 0)
		close(TAKE_FD(birth->gate));
}

static int await_worker(struct birth *birth)
{
	pid_t pid = birth->worker;
	int status = 0;

	birth->worker = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno("waiting for criu");
	return status ? -ECANCELED : 0;
}

static int let_all_go(struct copies *copies)
{
	int error = 0;

	TRY(hear_workers(copies, 0));
	TRY(write_pidfile(copies));
	TRY(interrupt_check_last());
	for (unsigned i = 0; i < copies->n; i++)
		(void)io_write(copies->births[i].gate, "", 1); /* who is dead is noticed below */
	for (unsigned i = 0; i < copies->n; i++) {
		LOG_SCOPE("copy %u", copies->births[i].number);
		if (await_worker(&copies->births[i]) < 0 && error == 0)
			error = refuse(EIO, "criu has ended in the middle of it");
		close_lines(&copies->births[i]);
	}
	return error;
}

/* Who is complete undoes what it has made; the first process of a pid namespace takes all others along. */
static void take_back(struct copies *copies)
{
	for (unsigned i = 0; i < copies->n_begun; i++) {
		close_lines(&copies->births[i]);
		if (copies->births[i].worker > 0)
			kill(copies->births[i].worker, SIGTERM); /* it may wait for a script */
	}
	for (unsigned i = 0; i < copies->n_begun; i++) {
		struct birth *birth = &copies->births[i];

		(void)await_worker(birth);
		if (birth->init > 0) {
			kill(birth->init, SIGKILL);
			while (waitpid(birth->init, NULL, 0) < 0 && errno == EINTR)
				;
		}
	}
}

static int run_copies(struct copies *copies)
{
	int error = make_all(copies);

	if (error == 0)
		error = let_all_go(copies);
	if (error < 0)
		take_back(copies);
	return error;
}

/* --- the end --- */

static void name_roots(const struct copies *copies, struct restored *ret)
{
	ret->root = copies->births[0].root;
	ret->copies = xzalloc(copies->n * sizeof(*ret->copies));
	ret->n_copies = copies->n;
	for (unsigned i = 0; i < copies->n; i++)
		ret->copies[i] = copies->births[i].root;
}

/* Without --restore-detached we stay until all have ended. */
static void await_end(void)
{
	int late = interrupt_release();

	log_flush();
	if (late)
		(void)raise(late);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

int restore_copies(const struct options *options, restore_t *restore, struct restored *ret)
{
	struct copies copies = { .options = options, .restore = restore, .n = options->copies };
	int error;

	*ret = (struct restored){ 0 };
	copies.births = xzalloc(copies.n * sizeof(*copies.births));
	for (unsigned i = 0; i < copies.n; i++)
		copies.births[i] = (struct birth){ .number = i + 1, .of = copies.n, .ready = -1, .gate = -1 };
	interrupt_catch("nothing of the copies is left");
	error = load_template(options, &copies.template);
	if (error == 0)
		error = run_copies(&copies);
	memory_template_destroy(&copies.template);
	if (error == 0) {
		name_roots(&copies, ret);
		log_info("%u copies run.", copies.n);
		if (!options->restore_detached)
			await_end();
	} else {
		log_error("Restoring %u copies FAILED.", copies.n);
	}
	free(copies.births);
	return error;
}
