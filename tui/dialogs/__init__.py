"""Boxes over a view: the keys, the palette, a line to type, the progress."""
