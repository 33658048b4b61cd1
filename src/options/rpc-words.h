/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of a request as words of a command line, for a program that travels to another machine. */
#pragma once

#include "rpc.pb-c.h"

struct options;

/* --name, or --name=value. */
void rpc_keep_word(struct options *options, const char *name, const char *value);
/* What the fields say that have a shape of their own. */
void rpc_keep_own_words(struct options *options, const char *name, const CriuOpts *opts);
