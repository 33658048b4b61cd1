/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a dump writes its images, and a restore reads them; and how those end that are one stream. */
#pragma once

#include <stdbool.h>

struct dump;
struct listener;
struct options;
struct restore;
struct store;

/*
 * As images_open(). With --stream who listens in that directory instead, or one descriptor; the scripts run before.
 */
int stream_or_images_open(const struct options *options, struct listener *listener, bool for_writing,
			  struct store **ret);

/* What follows does nothing for other stores than a stream. */

/* All images are written: they go out, and the pages, which are still in the tasks. */
int stream_send(struct dump *d);
/* Nothing can fail any more here: the mark without which nobody believes the stream. */
int stream_commit(struct dump *d);
/* Whether scripts are asked, when all is written, if it has arrived. */
bool stream_is_asked_for(struct dump *d);
/* The mark, the end of the stream, and the scripts: the tasks may end if none of them fails. */
int stream_commit_and_ask(struct dump *d);
/* Before the tasks may run: the mark has come. */
int stream_read_rest(struct restore *r);

/* criu receive: a stream into the images directory. */
int stream_receive(const struct options *options);
