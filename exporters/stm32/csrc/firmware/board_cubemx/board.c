/* A board that STM32CubeMX has configured: clocks, pins, UART and microphone with its DMA in circular mode are initialised
   by its main.c, which then calls app_start and app_step. MICROPHONE_DRIVER chooses the peripheral. Compiled against
   stand-ins of ST's HAL, not run on hardware. */
#include "board.h"

#include <string.h>

#include "app.h"
#include "main.h"
#include "microphone.h"

#define MICROPHONE_MDF 1   /* MDF, ADF (U5, H5, N6): PDM in, PCM out, in hardware */
#define MICROPHONE_DFSDM 2 /* DFSDM (L4, L5, F4, F7, H7): PDM in, PCM out, in hardware */
#define MICROPHONE_I2S 3   /* 16-bit data: an I2S microphone, or a PDM one as MICROPHONE_PDM */
#define MICROPHONE_SAI 4   /* 16-bit data, mono */

/* Names that CubeMX gave. */
#ifndef BOARD_UART
#define BOARD_UART huart1
#endif
extern UART_HandleTypeDef BOARD_UART;

void board_init(void)
{
}

bool board_microphone_runs(void)
{
    return true;
}

void board_write(const char *text)
{
    (void)HAL_UART_Transmit(&BOARD_UART, (const uint8_t *)text, (uint16_t)strlen(text), HAL_MAX_DELAY);
}

void board_sleep(void)
{
    __WFI();
}

#if MICROPHONE_DRIVER == MICROPHONE_MDF

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE AdfHandle0
#define BOARD_MICROPHONE_FILTER AdfFilterConfig0
#endif
extern MDF_HandleTypeDef BOARD_MICROPHONE;
extern MDF_FilterConfigTypeDef BOARD_MICROPHONE_FILTER;

void board_microphone_start(int16_t *words)
{
    /* Only the upper 16 of 24 bits; the DMA channel is set to half-words. */
    MDF_DmaConfigTypeDef dma = {
        .Address = (uint32_t)words, .DataLength = 2U * MICROPHONE_WORDS * sizeof *words, .MsbOnly = ENABLE};
    if (HAL_MDF_AcqStart_DMA(&BOARD_MICROPHONE, &BOARD_MICROPHONE_FILTER, &dma) != HAL_OK) {
        Error_Handler();
    }
}

void HAL_MDF_AcqHalfCpltCallback(MDF_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_half();
}

void HAL_MDF_AcqCpltCallback(MDF_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_complete();
}

#elif MICROPHONE_DRIVER == MICROPHONE_DFSDM

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE hdfsdm1_filter0
#endif
extern DFSDM_Filter_HandleTypeDef BOARD_MICROPHONE;

void board_microphone_start(int16_t *words)
{
    if (HAL_DFSDM_FilterRegularMsbStart_DMA(&BOARD_MICROPHONE, words, 2U * MICROPHONE_WORDS) != HAL_OK) {
        Error_Handler();
    }
}

void HAL_DFSDM_FilterRegConvHalfCpltCallback(DFSDM_Filter_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_half();
}

void HAL_DFSDM_FilterRegConvCpltCallback(DFSDM_Filter_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_complete();
}

#elif MICROPHONE_DRIVER == MICROPHONE_I2S

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE hi2s2
#endif
extern I2S_HandleTypeDef BOARD_MICROPHONE;

void board_microphone_start(int16_t *words)
{
    if (HAL_I2S_Receive_DMA(&BOARD_MICROPHONE, (uint16_t *)words, 2U * MICROPHONE_WORDS) != HAL_OK) {
        Error_Handler();
    }
}

void HAL_I2S_RxHalfCpltCallback(I2S_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_half();
}

void HAL_I2S_RxCpltCallback(I2S_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_complete();
}

#elif MICROPHONE_DRIVER == MICROPHONE_SAI

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE hsai_BlockA1
#endif
extern SAI_HandleTypeDef BOARD_MICROPHONE;

void board_microphone_start(int16_t *words)
{
    if (HAL_SAI_Receive_DMA(&BOARD_MICROPHONE, (uint8_t *)words, 2U * MICROPHONE_WORDS) != HAL_OK) {
        Error_Handler();
    }
}

void HAL_SAI_RxHalfCpltCallback(SAI_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_half();
}

void HAL_SAI_RxCpltCallback(SAI_HandleTypeDef *handle)
{
    (void)handle;
    app_microphone_complete();
}

#else
#error "set MICROPHONE_DRIVER to MICROPHONE_MDF, MICROPHONE_DFSDM, MICROPHONE_I2S or MICROPHONE_SAI"
#endif
