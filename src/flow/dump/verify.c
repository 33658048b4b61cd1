/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Before the tasks are killed: the images that were just written are read, checked and linked as a restore does it.
 * What it would reject is found here, while the tasks can still run on.
 */
#include "flow/dump/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/findings.h"
#include "base/pool.h"
#include "base/table.h"
#include "engine/engine.h"
#include "flow/dump/state.h"
#include "flow/restore/load.h"
#include "image/blocks/store-blocks.h"
#include "image/pipe/store-pipe.h"
#include "image/store.h"
#include "session/needs.h"
#include "session/stats.h"

static bool can_be_read(struct dump *d)
{
	return store_get_dir(dump_store(d)) >= 0 || store_is_pipe(dump_store(d));
}

static int load_images(struct restore *r, struct dump *d)
{
	if (store_is_pipe(dump_store(d))) {
		TRY(store_pipe_view(dump_store(d), &r->store));
		return restore_load(r);
	}
	TRY(store_open_dir(d->options->images_dir_fd, false, &r->store));
	store_decrypt_with(r->store, d->options->decrypt_with);
	store_borrow_key(r->store, dump_store(d));
	store_read_written(r->store, dump_store(d));
	return restore_load(r);
}

/* Another user may be able to do what this one cannot. */
static const struct finding *find_reason(const struct findings *findings)
{
	for (size_t i = 0; i < findings->list.n; i++)
		if (findings->list.items[i].error != EPERM || geteuid() == 0)
			return &findings->list.items[i];
	return NULL;
}

struct dump_verify {
	struct options own;
	struct needs needs;
	struct restore r;
};

static void begin_session(struct dump_verify *verify, const struct dump *d)
{
	verify->own = *d->options;
	/* What is given to a restore has another form; here it counts as given. */
	verify->own.external.n = verify->own.inherit_fds.n = 0;
	verify->r.needs = &verify->needs;
	restore_session_begin(&verify->r, &verify->own);
}

int dump_verify_begin(struct dump *d)
{
	struct dump_verify *verify;

	if (!can_be_read(d))
		return 0;
	verify = flow_dump_of(d)->verify = xzalloc(sizeof(*verify));
	begin_session(verify, d);
	return phase_restore_self(&verify->r);
}

void dump_verify_end(struct dump_verify **ref)
{
	struct dump_verify *verify = TAKE_PTR(*ref);

	if (!verify)
		return;
	phase_restore_end(&verify->r);
	vector_done(&verify->needs.list);
	restore_session_end(&verify->r);
	free(verify);
}

int dump_verify(struct dump *d)
{
	struct dump_verify *verify = flow_dump_of(d)->verify;
	struct findings findings = { .quiet = true };
	const struct finding *reason;
	int error;

	if (!verify)
		return 0;
	findings_begin(&findings);
	error = load_images(&verify->r, d);
	findings_end(&findings);
	reason = find_reason(&findings);
	if (error < 0 && reason) {
		error = fail(reason->error, "these images could not be restored: %s%s%s", reason->scopes,
			     *reason->scopes ? ": " : "", reason->text);
	} else if (error < 0) {
		failure_reset();
		error = 0;
	}
	findings_done(&findings);
	return error;
}
