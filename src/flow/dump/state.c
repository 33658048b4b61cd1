/* SPDX-License-Identifier: GPL-2.0-only */
/* What the story of a dump keeps for itself. */
#include "flow/dump/state.h"

#include "base/auto.h"
#include "base/table.h"
#include "flow/freeze/freezer.h"
#include "flow/freeze/reaper.h"
#include "flow/tell.h"

static void destroy_state(void *state)
{
	struct flow_dump *flow = state;

	tell_end(&flow->tell);
	freezer_end(&flow->freezer);
	reaper_destroy(&flow->reaper);
	table_destroy(&flow->paused);
	auto_close(&flow->page_listener);
}

static const struct state_type flow_state = { sizeof(struct flow_dump), destroy_state };

void flow_dump_begin(struct dump *d)
{
	((struct flow_dump *)state_make(d->states, &flow_state))->page_listener = -1;
}

struct flow_dump *flow_dump_of(const struct dump *d)
{
	return state_find(d->states, &flow_state);
}
