/* A board that STM32CubeMX has configured: clocks, pins, UART and microphone with its DMA in circular mode are initialised
   by its main.c, which then calls app_start and app_step. MICROPHONE_DRIVER chooses the peripheral. Compiled against
   stand-ins of ST's HAL, not run on hardware. */
#include "board.h"

#include <string.h>

#include "app.h"
#include "main.h"
#include "microphone.h"

/* What CubeMX must set for each: README.md. */
#define MICROPHONE_MDF 1   /* MDF or ADF: PDM in, PCM out, in hardware */
#define MICROPHONE_DFSDM 2 /* PDM in, PCM out, in hardware */
#define MICROPHONE_I2S 3   /* the bits of a PDM microphone */
#define MICROPHONE_SAI 4   /* an I2S microphone, in mono */

#if MICROPHONE_DRIVER == MICROPHONE_I2S && MICROPHONE != MICROPHONE_PDM
#error "the I2S peripheral receives left and right words: for an I2S microphone take MICROPHONE_SAI, in mono"
#elif (MICROPHONE_DRIVER == MICROPHONE_MDF || MICROPHONE_DRIVER == MICROPHONE_DFSDM) && MICROPHONE == MICROPHONE_PDM
#error "MDF, ADF and DFSDM deliver PCM already: MICROPHONE is MICROPHONE_PCM or MICROPHONE_PCM_TRIPLE"
#endif

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

static int16_t *buffer;

/* Of the driver. */
static HAL_StatusTypeDef start(void);

void board_microphone_start(int16_t *words)
{
    buffer = words;
    if (start() != HAL_OK) {
        Error_Handler();
    }
}

/* After an error, from its callback, with the acquisition stopped. */
static void restart(void)
{
    app_microphone_restarts();
    if (start() != HAL_OK) {
        Error_Handler();
    }
}

#if MICROPHONE_DRIVER == MICROPHONE_MDF

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE AdfHandle0
#define BOARD_MICROPHONE_FILTER AdfFilterConfig0
#endif
extern MDF_HandleTypeDef BOARD_MICROPHONE;
extern MDF_FilterConfigTypeDef BOARD_MICROPHONE_FILTER;

static HAL_StatusTypeDef start(void)
{
    /* Only the upper 16 of 24 bits; the DMA channel is set to half-words. */
    MDF_DmaConfigTypeDef dma = {
        .Address = (uint32_t)buffer, .DataLength = 2U * MICROPHONE_WORDS * sizeof *buffer, .MsbOnly = ENABLE};
    return HAL_MDF_AcqStart_DMA(&BOARD_MICROPHONE, &BOARD_MICROPHONE_FILTER, &dma);
}

void HAL_MDF_AcqHalfCpltCallback(MDF_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_half();
    }
}

void HAL_MDF_AcqCpltCallback(MDF_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_complete();
    }
}

void HAL_MDF_ErrorCallback(MDF_HandleTypeDef *handle)
{
    /* Saturation is loud sound, and the acquisition goes on. */
    if (handle == &BOARD_MICROPHONE && HAL_MDF_GetError(handle) != MDF_ERROR_SATURATION) {
        (void)HAL_MDF_AcqStop_DMA(handle);
        handle->ErrorCode = MDF_ERROR_NONE;
        restart();
    }
}

#elif MICROPHONE_DRIVER == MICROPHONE_DFSDM

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE hdfsdm1_filter0
#endif
extern DFSDM_Filter_HandleTypeDef BOARD_MICROPHONE;

static HAL_StatusTypeDef start(void)
{
    return HAL_DFSDM_FilterRegularMsbStart_DMA(&BOARD_MICROPHONE, buffer, 2U * MICROPHONE_WORDS);
}

void HAL_DFSDM_FilterRegConvHalfCpltCallback(DFSDM_Filter_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_half();
    }
}

void HAL_DFSDM_FilterRegConvCpltCallback(DFSDM_Filter_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_complete();
    }
}

void HAL_DFSDM_FilterErrorCallback(DFSDM_Filter_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        (void)HAL_DFSDM_FilterRegularStop_DMA(handle);
        restart();
    }
}

#elif MICROPHONE_DRIVER == MICROPHONE_I2S

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE hi2s2
#endif
extern I2S_HandleTypeDef BOARD_MICROPHONE;

static HAL_StatusTypeDef start(void)
{
    return HAL_I2S_Receive_DMA(&BOARD_MICROPHONE, (uint16_t *)buffer, 2U * MICROPHONE_WORDS);
}

void HAL_I2S_RxHalfCpltCallback(I2S_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_half();
    }
}

void HAL_I2S_RxCpltCallback(I2S_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_complete();
    }
}

void HAL_I2S_ErrorCallback(I2S_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        (void)HAL_I2S_DMAStop(handle);
        restart();
    }
}

#elif MICROPHONE_DRIVER == MICROPHONE_SAI

#ifndef BOARD_MICROPHONE
#define BOARD_MICROPHONE hsai_BlockA1
#endif
extern SAI_HandleTypeDef BOARD_MICROPHONE;

static HAL_StatusTypeDef start(void)
{
    return HAL_SAI_Receive_DMA(&BOARD_MICROPHONE, (uint8_t *)buffer, 2U * MICROPHONE_WORDS);
}

void HAL_SAI_RxHalfCpltCallback(SAI_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_half();
    }
}

void HAL_SAI_RxCpltCallback(SAI_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        app_microphone_complete();
    }
}

void HAL_SAI_ErrorCallback(SAI_HandleTypeDef *handle)
{
    if (handle == &BOARD_MICROPHONE) {
        (void)HAL_SAI_DMAStop(handle);
        restart();
    }
}

#else
#error "set MICROPHONE_DRIVER to MICROPHONE_MDF, MICROPHONE_DFSDM, MICROPHONE_I2S or MICROPHONE_SAI"
#endif
