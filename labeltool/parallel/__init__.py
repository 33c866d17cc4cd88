"""One map over items in parallel: in processes of this machine, or by Dask on many machines."""
