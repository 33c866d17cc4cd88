"""Files and folders: written whole, read within bounds, locked, and no link followed."""
