/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Before the tasks are killed: the images that were just written are read, checked and linked as a restore does it.
 * What it would reject is found here, while the tasks can still run on.
 */
#include "flow/dump/verify.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/findings.h"
#include "base/table.h"
#include "engine/engine.h"
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

int dump_verify(struct dump *d)
{
	struct findings findings = { .quiet = true };
	const struct finding *reason;
	struct options own = *d->options;
	struct needs needs = { 0 };
	struct restore r = { .needs = &needs };
	int error;

	if (!can_be_read(d))
		return 0;
	/* What is given to a restore has another form; here it counts as given. */
	own.external.n = own.inherit_fds.n = 0;
	restore_session_begin(&r, &own);
	findings_begin(&findings);
	error = load_images(&r, d);
	findings_end(&findings);
	phase_restore_end(&r);
	reason = find_reason(&findings);
	if (error < 0 && reason) {
		error = fail(reason->error, "these images could not be restored: %s%s%s", reason->scopes,
			     *reason->scopes ? ": " : "", reason->text);
	} else if (error < 0) {
		failure_reset();
		error = 0;
	}
	findings_done(&findings);
	vector_done(&needs.list);
	restore_session_end(&r);
	return error;
}
