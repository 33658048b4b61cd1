/* SPDX-License-Identifier: GPL-2.0-only */
/* Files without a descriptor. */
#pragma once

struct dump;
struct open_file;

/* As file_describe(), for a file without a descriptor of a task: what is known of of->fd alone. */
int file_describe_path(const struct dump *d, struct open_file *of);
