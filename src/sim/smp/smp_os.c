/* SPDX-License-Identifier: MIT */
/* Group 0: echo, reset, parameters, who it is. */
#include <stdio.h>
#include <string.h>

#include "sim/smp/smp_priv.h"

#define RECOVERY_OUT 208u /* longest echo of serial recovery, CBOR and all */

int bf_smp_echo(struct bf_smp *s)
{
	struct bf_cbor_value d;

	if (!bf_smp_member(s, "d", &d) || d.kind != BF_CBOR_TEXT)
		return SMP_EINVAL;
	if (!s->firmware && d.len > RECOVERY_OUT)
		return SMP_ENOMEM;
	bf_cbor_text(&s->out, "r");
	bf_cbor_text_n(&s->out, d.p, d.len);
	return SMP_DONE;
}

int bf_smp_echo_control(struct bf_smp *s)
{
	bf_smp_put_int(s, "rc", 0);
	return SMP_DONE;
}

/* The firmware can be asked for the bootloader: boot_mode 1. */
int bf_smp_reset(struct bf_smp *s)
{
	struct bf_cbor_value mode;
	bool asked = s->firmware && bf_sim_opts_smp(s->opts, false) &&
		     bf_smp_member(s, "boot_mode", &mode) && mode.kind == BF_CBOR_UINT &&
		     mode.n == 1;

	s->then = asked ? SMP_THEN_RECOVERY : SMP_THEN_RESTART;
	if (!s->firmware)
		bf_smp_put_int(s, "rc", 0);
	return SMP_DONE;
}

int bf_smp_params(struct bf_smp *s)
{
	bf_smp_put_int(s, "buf_size", (int64_t)s->buffer_size);
	bf_smp_put_int(s, "buf_count", s->buffers);
	return SMP_DONE;
}

/* As uname: the fields come in their own order, whatever the order of the letters. */
int bf_smp_os_info(struct bf_smp *s)
{
	struct bf_pack_ids ids;
	char text[256] = "", asked[16] = "s";
	struct bf_cbor_value format;

	bf_pack_ids(s->pack, &ids);
	if (s->body_len && !bf_smp_member(s, "format", &format))
		return SMP_EINVAL;
	if (s->body_len && format.kind == BF_CBOR_TEXT && format.len < sizeof(asked))
		snprintf(asked, sizeof(asked), "%.*s", (int)format.len, (const char *)format.p);
	const struct {
		char letter;
		const char *value;
	} fields[] = {
		{ 's', "Zephyr" },
		{ 'n', ids.serial },
		{ 'r', "v3.4.99" },
		{ 'v', "3.4.99" },
		{ 'b', "Mon Jul  6 12:00:00 2026" },
		{ 'm', "arm" },
		{ 'p', "cortex-m4" },
		{ 'i', ids.model },
		{ 'o', "Zephyr" },
	};

	if (strspn(asked, "snrvbmpioa") != strlen(asked))
		return SMP_GROUP_ERROR(SMP_GROUP_OS, SMP_OS_INVALID_FORMAT);
	for (size_t i = 0; i < BF_COUNT(fields); i++) {
		size_t at = strlen(text);

		if (strchr(asked, 'a') || strchr(asked, fields[i].letter))
			snprintf(text + at, sizeof(text) - at, "%s%s", at ? " " : "",
				 fields[i].value);
	}
	bf_cbor_text(&s->out, "output");
	bf_cbor_text(&s->out, text);
	return SMP_DONE;
}

/* MCUBOOT_MODE_... of its build */
static int mode_number(enum bf_sim_swap swap)
{
	switch (swap) {
	case BF_SIM_SWAP_SINGLE:
		return 0;
	case BF_SIM_SWAP_SCRATCH:
		return 1;
	case BF_SIM_SWAP_OVERWRITE:
		return 2;
	case BF_SIM_SWAP_MOVE:
		return 3;
	case BF_SIM_SWAP_XIP:
		return 4;
	case BF_SIM_SWAP_RAM:
		return 6;
	case BF_SIM_SWAP_OFFSET:
		return 8;
	case BF_SIM_SWAP_UNKNOWN:
		break;
	}
	return -1;
}

int bf_smp_boot_info(struct bf_smp *s)
{
	struct bf_cbor_value query = { 0 };

	if (s->body_len && !bf_smp_member(s, "query", &query))
		return SMP_EINVAL;
	if (query.kind == BF_CBOR_NONE) {
		bf_cbor_text(&s->out, "bootloader");
		bf_cbor_text(&s->out, "MCUboot");
		return SMP_DONE;
	}
	if (query.kind != BF_CBOR_TEXT || query.len != 4 || memcmp(query.p, "mode", 4) != 0)
		return SMP_GROUP_ERROR(SMP_GROUP_OS, SMP_OS_NO_ANSWER);
	bf_smp_put_int(s, "mode", mode_number(s->opts->swap));
	return SMP_DONE;
}
