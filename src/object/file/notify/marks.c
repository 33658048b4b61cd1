/* SPDX-License-Identifier: GPL-2.0-only */
/* What inotify and fanotify files tell of themselves: a line for each thing that is watched, and events. */
#include "object/file/notify/marks.h"

#include <sys/ioctl.h>

#include "base/log.h"
#include "base/vector.h"
#include "kern/proc/fdinfo.h"
#include "object/file/file.h"
#include "session/session.h"

int marks_dump(const struct dump *d, const struct open_file *of, const char *word, mark_parse_t parse, void *record,
	       void ***ret, size_t *ret_n)
{
	VECTOR(void *) marks = { 0 };
	const char *value;
	size_t at = 0;
	int waiting, error = 0;

	while (error == 0 && (value = fdinfo_next(of->fdinfo, word, &at))) {
		void *mark = NULL;

		error = parse(d, of, value, record, &mark);
		if (mark)
			*vector_push(&marks) = mark;
	}
	*ret_n = marks.n;
	*ret = pool_copy(d->pool, marks.items, marks.n * sizeof(*marks.items));
	vector_done(&marks);
	if (error == 0 && ioctl(of->fd, FIONREAD, &waiting) == 0 && waiting)
		log_warn("%d bytes of unread events cannot be saved: the restored program will miss them", waiting);
	return error;
}
