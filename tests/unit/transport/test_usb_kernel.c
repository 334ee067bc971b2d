/* SPDX-License-Identifier: MIT */
/*
 * The USB driver on a real kernel: the virtual pack plugs itself into the kernel's virtual host
 * controller. Only where BF_BENCH_USB holds the path of bmsflash-sim, as root; tests/vm/run gives such
 * a machine.
 */
#include "../unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transport/usb_priv.h"

#define DFU_DETACH     0
#define DFU_GETSTATUS  3
#define TO_INTERFACE   0x21
#define FROM_INTERFACE 0xA1

struct bench {
	struct bf_clock *clock;
	struct bf_transport *t;
	const struct bf_usb_ops *usb;
	struct bf_err err;
	pid_t pack;
};

static pid_t plug_in(void)
{
	pid_t child = fork();

	if (child)
		return child;
	(void)!freopen("/dev/null", "w", stdout);
	execl(getenv("BF_BENCH_USB"), "bmsflash-sim", "--usb", "vhci", "protocol=dfu", NULL);
	_exit(127);
}

static void unplug(struct bench *s)
{
	if (!s->pack)
		return;
	kill(s->pack, SIGKILL);
	waitpid(s->pack, NULL, 0);
	s->pack = 0;
}

static enum bf_rc try_open(struct bench *s, const char *address)
{
	struct bf_open_env env = { .clock = s->clock };

	return bf_transport_open(&env, address, &s->t, &s->err);
}

static int bench_up(void **state)
{
	struct bench *s = calloc(1, sizeof(*s));
	bf_time deadline;

	s->clock = bf_clock_real_new(-1);
	s->pack = plug_in();
	deadline = bf_in(s->clock, BF_SEC(30));
	while (try_open(s, "usb")) {
		if (bf_now(s->clock) > deadline)
			fail_msg("%s", s->err.cause);
		bf_clock_until(s->clock, bf_in(s->clock, BF_MS(50)));
	}
	s->usb = s->t->ops->usb;
	*state = s;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *s = *state;
	struct bf_usb_seen seen[8];

	bf_transport_close(s->t);
	unplug(s);
	while (bf_usb_scan("/sys", seen, 8))
		bf_clock_until(s->clock, bf_in(s->clock, BF_MS(50)));
	bf_clock_free(s->clock);
	free(s);
	return 0;
}

static enum bf_rc dfu(struct bench *s, uint8_t type, uint8_t request, uint16_t value, uint8_t *data,
		      size_t len)
{
	const struct bf_usb_setup setup = { .request_type = type,
					    .request = request,
					    .value = value };
	size_t moved;
	enum bf_rc rc = s->usb->control(s->t, &setup, data, len, &moved, bf_in(s->clock, BF_SEC(2)),
					&s->err);

	if (!rc)
		assert_int_equal(moved, len);
	return rc;
}

static void the_pack_is_described_by_its_descriptors(void **state)
{
	struct bench *s = *state;
	struct bf_usb_device d;
	char text[64];

	assert_int_equal(s->usb->device(s->t, &d, &s->err), BF_OK);
	assert_int_equal(d.vid, 0x1209);
	assert_string_equal(d.product, "BMS-16S-R3");
	assert_int_equal(bf_usb_dfu_of(d.config, d.config_len), BF_USB_DFU_RUNTIME);
	/* What the device itself says is what the kernel keeps. */
	assert_int_equal(
		s->usb->string(s->t, 2, text, sizeof(text), bf_in(s->clock, BF_SEC(2)), &s->err),
		BF_OK);
	assert_string_equal(text, d.product);
	print_message("# %s %s\n", s->t->name, d.serial);
}

static void a_request_before_the_claim_does_not_lock_us_out(void **state)
{
	struct bench *s = *state;
	uint8_t data[4] = { 0 };

	assert_int_equal(dfu(s, TO_INTERFACE, 0x77, 0, data, sizeof(data)), BF_E_NAK);
	assert_int_equal(s->usb->claim(s->t, 0, 0, &s->err), BF_OK);
}

static void a_pack_in_its_application_stalls_what_only_its_loader_knows(void **state)
{
	struct bench *s = *state;
	uint8_t data[4] = { 0 };

	assert_int_equal(s->usb->claim(s->t, 0, 0, &s->err), BF_OK);
	assert_int_equal(dfu(s, TO_INTERFACE, 0x77, 0, data, sizeof(data)), BF_E_NAK);
	assert_string_equal(s->err.dev_name, "stall");
}

