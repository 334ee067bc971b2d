/* SPDX-License-Identifier: MIT */
/*
 * One open device through libusb-1.0.
 *
 * Device discovery is off (LIBUSB_OPTION_NO_DEVICE_DISCOVERY): we open the device node ourselves and
 * hand libusb the descriptor. So there is no hidden thread, no need for a running udevd, and a
 * refusal comes with its own errno. Transfers are asynchronous; their descriptors go into the one
 * wait of the clock and pump() is called with no time to wait.
 */
#undef _TIME_BITS /* the library has the platform's own */
#include "usb_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <libusb.h>

#define MAX_FDS 16

struct usb_host {
	struct bf_usb_host host;
	libusb_context *ctx;
	libusb_device_handle *handle; /* NULL: nothing open */
	int fd;
	unsigned under_way; /* transfers that have not ended */
	/* libusb's descriptors, asked for again when it tells that they are others */
	struct pollfd fds[MAX_FDS];
	size_t n_fds;
	bool stale;
	bool own_timer; /* one of them rings for its time-outs */
};

struct usb_job {
	struct bf_usb_job job;
	struct usb_host *owner;
	struct libusb_transfer *transfer;
	bool released; /* nobody waits for its end any more */
};

static struct usb_host *host_of(struct bf_usb_host *h)
{
	return BF_CONTAINER_OF(h, struct usb_host, host);
}

static struct usb_job *job_of(struct bf_usb_job *job)
{
	return BF_CONTAINER_OF(job, struct usb_job, job);
}

/* ---- how libusb says it ---- */

static enum bf_usb_end end_of_status(enum libusb_transfer_status status)
{
	switch (status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return BF_USB_DONE;
	case LIBUSB_TRANSFER_STALL:
		return BF_USB_STALL;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return BF_USB_GONE;
	case LIBUSB_TRANSFER_OVERFLOW:
		return BF_USB_OVERFLOW;
	case LIBUSB_TRANSFER_ERROR:
		return BF_USB_DAMAGED;
	case LIBUSB_TRANSFER_TIMED_OUT:
	case LIBUSB_TRANSFER_CANCELLED:
		return BF_USB_CANCELLED;
	}
	return BF_USB_FAILED;
}

static enum bf_usb_end end_of_code(int code)
{
	static const struct {
		int code;
		enum bf_usb_end end;
	} rows[] = {
		{ LIBUSB_SUCCESS, BF_USB_DONE },           { LIBUSB_ERROR_ACCESS, BF_USB_DENIED },
		{ LIBUSB_ERROR_NO_DEVICE, BF_USB_GONE },   { LIBUSB_ERROR_BUSY, BF_USB_BUSY },
		{ LIBUSB_ERROR_NOT_FOUND, BF_USB_ABSENT }, { LIBUSB_ERROR_PIPE, BF_USB_STALL },
		{ LIBUSB_ERROR_IO, BF_USB_DAMAGED },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (rows[i].code == code)
			return rows[i].end;
	}
	return BF_USB_FAILED;
}

static enum bf_usb_end end_of_errno(int os)
{
	if (os == EACCES || os == EPERM)
		return BF_USB_DENIED;
	if (os == ENOENT || os == ENODEV || os == ENXIO)
		return BF_USB_GONE;
	return os == EBUSY ? BF_USB_BUSY : BF_USB_FAILED;
}

/* ---- transfers ---- */

static void job_free(struct usb_job *j)
{
	libusb_free_transfer(j->transfer);
	free(j->job.data);
	free(j);
}

static void LIBUSB_CALL ended(struct libusb_transfer *transfer)
{
	struct usb_job *j = transfer->user_data;

	j->owner->under_way--;
	j->job.moved = (size_t)transfer->actual_length;
	j->job.end = end_of_status(transfer->status);
	j->job.done = true;
	if (j->released)
		job_free(j);
}

