/* SPDX-License-Identifier: GPL-2.0-only */
/* The first words of both sides of a migration. */
#pragma once

#include "flow/migrate/wire.h"

/* Who connects speaks first. */
int hello_as_client(struct wire *wire);
int hello_as_server(struct wire *wire);
