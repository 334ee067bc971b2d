/* SPDX-License-Identifier: MIT */
/* Keeps the computer awake while firmware is written, by a lock of systemd-logind: a descriptor that holds as long as
 * it is open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bmsflash/base.h"
#include "bmsflash/host.h"

#if BF_WITH_INHIBIT

#include <fcntl.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define LIMIT_US 2000000

struct bf_awake {
	int fd;
};

/* Closing the lid sleeps, too, but that lock is not everybody's. */
static const char *const locks[] = { "sleep:shutdown:idle:handle-lid-switch",
				     "sleep:shutdown:idle" };

static int ask(sd_bus *bus, const char *what, const char *why, sd_bus_error *error)
{
	sd_bus_message *call = NULL, *answer = NULL;
	int fd = -1, got;

	got = sd_bus_message_new_method_call(bus, &call, "org.freedesktop.login1",
					     "/org/freedesktop/login1",
					     "org.freedesktop.login1.Manager", "Inhibit");
	if (got >= 0)
		got = sd_bus_message_append(call, "ssss", what, "bmsflash", why, "block");
	if (got >= 0)
		got = sd_bus_call(bus, call, LIMIT_US, error, &answer);
	if (got >= 0)
		got = sd_bus_message_read(answer, "h", &fd);
	if (got >= 0) /* the message closes its own */
		got = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(call);
	return got;
}

struct bf_awake *bf_awake_take(const char *why, char *why_not, size_t cap)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct bf_awake *awake;
	sd_bus *bus = NULL;
	int fd = -1;
	int got = sd_bus_open_system(&bus);

	*why_not = '\0';
	for (size_t i = 0; got >= 0 && fd < 0 && i < BF_COUNT(locks); i++) {
		sd_bus_error_free(&error);
		fd = ask(bus, locks[i], why, &error);
		if (fd < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN))
			break;
		if (fd < 0)
			snprintf(why_not, cap, "%s", error.message ? error.message : strerror(-fd));
	}
	sd_bus_error_free(&error);
	sd_bus_flush_close_unref(bus);
	if (fd < 0)
		return NULL;
	awake = calloc(1, sizeof(*awake));
	if (!awake)
		abort();
	awake->fd = fd;
	return awake;
}

void bf_awake_release(struct bf_awake *awake)
{
	if (!awake)
		return;
	close(awake->fd);
	free(awake);
}

#else

struct bf_awake *bf_awake_take(const char *why, char *why_not, size_t cap)
{
	(void)why;
	if (cap)
		*why_not = '\0';
	return NULL;
}

void bf_awake_release(struct bf_awake *awake)
{
	(void)awake;
}

#endif
