/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * All failures of a stretch of work, not only the first: for surveys, which go on after a failure to say at once all
 * that is in the way. The code that is asked is the same as ever and calls fail() and refuse(); who loops over objects
 * decides to go on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/vector.h"

#define FINDINGS_ALIKE 5 /* so many of one place in the code are kept; the others are only counted */

struct finding {
	const char *file; /* where fail() or refuse() stands */
	int line, error;
	bool refused;  /* an object cannot be handled; else something went wrong */
	char *scopes;  /* "task 5 (sh): descriptor 3", "" if none were open */
	char *text;    /* the message */
	unsigned more; /* others like it, not kept; only at the last of its place */
};

typedef VECTOR(struct finding) finding_list;

struct findings {
	unsigned alike; /* instead of FINDINGS_ALIKE if it is not 0 */
	bool quiet;	/* they are logged as info lines, not as errors: the caller reports */
	struct findings *outer;
	finding_list list;
	finding_list warnings; /* what log_warn() said, if quiet: then they are info lines as well */
};

/* What this thread reports from now on is kept as well, until findings_end(); findings are zeroed but for quiet and
 * alike. Nests. */
void findings_begin(struct findings *findings);
void findings_end(struct findings *findings);
void findings_done(struct findings *findings);
/* How many there were, with those that are not kept. */
size_t findings_count(const struct findings *findings);

/* For base/log.c: whether warnings are wanted, and one of them. */
bool findings_want_warnings(void);
void findings_note_warning(const char *file, int line, const char *text);
/* For base/fail.c. Returns the level at which it shall be logged: an error that is one too many of its kind is a debug
 * line. */
int findings_note(const char *file, int line, int error, bool refused, const char *text);
