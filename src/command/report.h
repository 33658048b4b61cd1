/* SPDX-License-Identifier: GPL-2.0-only */
/* What check --tree and verify print of findings: text for people, JSON for programs. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/findings.h"

/* One line each, with the indentation given, and lines for those that were only counted. */
void report_print(const finding_list *list, const char *indent);
/* [{"where": "task 5 (sh): descriptor 3", "what": "...", "more": 0}, ...] */
json_t *report_json(const finding_list *list);
/* Any bytes as JSON. */
json_t *report_text(const char *text);
/* Prints and releases. */
void report_print_json(json_t *json);
/* "3 tasks", "1 task" */
const char *report_plural(size_t n);
