/* SPDX-License-Identifier: MIT */
#include "fake_can.h"

struct fake_can fake_can;

void fake_can_reset(void)
{
	fake_can = (struct fake_can){
		.present = true,
		.permitted = true,
		.info = { .index = 7,
			  .is_can = true,
			  .up = true,
			  .kind = "can",
			  .timed = true,
			  .mtu = 16,
			  .txqueuelen = 10,
			  .state = BF_BUS_ACTIVE,
			  .bitrate = 500000 },
	};
}

static bool query(const char *name, struct bf_can_info *ret)
{
	if (!fake_can.present || strcmp(name, "can0"))
		return false;
	*ret = fake_can.info;
	return true;
}

static bool permitted(void)
{
	return fake_can.permitted;
}

static enum bf_rc apply(const char *name, const struct bf_can_info *now, uint32_t bitrate,
			uint32_t dbitrate, struct bf_err *err)
{
	(void)now;
	fake_can.applied++;
	if (fake_can.refuses_rate)
		return bf_fail(err, BF_E_IFACE, "'%s' refused", name);
	fake_can.info.up = true;
	fake_can.info.bitrate = bitrate;
	fake_can.info.dbitrate = dbitrate;
	fake_can.info.mtu = dbitrate ? 72 : 16;
	return BF_OK;
}

static bool restart(const char *name)
{
	(void)name;
	fake_can.restarted += fake_can.permitted;
	return fake_can.permitted;
}

const struct bf_can_link_ops fake_can_link = {
	.query = query,
	.permitted = permitted,
	.apply = apply,
	.restart = restart,
};
