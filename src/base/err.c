/* SPDX-License-Identifier: MIT */
#include "bmsflash/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/text.h"

static const struct bf_rc_info rc_rows[] = {
	/* name, meaning, exit name, exit status, worth retrying */
	[BF_OK] = { "ok", "done, and proven by the pack (or, offline, by the file)", "ok", 0,
		    false },
	[BF_E_INTERNAL] = { "internal", "a defect in bmsflash", "internal", 1, false },
	[BF_E_USAGE] = { "usage", "bad command line", "usage", 2, false },
	[BF_E_IFACE] = { "interface", "interface absent, denied, or not configured", "interface",
			 10, false },
	[BF_E_BUSY] = { "busy", "interface or node held by another program; the holder is named",
			"busy", 11, false },
	[BF_E_NODEV] = { "no-device", "nothing answered", "no-device", 12, true },
	[BF_E_TIMEOUT] = { "timeout", "an answer did not come in time", "link", 13, true },
	[BF_E_LINK] = { "link", "communication failed after all retries", "link", 13, true },
	[BF_E_GONE] = { "gone", "the interface disappeared while it was in use", "link", 13,
			false },
	[BF_E_IMAGE] = { "image",
			 "file unreadable, malformed, unsupported, or too large for the pack",
			 "image", 20, false },
	[BF_E_FILE] = { "file", "a file that bmsflash writes cannot be written", "image", 20,
			false },
	[BF_E_SIGNATURE] = { "signature", "no signature, not valid, or no trusted key", "signature",
			     21, false },
	[BF_E_INCOMPATIBLE] = { "incompatible", "made for other hardware", "incompatible", 22,
				false },
	[BF_E_ROLLBACK] = { "rollback-refused",
			    "version or security counter lower than the pack allows",
			    "rollback-refused", 23, false },
	[BF_E_PREFLIGHT] = { "preflight", "pack conditions outside limits", "preflight", 30,
			     false },
	[BF_E_AUTH] = { "auth", "the pack refused authentication", "auth", 31, false },
	[BF_E_NAK] = { "refused", "the pack refused an operation", "refused", 32, false },
	[BF_E_RESTART] = { "restart", "the pack dropped the transfer", "link", 13, false },
	[BF_E_UNSUPPORTED] = { "unsupported",
			       "this bootloader cannot do that (for example read back)",
			       "unsupported", 33, false },
	[BF_E_MISMATCH] = { "mismatch", "contents differ", "mismatch", 40, false },
	[BF_E_RESTORED] = { "restored", "the update failed; the previous firmware is running again",
			    "restored", 41, false },
	[BF_E_RECOVERY] = { "needs-recovery",
			    "the pack does not run firmware now; the next command is printed",
			    "needs-recovery", 42, false },
	[BF_E_NOT_RECORDED] = { "not-recorded", "done, but the record could not be written",
				"not-recorded", 43, false },
	[BF_E_UNPROVEN] = { "unproven",
			    "written and verified in the pack, its start not seen; the same "
			    "command proves it without writing",
			    "unproven", 44, false },
	[BF_E_INTERRUPTED] = { "interrupted",
			       "stopped by a signal or by --timeout; the pack is as the last line "
			       "says; resume is possible",
			       "interrupted", 50, false },
};
static_assert(BF_COUNT(rc_rows) == BF_RC_COUNT, "a row for every code");

const struct bf_rc_info *bf_rc_info(enum bf_rc rc)
{
	if ((unsigned)rc >= BF_RC_COUNT)
		return &rc_rows[BF_E_INTERNAL];
	return &rc_rows[rc];
}

static const struct bf_pattern_info pattern_rows[] = {
	[BF_PATTERN_NONE] = { NULL, NULL },
	[BF_PATTERN_AUTH] = { "authentication-rejected", "authentication rejected" },
	[BF_PATTERN_LOOP] = { "restart-loop", "restart loop after an update" },
	[BF_PATTERN_TRANSFER] = { "transfer-timeout", "transfer time-out" },
};
static_assert(BF_COUNT(pattern_rows) == BF_PATTERN_COUNT, "a row for every pattern");

const struct bf_pattern_info *bf_pattern_info(enum bf_pattern pattern)
{
	return &pattern_rows[(unsigned)pattern < BF_PATTERN_COUNT ? pattern : BF_PATTERN_NONE];
}

void bf_err_init(struct bf_err *err)
{
	memset(err, 0, sizeof(*err));
}

static void start(struct bf_err *err, enum bf_rc rc, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void start(struct bf_err *err, enum bf_rc rc, const char *fmt, va_list ap)
{
	bf_err_init(err);
	err->rc = rc;
	bf_text_vformat(err->cause, sizeof(err->cause), fmt, ap);
}

enum bf_rc bf_fail(struct bf_err *err, enum bf_rc rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	start(err, rc, fmt, ap);
	va_end(ap);
	return rc;
}

enum bf_rc bf_fail_os(struct bf_err *err, enum bf_rc rc, int os_errno, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	start(err, rc, fmt, ap);
	va_end(ap);
	err->os = os_errno;
	n = strlen(err->cause);
	snprintf(err->cause + n, sizeof(err->cause) - n, ": %s", strerror(os_errno));
	return rc;
}

enum bf_rc bf_fail_dev(struct bf_err *err, enum bf_rc rc, unsigned code, const char *code_name,
		       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	start(err, rc, fmt, ap);
	va_end(ap);
	err->dev_refused = true;
	err->dev_code = code;
	bf_text_escape(err->dev_name, sizeof(err->dev_name), code_name);
	return rc;
}

enum bf_rc bf_while(struct bf_err *err, const char *fmt, ...)
{
	va_list ap;
	char *step;

	if (err->n_trail >= BF_ERR_STEPS)
		return err->rc;
	step = err->trail[err->n_trail];
	va_start(ap, fmt);
	bf_text_vformat(step, sizeof(err->trail[0]), fmt, ap);
	va_end(ap);
	/* Two levels that say the same are one step to the reader. */
	if (!err->n_trail || strcmp(step, err->trail[err->n_trail - 1]) != 0)
		err->n_trail++;
	return err->rc;
}

void bf_likely(struct bf_err *err, const char *fmt, ...)
{
	va_list ap;

	if (err->n_likely >= BF_ERR_LIKELY)
		return;
	va_start(ap, fmt);
	bf_text_vformat(err->likely[err->n_likely++], sizeof(err->likely[0]), fmt, ap);
	va_end(ap);
}

void bf_do(struct bf_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(err->todo, sizeof(err->todo), fmt, ap);
	va_end(ap);
}

void bf_next(struct bf_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(err->next, sizeof(err->next), fmt, ap);
	va_end(ap);
}
