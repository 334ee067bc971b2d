/* SPDX-License-Identifier: MIT */
/*
 * Ways into a bootloader, as data: [entry] of a profile. A family knows none of them; the joined pack
 * (src/family/join.c) runs them and asks the bootloader after each.
 */
#pragma once

#include "bmsflash/family.h"

/* Of one run: an instance of a protocol may be opened again and again while a pack is looked for. */
struct bf_entry_log {
	unsigned tried; /* 1 << enum bf_entry_how */
};

/* One way. BF_E_UNSUPPORTED: it cannot be gone here (no modem lines, no GPIO), or nobody could be asked to do it: then
 * the sentence was shown. BF_ENTER_REQUEST and BF_ENTER_THERE do nothing here. */
enum bf_rc bf_entry_step(enum bf_entry_how how, const struct bf_proto_env *env, struct bf_err *err);
/* Is there a way out by lines, or by hand? */
bool bf_entry_has_leave(const struct bf_entry_plan *plan);
/* Goes it: lines, then GPIO, then by hand where neither is there. */
enum bf_rc bf_entry_leave(const struct bf_proto_env *env, struct bf_err *err);
