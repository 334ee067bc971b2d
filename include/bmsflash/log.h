/* SPDX-License-Identifier: MIT */
/* Debug lines go to a sink that the caller passed in; nothing below the command line prints. */
#pragma once

#include "bmsflash/base.h"

enum bf_log_level { BF_LOG_WARN, BF_LOG_INFO, BF_LOG_DEBUG };

struct bf_log {
	void (*line)(void *ctx, enum bf_log_level level, const char *text);
	void *ctx;
	enum bf_log_level max; /* lines above this level are not formatted */
};

/* log may be NULL */
void bf_log(const struct bf_log *log, enum bf_log_level level, const char *fmt, ...)
	BF_PRINTF(3, 4);
