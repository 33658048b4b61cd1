/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Credentials that requests of an io_uring may name (IORING_REGISTER_PERSONALITY). The kernel takes those of who
 * registers them: a process of ours that has them for a moment.
 */
#include "object/memory/uring/uring-personality.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/vector.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-creds.h"
#include "object/memory/uring/uring-view.h"
#include "object/task/part.h"

/* --- dump --- */

typedef VECTOR(struct found_creds {
	uint64_t creds;
	uint32_t number;
}) creds_list;

static void keep_creds(void *arg, uint64_t number, uint64_t creds)
{
	*vector_push((creds_list *)arg) = (struct found_creds){ creds, (uint32_t)number };
}

static int dump_all(const struct dump *d, const struct open_file *of, struct uring_view *view, const creds_list *list,
		    UringEntry *record)
{
	record->personalities = pool_array(d->pool, UringPersonality *, list->n + 1);
	for (size_t i = 0; i < list->n; i++) {
		UringPersonality *one = pool_new(d->pool, UringPersonality);
		char whose[64];

		snprintf(whose, sizeof(whose), "the credentials of its personality %u", list->items[i].number);
		uring_personality__init(one);
		one->number = list->items[i].number;
		TRY(uring_creds_dump(d, view, of->task, list->items[i].creds, whose, &one->creds));
		record->personalities[record->n_personalities++] = one;
	}
	return 0;
}

int uring_dump_personalities(const struct dump *d, const struct open_file *of, uint64_t ctx, UringEntry *record)
{
	creds_list list = { 0 };
	struct uring_view *view;
	int error;

	TRY(uring_view_get(d, &view));
	uring_view_walk(view, uring_view_place(view, ctx, AT_io_ring_ctx_personalities), keep_creds, &list);
	error = dump_all(d, of, view, &list, record);
	vector_done(&list);
	return error;
}

/* --- restore --- */

int uring_load_personalities(const UringEntry *record)
{
	for (size_t i = 0; i < record->n_personalities; i++) {
		const UringPersonality *one = record->personalities[i];

		if (!one->number || one->number > UINT16_MAX ||
		    (i && one->number <= record->personalities[i - 1]->number))
			return refuse(EINVAL, "files.img: its personality %u cannot be", one->number);
		TRY(credentials_check(one->creds));
	}
	return record->thread_creds ? credentials_check(record->thread_creds) : 0;
}

/* The kernel gives numbers in their order: those that are not wanted are taken for a moment. */
static int register_number(int fd, uint32_t number)
{
	for (;;) {
		long got = syscall(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0);

		if (got < 0)
			return -1;
		if (got == number)
			return 0;
		if (syscall(SYS_io_uring_register, fd, IORING_UNREGISTER_PERSONALITY, NULL, got) < 0)
			return -1;
		if (got > number) {
			errno = EEXIST;
			return -1;
		}
	}
}

static int register_one(int fd, const UringPersonality *one)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		const int error = credentials_take(one->creds);

		_exit(error < 0 ? -error : register_number(fd, one->number) < 0 ? errno : 0);
	}
	if (pid < 0)
		return fail_errno("making a process for the personality %u", one->number);
	if (waitpid(pid, &status, 0) < 0)
		return fail_errno("waiting for the process for the personality %u", one->number);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return fail(WIFEXITED(status) ? WEXITSTATUS(status) : EINTR, "giving it the personality %u", one->number);
}

int uring_register_personalities(const UringEntry *record, int fd)
{
	for (size_t i = 0; i < record->n_personalities; i++)
		TRY(register_one(fd, record->personalities[i]));
	return 0;
}
