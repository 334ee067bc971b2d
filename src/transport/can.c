/* SPDX-License-Identifier: MIT */
/* SocketCAN interfaces: which addresses are ours, which there are, opening one. */
#include "can_priv.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>

/* ---- addresses ---- */

static bool starts_with_any(const char *name)
{
	static const char *const usual[] = { "can", "vcan", "vxcan", "slcan" };

	for (size_t i = 0; i < BF_COUNT(usual); i++) {
		size_t n = strlen(usual[i]);

		if (!strncmp(name, usual[i], n) && name[n] >= '0' && name[n] <= '9')
			return true;
	}
	return false;
}

/* The link type of an interface, -1 when there is no such interface. */
static int link_type(const char *sysfs, const char *name)
{
	char path[512];
	int type = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/class/net/%s/type", sysfs, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &type) != 1)
		type = -1;
	fclose(f);
	return type;
}

bool bf_can_match(const char *sysfs, const char *address)
{
	int type;

	if (!address[0] || strlen(address) >= IFNAMSIZ || strchr(address, '/') || address[0] == '.')
		return false;
	type = link_type(sysfs, address);
	/* A name that only looks like CAN is taken too, so that open can say what is missing. */
	return type == ARPHRD_CAN || (type < 0 && starts_with_any(address));
}

static bool driver_match(const char *address)
{
	return bf_can_match("/sys", address);
}

