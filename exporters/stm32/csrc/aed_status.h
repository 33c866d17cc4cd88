/* Results of the functions of this package. */
#ifndef AED_STATUS_H
#define AED_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    AED_OK = 0,
    AED_ERROR_ARGUMENT = 1,  /* a pointer is NULL, or a value is out of range */
    AED_ERROR_NOT_READY = 2, /* called before its input is complete, or before init */
    AED_ERROR_MODEL = 3      /* files of different versions, or compiler options that change the rounding */
} aed_status;

#ifdef __cplusplus
}
#endif

#endif