static struct usb_job *job_new(struct usb_host *u, const uint8_t *data, size_t len)
{
	struct usb_job *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->owner = u;
	j->transfer = libusb_alloc_transfer(0);
	j->job.data = malloc(len ? len : 1);
	if (!j->transfer || !j->job.data)
		abort();
	memcpy(j->job.data, data, len);
	j->job.len = len;
	return j;
}

/* Without a time-out of its own: the deadline is the caller's, who cancels. */
static enum bf_usb_end host_submit(struct bf_usb_host *h, uint8_t endpoint, const uint8_t *data,
				   size_t len, struct bf_usb_job **ret)
{
	struct usb_host *u = host_of(h);
	struct usb_job *j;
	int code;

	if (!u->handle)
		return BF_USB_GONE;
	j = job_new(u, data, len);
	if (endpoint)
		libusb_fill_bulk_transfer(j->transfer, u->handle, endpoint, j->job.data, (int)len,
					  ended, j, 0);
	else
		libusb_fill_control_transfer(j->transfer, u->handle, j->job.data, ended, j, 0);
	code = libusb_submit_transfer(j->transfer);
	if (code) {
		job_free(j);
		return end_of_code(code);
	}
	u->under_way++;
	*ret = &j->job;
	return BF_USB_DONE;
}

static void host_cancel(struct bf_usb_host *h, struct bf_usb_job *job)
{
	(void)h;
	libusb_cancel_transfer(job_of(job)->transfer);
}

static void host_release(struct bf_usb_host *h, struct bf_usb_job *job)
{
	struct usb_job *j = job_of(job);

	(void)h;
	if (job->done)
		job_free(j);
	else
		j->released = true;
}

static void LIBUSB_CALL fd_added(int fd, short events, void *user_data)
{
	struct usb_host *u = user_data;

	(void)fd, (void)events;
	u->stale = true;
}

static void LIBUSB_CALL fd_removed(int fd, void *user_data)
{
	fd_added(fd, 0, user_data);
}

static void ask_for_fds(struct usb_host *u)
{
	const struct libusb_pollfd **list = libusb_get_pollfds(u->ctx);

	u->n_fds = 0;
	for (size_t i = 0; list && list[i] && u->n_fds < MAX_FDS; i++)
		u->fds[u->n_fds++] =
			(struct pollfd){ .fd = list[i]->fd, .events = list[i]->events };
	libusb_free_pollfds(list);
	u->stale = false;
}

static size_t host_pollfds(struct bf_usb_host *h, struct pollfd *fds, size_t cap, bf_time *ret_us)
{
	struct usb_host *u = host_of(h);
	struct timeval tv;
	size_t n;

	if (u->stale)
		ask_for_fds(u);
	n = u->n_fds < cap ? u->n_fds : cap;
	memcpy(fds, u->fds, n * sizeof(*fds));
	*ret_us = BF_NEVER;
	if (!u->own_timer && libusb_get_next_timeout(u->ctx, &tv) == 1)
		*ret_us = (bf_time)tv.tv_sec * 1000000 + tv.tv_usec;
	return n;
}

static void host_pump(struct bf_usb_host *h)
{
	struct timeval none = { 0, 0 };

	libusb_handle_events_timeout(host_of(h)->ctx, &none);
}

/* ---- the device ---- */

static void host_shut(struct bf_usb_host *h)
{
	struct usb_host *u = host_of(h);

	if (!u->handle)
		return;
	libusb_close(u->handle);
	close(u->fd);
	u->handle = NULL;
	u->fd = -1;
}

static enum bf_usb_end host_open(struct bf_usb_host *h, const struct bf_usb_seen *which)
{
	struct usb_host *u = host_of(h);
	char node[40];
	int code;

