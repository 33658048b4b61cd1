/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the addresses of sockets. */
#pragma once

struct file;
struct outline;
struct restore;

void inet_inspect(const struct restore *r, const struct file *f, struct outline *to);
void unix_inspect(const struct restore *r, const struct file *f, struct outline *to);
