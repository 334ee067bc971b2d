/* SPDX-License-Identifier: MIT */
#include "sim/wiring.h"

#define BREAK_MIN BF_MS(50) /* shorter ones are noise */

/*
 *   wiring  in reset         boot pin         opening a port, which sets both
 *   cross   RTS and not DTR  DTR and not RTS  does nothing: two transistors, as on many boards
 *   direct  RTS              DTR              holds the pack in reset
 */
static bool in_reset(enum bf_sim_lines lines, unsigned on)
{
	bool rts = on & BF_MODEM_RTS, dtr = on & BF_MODEM_DTR;

	return rts && (lines == BF_SIM_LINES_DIRECT || !dtr);
}

static bool boot_pin(enum bf_sim_lines lines, unsigned on)
{
	bool rts = on & BF_MODEM_RTS, dtr = on & BF_MODEM_DTR;

	return dtr && (lines == BF_SIM_LINES_DIRECT || !rts);
}

/* The pin is looked at when the reset ends. */
static void modem(struct bf_stream_node *n, unsigned on, bf_time now)
{
	enum bf_sim_lines lines = bf_pack_opts(n->pack)->lines;
	bool held = n->held;

	n->held = in_reset(lines, on);
	if (n->held && !held) {
		bf_pack_power(n->pack, false, now);
	} else if (held && !n->held) {
		bf_pack_release_reset(n->pack, now);
		if (boot_pin(lines, on))
			bf_pack_restart_to_loader(n->pack, now);
	}
}

static void line_break(struct bf_stream_node *n, bf_time duration, bf_time now)
{
	if (duration >= BREAK_MIN && bf_pack_mode(n->pack) != BF_PACK_OFF)
		bf_pack_restart_to_loader(n->pack, now);
}

void bf_wiring_init(struct bf_stream_node *n)
{
	const struct bf_sim_opts *opts = bf_pack_opts(n->pack);

	n->modem = opts->lines ? modem : NULL;
	n->line_break = opts->brk == BF_SIM_BREAK_LOADER ? line_break : NULL;
}

bool bf_wiring_holds(const struct bf_stream_node *n)
{
	return n->held;
}
