/* SPDX-License-Identifier: MIT */
#include "wires.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

#define BULK_IN 0x81

void wire_cancel(struct wire *w)
{
	if (bf_clock_is_virtual(w->clock))
		bf_vclock_cancel_at(w->clock, bf_now(w->clock));
	else if (write(w->cancel_fds[1], "x", 1) != 1)
		abort();
}

/* ---- peers in memory, on virtual time ---- */

static bool make_fake(struct wire *w, struct fake *(*make)(struct bf_clock *clock))
{
	w->own_clock = w->clock = bf_vclock_new();
	w->fake = make(w->clock);
	w->t = fake_transport(w->fake);
	return true;
}

static bool make_stream(struct wire *w)
{
	return make_fake(w, fake_stream_new);
}

static bool make_bus(struct wire *w)
{
	return make_fake(w, fake_bus_new);
}

static bool make_usb(struct wire *w)
{
	return make_fake(w, fake_usb_new);
}

static void fake_says(struct wire *w, const uint8_t message[WIRE_MESSAGE])
{
	struct bf_frame frame = { .id = 0x7E8, .len = WIRE_MESSAGE };

	switch (w->t->ops->wire) {
	case BF_WIRE_STREAM:
		fake_say_bytes(w->fake, message, WIRE_MESSAGE, 0);
		break;
	case BF_WIRE_BUS:
		memcpy(frame.data, message, WIRE_MESSAGE);
		fake_say_frame(w->fake, &frame, 0);
		break;
	case BF_WIRE_USB:
		fake_say_bulk(w->fake, BULK_IN, message, WIRE_MESSAGE, 0);
		break;
	}
}

static void fake_leaves(struct wire *w)
{
	fake_gone_at(w->fake, bf_now(w->clock));
}

static bool fake_released(struct wire *w)
{
	return fake_closed(w->fake);
}

static void fake_clean(struct wire *w)
{
	fake_free(w->fake);
	bf_clock_free(w->own_clock);
}

/* ---- wrappers around them ---- */

static bool make_faulty(struct wire *w, bool (*make)(struct wire *w))
{
	struct bf_err err;

	return make(w) && bf_fault_wrap(w->t, "seed=1", &w->t, &err) == BF_OK;
}

static bool make_traced(struct wire *w, bool (*make)(struct wire *w))
{
	struct bf_err err;

	return make(w) && bf_trace_wrap(w->t, "/dev/null", &w->t, &err) == BF_OK;
}

static bool make_faulty_stream(struct wire *w)
{
	return make_faulty(w, make_stream);
}

static bool make_faulty_bus(struct wire *w)
{
	return make_faulty(w, make_bus);
}

static bool make_faulty_usb(struct wire *w)
{
	return make_faulty(w, make_usb);
}

static bool make_traced_stream(struct wire *w)
{
	return make_traced(w, make_stream);
}

static bool make_traced_bus(struct wire *w)
{
	return make_traced(w, make_bus);
}

static bool make_traced_usb(struct wire *w)
{
	return make_traced(w, make_usb);
}

/* ---- rs485 on a pty, on real time ---- */

static bool open_address(struct wire *w, const char *address)
{
	struct bf_open_env env = { .clock = w->clock };
	struct bf_err err;

	return bf_transport_open(&env, address, &w->t, &err) == BF_OK;
}

static bool has_driver(const char *name)
{
	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		if (strcmp((*d)->name, name) == 0)
			return true;
	}
	return false;
}

static bool make_real_clock(struct wire *w)
{
	if (pipe2(w->cancel_fds, O_CLOEXEC) < 0)
		return false;
	w->own_clock = w->clock = bf_clock_real_new(w->cancel_fds[0]);
	return true;
}

static bool make_pty(struct wire *w)
{
	if (!has_driver("rs485") || !make_real_clock(w))
		return false;
	w->peer_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	return w->peer_fd >= 0 && grantpt(w->peer_fd) == 0 && unlockpt(w->peer_fd) == 0 &&
	       ptsname_r(w->peer_fd, w->address, sizeof(w->address)) == 0 &&
	       open_address(w, w->address);
}

static bool make_traced_faulty_pty(struct wire *w)
{
	struct bf_err err;

	return make_pty(w) && bf_fault_wrap(w->t, "seed=1", &w->t, &err) == BF_OK &&
	       bf_trace_wrap(w->t, "/dev/null", &w->t, &err) == BF_OK;
}

static void pty_says(struct wire *w, const uint8_t message[WIRE_MESSAGE])
{
	if (write(w->peer_fd, message, WIRE_MESSAGE) != WIRE_MESSAGE)
		abort();
}

static void pty_leaves(struct wire *w)
{
	close(w->peer_fd);
	w->peer_fd = -1;
}

static bool pty_released(struct wire *w)
{
	bool again = open_address(w, w->address);

	if (again)
		bf_transport_close(w->t);
	w->t = NULL;
	return again;
}

static void pty_clean(struct wire *w)
{
	if (w->peer_fd >= 0)
		close(w->peer_fd);
	close(w->cancel_fds[0]);
	close(w->cancel_fds[1]);
	bf_clock_free(w->own_clock);
}

/* ---- the virtual pack, on the time that it brings ---- */

static bool make_sim(struct wire *w, const char *address)
{
	if (!has_driver("sim") || !make_real_clock(w) || !open_address(w, address))
		return false;
	w->clock = w->t->clock;
	return true;
}

static bool make_sim_can(struct wire *w)
{
	return make_sim(w, "sim:link=can");
}

static bool make_sim_rs485(struct wire *w)
{
	return make_sim(w, "sim:link=rs485");
}

const struct wire_row wire_rows[] = {
	{ "stream in memory", make_stream, fake_says, fake_leaves, fake_released, fake_clean },
	{ "bus in memory", make_bus, fake_says, fake_leaves, fake_released, fake_clean },
	{ "usb in memory", make_usb, fake_says, fake_leaves, fake_released, fake_clean },
	{ "fault on stream", make_faulty_stream, fake_says, fake_leaves, fake_released,
	  fake_clean },
	{ "fault on bus", make_faulty_bus, fake_says, fake_leaves, fake_released, fake_clean },
	{ "fault on usb", make_faulty_usb, fake_says, fake_leaves, fake_released, fake_clean },
	{ "trace of stream", make_traced_stream, fake_says, fake_leaves, fake_released,
	  fake_clean },
	{ "trace of bus", make_traced_bus, fake_says, fake_leaves, fake_released, fake_clean },
	{ "trace of usb", make_traced_usb, fake_says, fake_leaves, fake_released, fake_clean },
	{ "rs485 on pty", make_pty, pty_says, pty_leaves, pty_released, pty_clean },
	{ "trace of fault on pty", make_traced_faulty_pty, pty_says, pty_leaves, pty_released,
	  pty_clean },
	{ "sim on can", make_sim_can, NULL, NULL, NULL, pty_clean },
	{ "sim on rs485", make_sim_rs485, NULL, NULL, NULL, pty_clean },
};
const size_t n_wire_rows = BF_COUNT(wire_rows);
