"""The int8 model read for the MCU: graph, lowering to C kernels, memory plan, operation counts.

Uses nothing of the package's other folders.
"""