static void a_pack_that_detaches_is_followed_into_its_loader(void **state)
{
	struct bench *s = *state;
	struct bf_usb_device d;
	uint8_t status[6], before;
	bf_time start;

	assert_int_equal(s->usb->device(s->t, &d, &s->err), BF_OK);
	before = d.address;
	assert_int_equal(s->usb->claim(s->t, 0, 0, &s->err), BF_OK);
	assert_int_equal(dfu(s, TO_INTERFACE, DFU_DETACH, 1000, NULL, 0), BF_OK);
	assert_int_equal(s->usb->reset(s->t, bf_in(s->clock, BF_SEC(5)), &s->err), BF_OK);
	start = bf_now(s->clock);
	if (s->usb->reopen(s->t, bf_in(s->clock, BF_SEC(20)), &s->err))
		fail_msg("%s", s->err.cause);
	print_message("# back after %d ms\n", (int)((bf_now(s->clock) - start) / 1000));
	assert_int_equal(s->usb->device(s->t, &d, &s->err), BF_OK);
	assert_int_equal(bf_usb_dfu_of(d.config, d.config_len), BF_USB_DFU_MODE);
	assert_int_not_equal(d.address, before);
	assert_int_equal(s->usb->claim(s->t, 0, 0, &s->err), BF_OK);
	assert_int_equal(dfu(s, FROM_INTERFACE, DFU_GETSTATUS, 0, status, 6), BF_OK);
	assert_int_equal(status[4], 2); /* dfuIDLE */
}

static void a_pack_that_is_unplugged_is_gone(void **state)
{
	struct bench *s = *state;
	struct bf_usb_device d;
	uint8_t status[6];
	bf_time deadline = bf_in(s->clock, BF_SEC(20));
	enum bf_rc rc;

	assert_int_equal(s->usb->claim(s->t, 0, 0, &s->err), BF_OK);
	unplug(s);
	do {
		rc = dfu(s, FROM_INTERFACE, DFU_GETSTATUS, 0, status, 6);
		print_message("# %s\n", s->err.cause);
	} while (rc != BF_E_GONE && bf_now(s->clock) < deadline);
	assert_int_equal(rc, BF_E_GONE);
	while (!s->usb->device(s->t, &d, &s->err))
		assert_true(bf_now(s->clock) < deadline);
	assert_int_equal(s->usb->reopen(s->t, bf_in(s->clock, BF_MS(200)), &s->err), BF_E_TIMEOUT);
	s->pack = plug_in();
	assert_int_equal(s->usb->reopen(s->t, bf_in(s->clock, BF_SEC(20)), &s->err), BF_OK);
}

/*
 * A frozen pack. The kernel takes a transfer back only when the controller confirms it, and here the
 * frozen program is the controller's other half: a helper wakes it after the deadline.
 */
static void a_transfer_without_answer_is_taken_back(void **state)
{
	const struct bf_usb_setup setup = { FROM_INTERFACE, DFU_GETSTATUS, 0, 0 };
	struct bench *s = *state;
	bf_time start;
	uint8_t status[6];
	size_t moved;
	pid_t helper;

	assert_int_equal(s->usb->claim(s->t, 0, 0, &s->err), BF_OK);
	kill(s->pack, SIGSTOP);
	helper = fork();
	if (!helper) {
		bf_clock_until(s->clock, bf_in(s->clock, BF_MS(800)));
		kill(s->pack, SIGCONT);
		_exit(0);
	}
	start = bf_now(s->clock);
	assert_int_equal(
		s->usb->control(s->t, &setup, status, 6, &moved, start + BF_MS(300), &s->err),
		BF_E_TIMEOUT);
	print_message("# taken back after %d ms\n", (int)((bf_now(s->clock) - start) / 1000));
	assert_int_equal(waitpid(helper, NULL, 0), helper);
	assert_int_equal(dfu(s, FROM_INTERFACE, DFU_GETSTATUS, 0, status, 6), BF_OK);
}

static void a_second_program_finds_the_interface_held(void **state)
{
	struct bench *s = *state;
	struct bf_transport *first = s->t;
	int pipe_fd[2], status;
	char text[320] = "";
	pid_t child;

	assert_int_equal(first->ops->usb->claim(first, 0, 0, &s->err), BF_OK);
	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	if (!child) { /* the same driver in another process */
		enum bf_rc rc = try_open(s, first->name);

		if (!rc)
			rc = s->t->ops->usb->claim(s->t, 0, 0, &s->err);
		(void)!write(pipe_fd[1], s->err.cause, strlen(s->err.cause));
		_exit(rc == BF_E_BUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(pipe_fd[0], text, sizeof(text) - 1) > 0);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	print_message("# %s\n", text);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "in use by 'test_usb_kernel' (pid "));
}

static void without_permission_the_rule_is_named(void **state)
{
	struct bench *s = *state;
	int status;
	pid_t child = fork();

	if (!child) {
		enum bf_rc rc;

		if (setgid(65534) || setuid(65534))
			_exit(1);
		rc = try_open(s, s->t->name);
		_exit(rc == BF_E_IFACE && strstr(s->err.next, "ATTR{idVendor}==\"1209\"") ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, bench_up, bench_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(the_pack_is_described_by_its_descriptors),
		ON_BENCH(a_request_before_the_claim_does_not_lock_us_out),
		ON_BENCH(a_pack_in_its_application_stalls_what_only_its_loader_knows),
		ON_BENCH(a_pack_that_detaches_is_followed_into_its_loader),
		ON_BENCH(a_pack_that_is_unplugged_is_gone),
		ON_BENCH(a_transfer_without_answer_is_taken_back),
		ON_BENCH(a_second_program_finds_the_interface_held),
		ON_BENCH(without_permission_the_rule_is_named),
	};

	if (!getenv("BF_BENCH_USB")) {
		puts("1..0 # SKIP needs a virtual USB controller: only where BF_BENCH_USB is set");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
