/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two sides of a migration say to each other (docs/MIGRATION.md): frames, all numbers little-endian. Behind
 * MIGRATE_IMAGES comes a whole stream as src/image/pipe/pipe-format.h has it, which ends with its own commit mark.
 */
#pragma once

#include <stdint.h>

#define MIGRATE_MAGIC	0x4d555243 /* "CRUM" */
#define MIGRATE_VERSION 2
/* Payload of one frame: more is taken for damage. */
#define MIGRATE_PAYLOAD_MAX (1u << 20)

enum migrate_kind {
	/* from the side that has the program */
	MIGRATE_HELLO = 1, /* number: MIGRATE_VERSION; payload: who we are. Both sides begin with it */
	MIGRATE_BEGIN,	   /* payload: the number of this migration, then options of the restore, each with a NUL */
	MIGRATE_IMAGES,	   /* number: enum migrate_images; payload: nothing. A stream follows */
	MIGRATE_COMMIT,	   /* nothing runs here any more, and nothing will unless the other side says that it failed */
	MIGRATE_BYE,	   /* the tasks are dead here: the outcome may be forgotten */
	MIGRATE_ASK,	   /* payload: the number of a migration: what has become of it? */
	MIGRATE_PAGES, /* payload: PAGE_ADD of the page server's protocol, and pages: answers to MIGRATE_WANT, in order
			*/
	MIGRATE_MORE,  /* as MIGRATE_ASK; if the answer is MIGRATE_PARTIAL, memory follows by this connection */

	/* from the other one */
	MIGRATE_FINE = 64, /* what was asked for is done */
	MIGRATE_REFUSED,   /* payload: why not. It is all over, nothing is left there */
	MIGRATE_READY,	   /* all is there and stands still */
	MIGRATE_RESUMED,   /* number: pid of the root. It runs there */
	MIGRATE_OUTCOME,   /* number: enum migrate_outcome; payload: pid of the root as text */
	MIGRATE_WANT,	   /* payload: PAGE_GET of the page server's protocol */
	MIGRATE_COMPLETE,  /* all memory is there */
	MIGRATE_GONE,	   /* it did run, but has not got all of its memory, and was killed */
};

enum migrate_images {
	MIGRATE_REHEARSAL, /* a checkpoint without memory, only to be looked at */
	MIGRATE_ROUND,	   /* memory, before the tasks stop */
	MIGRATE_FINAL,	   /* the checkpoint */
	MIGRATE_POST_COPY, /* the checkpoint, but memory that is asked for later */
	MIGRATE_NOTHING,   /* no images at all: the other side was only asked */
};

enum migrate_outcome {
	MIGRATE_RUNS_THERE, /* or has run, and has ended since */
	MIGRATE_NEVER,	    /* it does not run there, and never will */
	MIGRATE_UNKNOWN,    /* criu was killed there in the moment when it let the tasks go */
	MIGRATE_PARTIAL,    /* it runs there, and some of its memory is still here */
	MIGRATE_LOST,	    /* it did run there, was killed before it had all of its memory, and will not run again */
};

struct migrate_head {
	uint32_t magic, kind, number;
	uint32_t size; /* of the payload, which follows */
};
