"""The int8 model read for the MCU: graph, lowering to C kernels, memory plan, operation counts.

Imports nothing from the other folders of `stm32`.
"""
