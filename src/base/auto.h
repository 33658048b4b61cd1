/* SPDX-License-Identifier: LGPL-2.1-only */
/* Clean up when a variable goes out of scope; hand over with TAKE_PTR and TAKE_FD. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Calls function(&variable) at the end of the scope; the function must accept an empty variable. */
/* unused: clang complains about a variable that is there for its cleanup alone */
#define AUTO(function) __attribute__((cleanup(function), unused))

static inline void auto_free(void *p)
{
	free(*(void **)p);
}

static inline void auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void auto_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define AUTO_FREE     AUTO(auto_free)
#define AUTO_CLOSE    AUTO(auto_close)
#define AUTO_FCLOSE   AUTO(auto_fclose)
#define AUTO_CLOSEDIR AUTO(auto_closedir)

#define TAKE_PTR(p)                    \
	({                             \
		typeof(p) take_ = (p); \
		(p) = NULL;            \
		take_;                 \
	})
#define TAKE_FD(fd)               \
	({                        \
		int take_ = (fd); \
		(fd) = -1;        \
		take_;            \
	})