	host_shut(h);
	u->fd = open(bf_usb_node(node, sizeof(node), which->bus, which->address),
		     O_RDWR | O_CLOEXEC);
	if (u->fd < 0)
		return end_of_errno(errno);
	code = libusb_wrap_sys_device(u->ctx, u->fd, &u->handle);
	if (code) {
		close(u->fd);
		u->fd = -1;
		u->handle = NULL;
		return end_of_code(code);
	}
	/* Some kernel drivers sit on DFU-capable composite devices; they come back on release. */
	libusb_set_auto_detach_kernel_driver(u->handle, 1);
	return BF_USB_DONE;
}

/* A class request to an interface that nobody has claimed makes the kernel claim it for our descriptor. Taking it
 * from a kernel driver is then refused, because usbfs has it; a plain claim of what is ours already is not. */
static int claim_as_it_is(struct usb_host *u, uint8_t interface)
{
	int code;

	libusb_set_auto_detach_kernel_driver(u->handle, 0);
	code = libusb_claim_interface(u->handle, interface);
	libusb_set_auto_detach_kernel_driver(u->handle, 1);
	return code;
}

static enum bf_usb_end host_claim(struct bf_usb_host *h, uint8_t interface, uint8_t alt)
{
	struct usb_host *u = host_of(h);
	int code;

	if (!u->handle)
		return BF_USB_GONE;
	code = libusb_claim_interface(u->handle, interface);
	if (code == LIBUSB_ERROR_BUSY)
		code = claim_as_it_is(u, interface);
	if (!code)
		code = libusb_set_interface_alt_setting(u->handle, interface, alt);
	/* A device with one setting may refuse to be asked for it (USB 2.0, 9.4.10). */
	if (code == LIBUSB_ERROR_PIPE && !alt)
		code = 0;
	return end_of_code(code);
}

static enum bf_usb_end host_reset(struct bf_usb_host *h)
{
	struct usb_host *u = host_of(h);
	int code = u->handle ? libusb_reset_device(u->handle) : LIBUSB_ERROR_NO_DEVICE;

	/* "not found": it came back as another device; the handle leads nowhere now. */
	return code == LIBUSB_ERROR_NOT_FOUND ? BF_USB_GONE : end_of_code(code);
}

static size_t host_scan(struct bf_usb_host *h, struct bf_usb_seen *ret, size_t cap)
{
	(void)h;
	return bf_usb_scan("/sys", ret, cap);
}

static size_t host_config(struct bf_usb_host *h, const char *path, uint8_t *dst, size_t cap)
{
	(void)h;
	return bf_usb_read_config("/sys", path, dst, cap);
}

static void host_free(struct bf_usb_host *h)
{
	struct usb_host *u = host_of(h);

	host_shut(h);
	/* A transfer that would not end even so keeps its memory: the kernel may still write to it. */
	if (!u->under_way)
		libusb_exit(u->ctx);
	free(u);
}

static const struct bf_usb_host_ops libusb_ops = {
	.scan = host_scan,
	.config = host_config,
	.open = host_open,
	.shut = host_shut,
	.claim = host_claim,
	.reset = host_reset,
	.submit = host_submit,
	.cancel = host_cancel,
	.release = host_release,
	.pollfds = host_pollfds,
	.pump = host_pump,
	.free = host_free,
};

enum bf_rc bf_usb_host_new(struct bf_usb_host **ret, struct bf_err *err)
{
	struct usb_host *u;
	libusb_context *ctx;
	int code = libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);

	if (!code)
		code = libusb_init(&ctx);
	if (code)
		return bf_fail(err, BF_E_IFACE, "libusb does not start: %s",
			       libusb_error_name(code));
	u = calloc(1, sizeof(*u));
	if (!u)
		abort();
	u->host.ops = &libusb_ops;
	u->ctx = ctx;
	u->fd = -1;
	u->stale = true;
	u->own_timer = libusb_pollfds_handle_timeouts(ctx);
	libusb_set_pollfd_notifiers(ctx, fd_added, fd_removed, u);
	*ret = &u->host;
	return BF_OK;
}
