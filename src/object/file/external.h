/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that the user provides. */
#pragma once

#include <stdbool.h>

#include "object/file/file.h"

extern const struct file_kind external_kind;

/* The user provides this one. */
bool file_is_given(const struct dump *d, const struct open_file *of);
/* Names keys of --external that no kind looks for. */
void file_check_external(const struct options *options);
