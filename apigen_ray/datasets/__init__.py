"""Data sets: the row format of xLAM, external data, and exports for trainers."""
