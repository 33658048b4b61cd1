/* SPDX-License-Identifier: GPL-2.0-only */
/* The usage and help texts. */
#pragma once

#include <stdio.h>

void options_print_usage(FILE *to); /* short */
void options_print_help(FILE *to);  /* all options, from the table */
