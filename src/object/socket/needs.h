/* SPDX-License-Identifier: GPL-2.0-only */
/* criu verify: what sockets are, and need of the machine and of others. restore --copies: what only one could have. */
#pragma once

struct file;
struct pool;
struct restore;

const char *inet_describe(const struct file *f, struct pool *pool);
int inet_need(const struct restore *r, struct file *f);
/* restore --copies: refuses what only one copy could have. */
int inet_copies(const struct restore *r, struct file *f);

const char *unix_describe(const struct file *f, struct pool *pool);
int unix_need(const struct restore *r, struct file *f);
int unix_copies(const struct restore *r, struct file *f);