/* The kernel driver of the adapter ("gs_usb"), empty for a virtual interface. */
static void adapter_driver(const char *sysfs, const char *name, char *dst, size_t cap)
{
	char path[512], target[512];
	const char *last;
	ssize_t n;

	dst[0] = '\0';
	snprintf(path, sizeof(path), "%s/class/net/%s/device/driver", sysfs, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = '\0';
	last = strrchr(target, '/');
	snprintf(dst, cap, "%s", last ? last + 1 : target);
}

static void describe(const char *sysfs, const char *name, const struct bf_can_info *info,
		     struct bf_candidate *ret)
{
	char driver[48], rate[64] = "", command[192];

	adapter_driver(sysfs, name, driver, sizeof(driver));
	if (info->bitrate && info->dbitrate)
		snprintf(rate, sizeof(rate), ", %u/%u bit/s", info->bitrate, info->dbitrate);
	else if (info->bitrate)
		snprintf(rate, sizeof(rate), ", %u bit/s", info->bitrate);
	snprintf(ret->address, sizeof(ret->address), "%s", name);
	snprintf(ret->what, sizeof(ret->what), "SocketCAN interface%s%s%s%s",
		 driver[0] ? ", driver " : "", driver, rate,
		 info->mtu >= CANFD_MTU ? ", takes CAN FD" : "");
	ret->usable = info->up;
	if (ret->usable)
		return;
	if (info->timed && !info->bitrate)
		bf_can_up_command(command, sizeof(command), name, false, 500000, 0);
	else
		snprintf(command, sizeof(command), "sudo ip link set %s up", name);
	snprintf(ret->why, sizeof(ret->why), "down; %s", command);
}

void bf_can_list(const char *sysfs, const struct bf_can_link_ops *link,
		 void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	char path[512];
	struct dirent **names;
	int n;

	snprintf(path, sizeof(path), "%s/class/net", sysfs);
	n = scandir(path, &names, NULL, versionsort);
	for (int i = 0; i < n; i++) {
		struct bf_candidate c = { 0 };
		struct bf_can_info info;
		const char *name = names[i]->d_name;

		if (name[0] != '.' && link_type(sysfs, name) == ARPHRD_CAN &&
		    link->query(name, &info)) {
			describe(sysfs, name, &info, &c);
			found(ctx, &c);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void driver_list(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	bf_can_list("/sys", &bf_can_link_kernel, found, ctx);
}

static void driver_diagnose(const struct bf_diag *diag, const char *address)
{
	bf_can_diagnose(diag, &bf_can_link_kernel, address);
}

/* ---- socket ---- */

static void set_option(int fd, int level, int option, int value)
{
	/* All of these are wishes: an older kernel without one of them still carries frames. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

int bf_can_bind(int fd, unsigned index)
{
	struct sockaddr_can addr = { .can_family = AF_CAN, .can_ifindex = (int)index };

	return bind(fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr));
}

int bf_can_socket(unsigned index, bool fd)
{
	int s = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_RAW);
	int saved;

	if (s < 0)
		return -1;
	set_option(s, SOL_SOCKET, SO_SNDBUF, 0); /* raised to the kernel's minimum */
	/* A long message of an unpaced (virtual) bus at once; beyond the system's limit where that is permitted. */
	set_option(s, SOL_SOCKET, SO_RCVBUF, 1 << 20);
	set_option(s, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20);
	set_option(s, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set_option(s, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set_option(s, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, 0);
	set_option(s, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, (int)CAN_ERR_MASK);
	set_option(s, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, fd);
	if (!bf_can_bind(s, index))
		return s;
	saved = errno;
	close(s);
	errno = saved;
	return -1;
}

/* ---- opening ---- */

static enum bf_rc absent(const char *name, struct bf_err *err)
{
	bf_fail(err, BF_E_IFACE, "there is no network interface '%s'", name);
	err->os = ENODEV;
	if (!strncmp(name, "vcan", 4)) {
		bf_next(err,
			"sudo modprobe vcan && sudo ip link add dev %s type vcan && sudo ip link "
			"set %s up",
			name, name);
		return err->rc;
	}
	if (!strncmp(name, "slcan", 5)) {
		bf_likely(err, "slcand is not running for the serial adapter");
		bf_next(err, "sudo slcand -o -s6 -t hw /dev/ttyACM0 %s && sudo ip link set %s up",
			name, name);
		return err->rc;
	}
	bf_likely(err, "the CAN adapter is not plugged in, or got another number");
	bf_likely(err, "its kernel module is not loaded (gs_usb, peak_usb, kvaser_usb, mcp251x)");
	bf_next(err, "ip -brief link show type can # the interfaces that there are");
	return err->rc;
}

static enum bf_rc is_down(const char *name, const struct bf_can_info *info, struct bf_err *err)
{
	bf_fail(err, BF_E_IFACE, "interface '%s' is down", name);
	err->os = ENETDOWN;
	if (info->timed && !info->bitrate)
		bf_likely(err, "its bit rate was never set (the command below takes 500000 bit/s)");
	bf_can_next_up(err, name, info);
	return err->rc;
}

enum bf_rc bf_can_prepare(const struct bf_can_link_ops *link, const struct bf_open_env *env,
			  const char *name, struct bf_can_info *ret, struct bf_err *err)
{
	struct bf_can_info info;

	if (!link->query(name, &info))
		return absent(name, err);
	if (!info.is_can)
		return bf_fail(err, BF_E_IFACE, "network interface '%s' is not a CAN interface",
			       name);
	if (env->bitrate) {
		if (bf_can_rates(link, name, env->bitrate, env->dbitrate, err))
			return err->rc;
		if (!link->query(name, &info))
			return absent(name, err);
	}
	if (!info.up)
		return is_down(name, &info, err);
	*ret = info;
	return BF_OK;
}

static enum bf_rc no_socket(const char *name, int os, struct bf_err *err)
{
	bf_fail_os(err, BF_E_IFACE, os, "opening a CAN socket on '%s'", name);
	if (os == EAFNOSUPPORT || os == EPROTONOSUPPORT) {
		bf_likely(err, "this kernel has no raw CAN sockets loaded or built in");
		bf_next(err, "sudo modprobe can_raw");
	} else if (os == EPERM || os == EACCES) {
		bf_likely(err, "a container or service sandbox forbids AF_CAN sockets");
	}
	return err->rc;
}

static enum bf_rc driver_open(const struct bf_open_env *env, const char *address,
			      struct bf_transport **ret, struct bf_err *err)
{
	struct bf_can_info info;
	enum bf_rc rc = bf_can_prepare(&bf_can_link_kernel, env, address, &info, err);
	bool may_fd = !rc && info.mtu >= CANFD_MTU;
	int fd;

	if (rc)
		return rc;
	fd = bf_can_socket(info.index, may_fd);
	if (fd < 0)
		return no_socket(address, errno, err);
	*ret = bf_can_raw_new(fd, may_fd, address, env, &bf_can_link_kernel);
	return BF_OK;
}

const struct bf_driver bf_driver_can = {
	.name = "can",
	.summary = "SocketCAN interface, classic CAN and CAN FD",
	.address_help = "can0, vcan0: a network interface of type CAN",
	.match = driver_match,
	.open = driver_open,
	.list = driver_list,
	.diagnose = driver_diagnose,
};
