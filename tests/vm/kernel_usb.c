/* SPDX-License-Identifier: MIT */
/* The USB driver on a device that the kernel enumerated: the virtual pack behind the kernel's own
 * virtual host controller. */
#include "kernel.h"

#include <glob.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/usb/usb_serve.h"

enum { DETACH = 0, GETSTATUS = 3, GETSTATE = 5 };

struct plugged {
	struct bf_clock *clock;
	pid_t pack;
};

static void tell(void *ctx, const char *where)
{
	const int *fd = ctx;

	(void)where;
	if (write(*fd, "r", 1) != 1)
		_exit(1);
}

/* Another process: the kernel waits for the device while we wait for the kernel. */
static _Noreturn void be_the_pack(const char *keys, int fd)
{
	struct bf_serve s = { .ready = tell, .ctx = &fd };
	struct bf_sim_opts opts;
	struct bf_err err;
	sigset_t stop;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	opts.protocol = BF_SIM_DFU;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (bf_sim_opts_parse(keys, &opts, &err) || bf_pack_new(&opts, &s.pack, &err))
		_exit(1);
	s.clock = bf_clock_real_new(signalfd(-1, &stop, SFD_CLOEXEC));
	bf_sim_serve_usb(&s, "vhci", &err);
	fprintf(stderr, "pack: %s\n", err.cause);
	_exit(0);
}

/* As the kernel names it: which bus the virtual controller has depends on what else is loaded. */
static const char *device_path(char dst[32])
{
	glob_t g;

	if (glob("/sys/devices/platform/vhci_hcd.0/usb*/*-1/*/bInterfaceClass", 0, NULL, &g) != 0)
		return NULL;
	sscanf(strstr(g.gl_pathv[0], "/usb"), "/usb%*[0-9]/%31[^/]", dst);
	globfree(&g);
	return dst;
}

static void await_device(bool here)
{
	char path[32];

	for (int i = 0; i < 100; i++) {
		if (!!device_path(path) == here)
			return;
		usleep(100000);
	}
	fail_msg("the kernel did not %s the device", here ? "find" : "lose");
}

static pid_t plug(const char *keys)
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		be_the_pack(keys, fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	close(fds[1]);
	await_device(true);
	return pid;
}

static void unplug(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	await_device(false);
}

static int set_up(void **arg)
{
	struct plugged *p = calloc(1, sizeof(*p));

	shell("modprobe vhci_hcd");
	p->clock = bf_clock_real_new(-1);
	p->pack = plug("");
	*arg = p;
	return 0;
}

static int tear_down(void **arg)
{
	struct plugged *p = *arg;

	if (p->pack)
		unplug(p->pack);
	bf_clock_free(p->clock);
	free(p);
	return 0;
}

static enum bf_rc control(struct bf_transport *t, uint8_t type, uint8_t request, uint16_t value,
			  void *data, size_t len, struct bf_err *err)
{
	const struct bf_usb_setup setup = { type, request, value, 0 };
	size_t n;

	bf_err_init(err);
	return t->ops->usb->control(t, &setup, data, len, &n, bf_in(t->clock, BF_SEC(3)), err);
}

static void it_is_found_by_every_form_of_address(void **arg)
{
	char path[32], by_path[40];
	const char *const forms[] = { "usb", "usb:1209:0001", "usb:1209:0001:BX16-000001",
				      by_path };
	struct plugged *p = *arg;
	struct bf_usb_device d;
	struct bf_err err;

	assert_non_null(device_path(path));
	snprintf(by_path, sizeof(by_path), "usb@%s", path);
	for (size_t i = 0; i < BF_COUNT(forms); i++) {
		BF_AUTO(bf_transport) *t = open_wire(p->clock, forms[i]);

		OK(t->ops->usb->device(t, &d, &err));
		assert_int_equal(d.vid, 0x1209);
		assert_int_equal(d.bcd_device, 0x0130);
		assert_string_equal(d.serial, "BX16-000001");
		assert_string_equal(d.port_path, path);
		assert_int_equal(d.config_len, 27);
	}
}

static void requests_are_answered_or_stalled(void **arg)
{
	struct plugged *p = *arg;
	BF_AUTO(bf_transport) *t = open_wire(p->clock, "usb");
	struct bf_err err;
	uint8_t s[6];

	OK(t->ops->usb->claim(t, 0, 0, &err));
	OK(control(t, 0xa1, GETSTATUS, 0, s, 6, &err));
	assert_int_equal(s[4], 0);
	assert_int_equal(control(t, 0x21, 1, 0, s, 4, &err), BF_E_NAK);
	assert_string_equal(err.dev_name, "stall");
}

static void a_device_that_detaches_is_found_again(void **arg)
{
	struct plugged *p = *arg;
	BF_AUTO(bf_transport) *t = open_wire(p->clock, "usb");
	struct bf_usb_device d;
	struct bf_err err;
	uint8_t state;

	OK(t->ops->usb->claim(t, 0, 0, &err));
	OK(control(t, 0x21, DETACH, 1000, NULL, 0, &err));
	OK(t->ops->usb->reopen(t, bf_in(p->clock, BF_SEC(15)), &err));
	OK(t->ops->usb->device(t, &d, &err));
	assert_int_equal(d.pid, 0x0002);
	assert_int_equal(t->stats.reopened, 1);
	OK(t->ops->usb->claim(t, 0, 0, &err));
	OK(control(t, 0xa1, GETSTATE, 0, &state, 1, &err));
	assert_int_equal(state, 2);
	/* And back by a bus reset. */
	OK(t->ops->usb->reset(t, bf_in(p->clock, BF_SEC(15)), &err));
	OK(t->ops->usb->reopen(t, bf_in(p->clock, BF_SEC(15)), &err));
	OK(t->ops->usb->device(t, &d, &err));
	assert_int_equal(d.pid, 0x0001);
}

static void an_unplugged_device_is_gone(void **arg)
{
	struct plugged *p = *arg;
	BF_AUTO(bf_transport) *t = open_wire(p->clock, "usb");
	struct bf_err err;
	uint8_t s[6];

	OK(t->ops->usb->claim(t, 0, 0, &err));
	unplug(p->pack);
	p->pack = 0;
	assert_int_equal(control(t, 0xa1, GETSTATUS, 0, s, 6, &err), BF_E_GONE);
}

static void without_a_device_usb_says_so(void **arg)
{
	struct plugged *p = *arg;
	struct bf_open_env env = { .clock = p->clock };
	struct bf_transport *t;
	struct bf_err err;

	unplug(p->pack);
	p->pack = 0;
	bf_err_init(&err);
	assert_int_equal(bf_transport_open(&env, "usb", &t, &err), BF_E_IFACE);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(it_is_found_by_every_form_of_address),  ROW(requests_are_answered_or_stalled),
		ROW(a_device_that_detaches_is_found_again), ROW(an_unplugged_device_is_gone),
		ROW(without_a_device_usb_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
