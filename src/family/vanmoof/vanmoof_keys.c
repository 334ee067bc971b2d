/* SPDX-License-Identifier: MIT */
#include "family/vanmoof/vanmoof_profile.h"
#include "profile/keys.h"

#define VM(member) BF_SCOPE_FAMILY, BF_IN(bf_vanmoof_profile, member)

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "vanmoof", "node", BF_VALUE_NUMBER, VM(node), 1, 247, "0xAA", NULL,
	  "address of the pack as a Modbus server" },
	{ "vanmoof", "answer-ms", BF_VALUE_NUMBER, VM(answer_ms), 50, 60000, "3000", NULL,
	  "how long an answer is waited for" },
	{ "vanmoof", "restart-s", BF_VALUE_NUMBER, VM(restart_s), 5, 600, "180", NULL,
	  "how long the pack may take to install the firmware and to answer again" },
	{ "vanmoof", "repeats", BF_VALUE_NUMBER, VM(repeats), 1, 50, "6", NULL,
	  "how often one page of 128 bytes is sent at most" },
};
/* clang-format on */

const struct bf_profile_section bf_section_vanmoof = {
	.name = "vanmoof",
	.size = sizeof(struct bf_vanmoof_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
};
