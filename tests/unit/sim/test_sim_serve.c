/* SPDX-License-Identifier: MIT */
/* The pack on a real pty, in real time: a start, one exchange in each framing, the end by a signal. */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "serve.h"

#define PATIENCE BF_SEC(10)

struct child {
	pid_t pid;
	int stop, path_fd; /* our ends: closing `stop` ends the child */
	char path[64];
};

static void tell(void *ctx, const char *where)
{
	int fd = *(int *)ctx;

	if (write(fd, where, strlen(where) + 1) < 0)
		_exit(9);
}

static void serve(int stop_fd, int path_fd, const char *link)
{
	struct bf_clock *clock = bf_clock_real_new(stop_fd);
	struct bf_serve s = { .clock = clock, .ready = tell, .ctx = &path_fd };
	struct bf_sim_opts opts;
	struct bf_err err;
	enum bf_rc rc;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	if (bf_pack_new(&opts, &s.pack, &err))
		_exit(8);
	bf_pack_power(s.pack, true, bf_now(clock));
	rc = bf_sim_serve_pty(&s, link, false, &err);
	bf_pack_free(s.pack);
	bf_clock_free(clock);
	_exit(rc == BF_E_INTERRUPTED ? 0 : 7);
}

static void start(struct child *c, const char *link)
{
	int stop[2], path[2];
	ssize_t n;

	assert_int_equal(pipe(stop), 0);
	assert_int_equal(pipe(path), 0);
	c->pid = fork();
	if (c->pid == 0) {
		close(stop[1]);
		serve(stop[0], path[1], link);
	}
	close(stop[0]);
	close(path[1]);
	c->stop = stop[1];
	c->path_fd = path[0];
	n = read(c->path_fd, c->path, sizeof(c->path) - 1);
	assert_true(n > 1);
}

static int end(struct child *c)
{
	int status;

	close(c->stop);
	close(c->path_fd);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_line(const char *path, speed_t speed)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	struct termios tio;

	assert_true(fd >= 0);
	assert_int_equal(tcgetattr(fd, &tio), 0);
	assert_int_equal(tio.c_lflag & (ICANON | ECHO), 0);
	cfsetspeed(&tio, speed);
	assert_int_equal(tcsetattr(fd, TCSANOW, &tio), 0);
	return fd;
}

/* Writes until something is answered: the pack may still be starting. */
static size_t ask(struct bf_clock *clock, int fd, const uint8_t *req, size_t len, uint8_t *buf,
		  size_t want)
{
	bf_time give_up = bf_in(clock, PATIENCE);
	size_t got = 0;

	while (!got && bf_now(clock) < give_up) {
		bf_time next = bf_in(clock, BF_MS(300));
		struct pollfd p = { .fd = fd, .events = POLLIN };

		assert_int_equal(write(fd, req, len), len);
		while (got < want && bf_clock_wait(clock, &p, 1, next) == BF_WAIT_READY) {
			ssize_t n = read(fd, buf + got, want - got);

			got += n > 0 ? (size_t)n : 0;
		}
	}
	return got;
}

static void a_pty_answers_and_its_link_goes_with_it(void **state)
{
	static const uint8_t present[] = { 0x82, 0x11, 0xF1, 0x3E, 0x00, 0xC2 };
	static const uint8_t answer[] = { 0x82, 0xF1, 0x11, 0x7E, 0x00, 0x02 };
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	char link[64];
	uint8_t buf[16];
	struct child c = { 0 };
	int fd;

	(void)state;
	snprintf(link, sizeof(link), "/tmp/bmsflash-sim-%d", (int)getpid());
	start(&c, link);
	fd = open_line(link, B115200);
	assert_int_equal(ask(clock, fd, present, sizeof(present), buf, 6), 6);
	assert_memory_equal(buf, answer, 6);
	close(fd);
	/* the next tester finds the pack still there */
	fd = open_line(c.path, B115200);
	assert_int_equal(ask(clock, fd, present, sizeof(present), buf, 6), 6);
	close(fd);
	assert_int_equal(end(&c), 0);
	assert_int_equal(access(link, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pty_answers_and_its_link_goes_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
