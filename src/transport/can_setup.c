/* SPDX-License-Identifier: MIT */
/* Changing an interface: down and up, bit rates, restart. */
#include "can_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libsocketcan.h>
#include <linux/capability.h>

char *bf_can_up_command(char *dst, size_t cap, const char *name, bool up, uint32_t bitrate,
			uint32_t dbitrate)
{
	char down[64] = "";
	char data[48] = "";

	/* The kernel refuses to change the timing of an interface that is up. */
	if (up)
		snprintf(down, sizeof(down), "sudo ip link set %s down && ", name);
	if (dbitrate)
		snprintf(data, sizeof(data), " dbitrate %u fd on", dbitrate);
	snprintf(dst, cap, "%ssudo ip link set %s up type can bitrate %u%s", down, name, bitrate,
		 data);
	return dst;
}

/* What to type when the interface is down. */
void bf_can_next_up(struct bf_err *err, const char *name, const struct bf_can_info *info)
{
	char command[192];

	if (info->timed && !info->bitrate)
		bf_next(err, "%s",
			bf_can_up_command(command, sizeof(command), name, false, 500000, 0));
	else
		bf_next(err, "sudo ip link set %s up", name);
}

static bool already_so(const struct bf_can_info *info, uint32_t bitrate, uint32_t dbitrate)
{
	return info->up && info->bitrate == bitrate && info->dbitrate == dbitrate;
}

static bool is_virtual(const struct bf_can_info *info)
{
	return !strcmp(info->kind, "vcan") || !strcmp(info->kind, "vxcan");
}

static enum bf_rc no_timing(const char *name, uint32_t bitrate, struct bf_err *err)
{
	bf_fail(err, BF_E_IFACE,
		"interface '%s' does not let its bit rate be set to %u bit/s through the kernel",
		name, bitrate);
	bf_likely(err, "a serial line adapter (slcan): slcand sets the rate, -s5 is 250000, -s6 "
		       "500000, -s8 1000000 bit/s");
	bf_do(err, "set the rate with the adapter's own tool and leave --bitrate out");
	return err->rc;
}

static enum bf_rc not_permitted(const char *name, const struct bf_can_info *info, uint32_t bitrate,
				uint32_t dbitrate, struct bf_err *err)
{
	char command[192];

	bf_fail(err, BF_E_IFACE,
		"setting '%s' to %u bit/s is not permitted without CAP_NET_ADMIN; it is %s at %u "
		"bit/s",
		name, bitrate, info->up ? "up" : "down", info->bitrate);
	bf_next(err, "%s",
		bf_can_up_command(command, sizeof(command), name, info->up, bitrate, dbitrate));
	return err->rc;
}

enum bf_rc bf_can_rates(const struct bf_can_link_ops *link, const char *name, uint32_t bitrate,
			uint32_t dbitrate, struct bf_err *err)
{
	struct bf_can_info info;

	if (!link->query(name, &info))
		return bf_fail(err, BF_E_GONE, "network interface '%s' is not there any more",
			       name);
	if (is_virtual(&info) || already_so(&info, bitrate, dbitrate))
		return BF_OK;
	if (!info.timed)
		return no_timing(name, bitrate, err);
	if (!link->permitted())
		return not_permitted(name, &info, bitrate, dbitrate, err);
	return link->apply(name, &info, bitrate, dbitrate, err);
}

/* ---- the kernel ---- */

/* Asked first, because libsocketcan prints the kernel's refusals to standard error. */
static bool kernel_permitted(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data))
		return false;
	return data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

static enum bf_rc rate_refused(const char *name, int os, uint32_t bitrate, uint32_t dbitrate,
			       struct bf_err *err)
{
	bf_fail_os(err, BF_E_IFACE, os, "'%s' refused a bit rate of %u bit/s%s", name, bitrate,
		   dbitrate ? " with CAN FD" : "");
	bf_likely(err, "the controller's clock cannot make this rate within 5 %%");
	if (dbitrate)
		bf_likely(err, "the adapter has no CAN FD, or not %u bit/s in its data phase",
			  dbitrate);
	bf_next(err, "ip -details link show %s # what it can do", name);
	return err->rc;
}

static enum bf_rc kernel_apply(const char *name, const struct bf_can_info *now, uint32_t bitrate,
			       uint32_t dbitrate, struct bf_err *err)
{
	int os;

	errno = 0;
	if (now->up && can_do_stop(name))
		return bf_fail_os(err, BF_E_IFACE, errno ? errno : EIO,
				  "taking interface '%s' down", name);
	errno = 0;
	os = bf_can_set_rates(now, bitrate, dbitrate);
	/* Up again in either case: a refused rate leaves the interface as it was found. */
	errno = 0;
	if ((!os || now->up) && can_do_start(name) && !os)
		return bf_fail_os(err, BF_E_IFACE, errno ? errno : EIO,
				  "bringing interface '%s' up at %u bit/s", name, bitrate);
	return os ? rate_refused(name, os, bitrate, dbitrate, err) : BF_OK;
}

static bool kernel_restart(const char *name)
{
	struct bf_can_info info;

	/* With restart-ms set the kernel does it by itself and refuses ours. */
	if (!kernel_permitted() || !bf_can_query(name, &info) || info.state != BF_BUS_OFF ||
	    info.restart_ms)
		return false;
	return can_do_restart(name) == 0;
}

const struct bf_can_link_ops bf_can_link_kernel = {
	.query = bf_can_query,
	.permitted = kernel_permitted,
	.apply = kernel_apply,
	.restart = kernel_restart,
};
