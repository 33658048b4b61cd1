/* SPDX-License-Identifier: GPL-2.0-only */
/* What an internet socket has that no other could be given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sk-inet.pb-c.h"

struct dump;
struct inet_diag;
struct open_file;

/* What was asked of a network namespace already: the last one counts. Zeroed at first. */
struct hidden_seen {
	uint32_t labels_ns, policies_ns;
	bool policies_asked, policies;
};

/* Tells it, or refuses the socket. */
int hidden_dump(const struct dump *d, const struct open_file *of, const struct inet_diag *diag,
		const InetSkEntry *entry, struct hidden_seen *seen);
