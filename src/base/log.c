/* SPDX-License-Identifier: MIT */
#include "bmsflash/log.h"

#include <stdarg.h>

#include "bmsflash/text.h"

void bf_log(const struct bf_log *log, enum bf_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!log || !log->line || level > log->max)
		return;
	va_start(ap, fmt);
	bf_text_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	log->line(log->ctx, level, text);
}
