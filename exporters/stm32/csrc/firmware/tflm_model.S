/* The model's file in flash, for network_tflm.cc; found through the include path (../model). */
    .section .rodata.tflm_model, "a"
    .balign 16
    .global tflm_model
tflm_model:
    .incbin "model_int8.tflite"
    .section .note.GNU-stack, "", %progbits
