/* SPDX-License-Identifier: GPL-2.0-only */
/* States of parts of the program: a handful for each owner, so a list is enough. */
#include "session/state.h"

#include <stdlib.h>

#include "base/pool.h"

struct state {
	struct state *before;
	const struct state_type *type;
	_Alignas(max_align_t) char data[];
};

void *state_find(const struct states *states, const struct state_type *type)
{
	if (!states)
		return NULL;
	for (struct state *state = states->last; state; state = state->before)
		if (state->type == type)
			return state->data;
	return NULL;
}

void *state_make(struct states *states, const struct state_type *type)
{
	struct state *state = xzalloc(sizeof(*state) + type->size);

	state->type = type;
	state->before = states->last;
	states->last = state;
	return state->data;
}

void *state_get(struct states *states, const struct state_type *type)
{
	return state_find(states, type) ?: state_make(states, type);
}

/* It is out of the list first: nobody finds it half destroyed. */
static void destroy_state(struct state **place)
{
	struct state *state = *place;

	*place = state->before;
	if (state->type->destroy)
		state->type->destroy(state->data);
	free(state);
}

void state_destroy(struct states *states, const struct state_type *type)
{
	for (struct state **place = &states->last; *place; place = &(*place)->before)
		if ((*place)->type == type) {
			destroy_state(place);
			return;
		}
}

void states_destroy(struct states *states)
{
	while (states && states->last)
		destroy_state(&states->last);
}
