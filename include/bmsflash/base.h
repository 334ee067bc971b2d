/* SPDX-License-Identifier: MIT */
/* Attributes, counts and scope cleanup that every layer uses. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define BF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BF_NONNULL                  __attribute__((nonnull))
#define BF_MUST_CHECK               __attribute__((warn_unused_result))
#define BF_PRINTF(fmt_pos, arg_pos) __attribute__((format(printf, fmt_pos, arg_pos)))
#define BF_UNUSED                   __attribute__((unused))

/* From a member pointer back to the struct that embeds it. */
#define BF_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * Scope cleanup. `BF_AUTO(bf_claim) *claim = ...;` calls bf_claim_cleanup(&claim) when the scope
 * ends; BF_DEFINE_CLEANUP writes that function from the type's free function, which takes NULL.
 */
#define BF_AUTO(name) __attribute__((cleanup(name##_cleanup))) struct name
#define BF_DEFINE_CLEANUP(name, free_fn)                             \
	static inline BF_UNUSED void name##_cleanup(struct name **p) \
	{                                                            \
		free_fn(*p);                                         \
	}

static inline BF_UNUSED void bf_mem_cleanup(void *p)
{
	free(*(void **)p);
}
#define BF_AUTO_MEM __attribute__((cleanup(bf_mem_cleanup)))

void bf_fd_cleanup(int *fd);
#define BF_AUTO_FD __attribute__((cleanup(bf_fd_cleanup)))

/* Hand an owned pointer out of a cleanup scope. */
#define bf_steal(pp)                          \
	__extension__({                       \
		__typeof__(*(pp)) s_ = *(pp); \
		*(pp) = NULL;                 \
		s_;                           \
	})
