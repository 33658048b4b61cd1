/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of what a restored tree will lack. */
#include "session/loss.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/log.h"
#include "image/inventory.h"
#include "session/stats.h"

#define LOSSES_KEPT 200 /* in the inventory; all are in the log and counted */

static void keep_loss(const struct dump *d, const char *text)
{
	struct inventory *inventory = d->inventory;
	char scopes[1024];

	if (!inventory->lost)
		inventory->lost = pool_array(d->pool, char *, LOSSES_KEPT);
	if (inventory->n_lost == LOSSES_KEPT)
		return;
	(void)log_scope_text(scopes, sizeof(scopes));
	inventory->lost[inventory->n_lost++] = pool_printf(d->pool, "%s%s", scopes, text);
}

void dump_report_loss_at(const struct dump *d, const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_write(LOG_WARN, file, line, "is not saved: %s", text);
	d->stats->losses++;
	keep_loss(d, text);
}

void restore_tell_losses(const struct restore *r)
{
	const struct inventory *inventory = r->inventory;

	for (size_t i = 0; inventory && i < inventory->n_lost; i++)
		log_warn("was not saved: %s", inventory->lost[i]);
}
