/* SPDX-License-Identifier: MIT */
/* What a profile says of a ROM loader: [stm32]. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum bf_stm32_sync { BF_STM32_SYNC_BYTE, BF_STM32_SYNC_TEXT };
enum bf_stm32_restart { BF_STM32_RESTART_GO, BF_STM32_RESTART_NONE };
enum bf_stm32_erase {
	BF_STM32_ERASE_PAGES,
	BF_STM32_ERASE_MASS,
	BF_STM32_ERASE_BANK1,
	BF_STM32_ERASE_BANK2,
};
enum bf_stm32_banks { BF_STM32_BANKS_AUTO, BF_STM32_BANKS_ONE, BF_STM32_BANKS_TWO };
enum bf_stm32_sum {
	BF_STM32_SUM_AUTO,
	BF_STM32_SUM_AN3155, /* words, polynomial and initial value */
	BF_STM32_SUM_SHORT,  /* bytes, nothing else */
	BF_STM32_SUM_NONE,
};
enum bf_stm32_can_erase {
	BF_STM32_CAN_ERASE_UNKNOWN,
	BF_STM32_CAN_ERASE_PAGE,
	BF_STM32_CAN_ERASE_LIST
};
enum bf_stm32_can_form { BF_STM32_CAN_CLASSIC, BF_STM32_CAN_FD };

struct bf_stm32_profile {
	char chip[24]; /* a row of the chip table, in place of the identifier; "": by identifier */
	char vendor[64], class_name[64]; /* hardware that the profile is for; "": not said */
	enum bf_stm32_sync sync;
	char sync_text[32], sync_answer[32];
	char parity;       /* 'E', 'N', 'O' */
	char commands[40]; /* hex, in place of what GET lists; "": GET is asked */
	uint32_t page;     /* erase unit, 0: the chip's */
	uint32_t flash_base, flash_size;
	uint32_t write_unit, block;
	uint32_t start; /* address for Go, 0: the start of the flash */
	enum bf_stm32_restart restart;
	enum bf_stm32_erase erase;
	enum bf_stm32_banks banks;
	enum bf_stm32_sum checksum;
	enum bf_stm32_can_erase can_erase;
	enum bf_stm32_can_form can_form;
	uint32_t can_rate, can_base;
	bool bus_shared;
};
