/* SPDX-License-Identifier: GPL-2.0-only */
/* criu lazy-pages. */
#include "command/command.h"
#include "flow/lazy-pages.h"
#include "options/options.h"

int command_lazy_pages(const struct options *options)
{
	return lazy_pages(options) < 0 ? 1 : 0;
}
