/* SPDX-License-Identifier: LGPL-2.1-only */
/* Levels of log lines, the same in a program that injects and in its parasite. */
#ifndef COMPEL_LOGLEVELS_H
#define COMPEL_LOGLEVELS_H

enum __compel_log_levels {
	COMPEL_LOG_MSG, /* always shown */
	COMPEL_LOG_ERROR,
	COMPEL_LOG_WARN,
	COMPEL_LOG_INFO,
	COMPEL_LOG_DEBUG,
	COMPEL_DEFAULT_LOGLEVEL = COMPEL_LOG_WARN,
};

#endif
